/**
 * Without priority and fairness: no more than so many reads and so many writes at once; the rest is refused, but for
 * administrators. Upstream: apiserver pkg/server/filters/maxinflight.go.
 */
import { mastersGroup } from '../authentication/user.ts';
import { isLongRunning } from '../filters/long-running.ts';
import { type ConcurrencyFilter, tooManyRequests } from './filter.ts';
import { type InFlightByKind, requestKind } from './in-flight.ts';

const retryAfterSeconds = 1;

/** A limit of 0 is none. `executing` counts what the limits hold for. */
export function maxInFlight(
  limits: Readonly<Record<'mutating' | 'readOnly', number>>,
  executing: InFlightByKind,
): ConcurrencyFilter {
  return {
    async handle(_request, { info, user }, { run }) {
      const kind = requestKind(info.verb);
      if (limits[kind] === 0 || isLongRunning(info)) return run();
      const inFlight = executing[kind];
      if (inFlight.count >= limits[kind]) {
        return user.groups.includes(mastersGroup) ? run() : tooManyRequests(retryAfterSeconds);
      }
      inFlight.add(1);
      try {
        return await run();
      } finally {
        inFlight.add(-1);
      }
    },
  };
}
