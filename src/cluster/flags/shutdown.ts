/** Flags of how long requests last and how the API server ends. Upstream: apiserver pkg/server/options/server_run_options.go. */
import { defaultShutdown } from '#apiserver';
import { UserError } from '#base';
import type { FlagGroup } from './flag.ts';

const requestTimeout = 'request-timeout';
const minRequestTimeout = 'min-request-timeout';
const livezGrace = 'livez-grace-period';
const delay = 'shutdown-delay-duration';
const watchGrace = 'shutdown-watch-termination-grace-period';
const retryAfter = 'shutdown-send-retry-after';
const goaway = 'goaway-chance';
const maxGoawayChance = 0.02;

function notNegative(value: number | undefined, refusal: string): number | undefined {
  if (value !== undefined && value < 0) throw new UserError(refusal);
  return value;
}

export const shutdownFlags: FlagGroup = {
  title: 'Timeouts and shutdown:',
  flags: [
    { name: requestTimeout, value: 'duration', help: 'of all but long-running requests (default: 1m0s)' },
    { name: minRequestTimeout, value: 'seconds', help: 'watches last for this to twice this (default: 1800)' },
    { name: livezGrace, value: 'duration', help: 'how long /livez does not ask for the steps of the start' },
    { name: delay, value: 'duration', help: 'serve as before for so long after /readyz has begun to fail' },
    { name: watchGrace, value: 'duration', help: 'end watches one after another within this (default: all at once)' },
    { name: retryAfter, help: 'listen until all is answered, and send newcomers away with 429' },
    { name: goaway, value: 'fraction', help: 'of requests (HTTP/2) after which the connection ends; at most .02' },
  ],
  settings(given) {
    const chance = given.number(goaway) ?? defaultShutdown.goawayChance;
    if (chance < 0 || chance > maxGoawayChance) {
      throw new UserError('--goaway-chance can not be less than 0 or greater than 0.02.');
    }
    const duration = (flag: string): number | undefined =>
      notNegative(given.durationMs(flag), `--${flag} can not be a negative value.`);
    const timeoutMs = notNegative(given.durationMs(requestTimeout), '--request-timeout can not be negative value.');
    const minSeconds = notNegative(
      given.integer(minRequestTimeout),
      '--min-request-timeout can not be negative value.',
    );
    const livezGraceMs = duration(livezGrace);
    const delayMs = notNegative(given.durationMs(delay), '--shutdown-delay-duration can not be negative value.');
    const watchGraceMs = notNegative(
      given.durationMs(watchGrace),
      'shutdown-watch-termination-grace-period, if provided, can not be a negative value.',
    );
    return {
      apiServer: {
        ...(timeoutMs !== undefined && { requestTimeoutMs: timeoutMs }),
        ...(minSeconds !== undefined && { minRequestTimeoutMs: minSeconds * 1000 }),
        ...(livezGraceMs !== undefined && { livezGraceMs }),
        shutdown: {
          delayMs: delayMs ?? defaultShutdown.delayMs,
          watchGraceMs: watchGraceMs ?? defaultShutdown.watchGraceMs,
          sendRetryAfter: given.boolean(retryAfter) ?? defaultShutdown.sendRetryAfter,
          goawayChance: chance,
        },
      },
    };
  },
};
