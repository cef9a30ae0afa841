/**
 * How many events may be written: by all, in a namespace, by a user, or about one thing by one source. Those of
 * `events.k8s.io` are not counted, and neither is a dry run.
 * Upstream: plugin/pkg/admission/eventratelimit.
 */
import type { Event } from '#api/types';
import { aggregateText, type FieldError, FieldPath, invalidValue, notSupported, StatusError } from '#apimachinery';
import { type Clock, KeyedTokenBuckets, UserError } from '#base';
import type { AdmissionAttributes, AdmissionPlugin } from './chain.ts';

/** One limit of `eventratelimit.admission.k8s.io/v1alpha1 Configuration`. */
export interface EventLimit {
  readonly type: string;
  /** Events a second. */
  readonly qps?: number;
  /** Events at once. */
  readonly burst?: number;
  /** How many namespaces, users or sources are told apart; default 4,096. */
  readonly cacheSize?: number;
}

const defaultCacheSize = 4096;

/** What tells those apart of which each has a limit of its own; by the limit's type. */
const keys: Readonly<Record<string, (attributes: AdmissionAttributes, event: Event) => string>> = {
  Server: () => '',
  Namespace: ({ namespace }) => namespace,
  User: ({ user }) => user.name,
  SourceAndObject: (_attributes, { source, involvedObject: about }) =>
    [source?.component, source?.host, about.kind, about.namespace, about.name, about.uid, about.apiVersion].join(''),
};

/** Throws a UserError for limits that cannot be. */
export function eventRateLimit(limits: readonly EventLimit[] = [], clock: Clock): AdmissionPlugin {
  const errors = validateLimits(limits);
  if (errors.length > 0)
    throw new UserError(`couldn't init admission plugin "EventRateLimit": ${aggregateText(errors)}`);
  const enforcers = limits.map(limit => enforcer(limit, clock));
  return {
    name: 'EventRateLimit',
    handles: ({ operation, kind, dryRun }) =>
      (operation === 'CREATE' || operation === 'UPDATE') && kind.group === '' && kind.kind === 'Event' && !dryRun,
    validate(attributes, object) {
      // Each counts the event, also one that another refuses.
      const reached = enforcers.flatMap(refusal => refusal(attributes, object as unknown as Event) ?? []);
      if (reached.length === 0) return;
      const texts = [...new Set(reached)];
      const message = `Too many requests: ${texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`}`;
      throw new StatusError({ code: 429, reason: 'TooManyRequests', message });
    },
  };
}

type Enforcer = (attributes: AdmissionAttributes, event: Event) => string | undefined;

function enforcer({ type, qps = 0, burst = 0, cacheSize = 0 }: EventLimit, clock: Clock): Enforcer {
  const keyOf = keys[type]!;
  const buckets = new KeyedTokenBuckets({ qps, burst }, clock, cacheSize || defaultCacheSize);
  return (attributes, event) => {
    const key = keyOf(attributes, event);
    return buckets.tryTake(key) ? undefined : `limit reached on type ${type} for key ${key}`;
  };
}

function validateLimits(limits: readonly EventLimit[]): FieldError[] {
  const path = FieldPath.of('limits');
  if (limits.length === 0) return [invalidValue(path, null, 'must not be empty')];
  return limits.flatMap(({ type = '', burst = 0, qps = 0, cacheSize = 0 }, at) => {
    const each = path.index(at);
    const errors: FieldError[] = [];
    if (!Object.hasOwn(keys, type)) errors.push(notSupported(each.child('type'), type, Object.keys(keys)));
    if (burst <= 0) errors.push(invalidValue(each.child('burst'), burst, 'must be positive'));
    if (qps <= 0) errors.push(invalidValue(each.child('qps'), qps, 'must be positive'));
    if (type !== 'Server' && cacheSize < 0) {
      errors.push(invalidValue(each.child('cacheSize'), cacheSize, 'must not be negative'));
    }
    return errors;
  });
}
