/**
 * Flags of kube-apiserver that change nothing here, or that this server cannot honour: each is read and checked in
 * upstream's words, and then either said in the log to have no effect, or refused with the reason. None is ignored in
 * silence. Upstream: pkg/controlplane/apiserver/options, apiserver pkg/server/options, component-base logs and metrics.
 * Deviation: these flags.
 */
import { UserError } from '#base';
import { type Flag, type FlagGroup, type GivenFlags, refused } from './flag.ts';

interface Elsewhere extends Flag {
  /** Throws a UserError for what upstream refuses. */
  readonly check?: (given: GivenFlags) => void;
  /** Whether what was given asks for something other than what is here anyway; absent: always. */
  readonly asks?: (given: GivenFlags) => boolean;
  /** Why nothing changes. */
  readonly unchanged?: string;
  /** Why it cannot be had: given in place of {@link unchanged}. */
  readonly lacks?: string;
}

const integer = (name: string) => (given: GivenFlags) => void given.integer(name);
const duration = (name: string) => (given: GivenFlags) => void given.durationMs(name);
const isTrue = (name: string) => (given: GivenFlags) => given.boolean(name) === true;
const isFalse = (name: string) => (given: GivenFlags) => given.boolean(name) === false;

const unchanged = (name: string, value: string | undefined, why: string, rest: Partial<Elsewhere> = {}): Elsewhere => ({
  name,
  ...(value !== undefined && { value }),
  help: `changes nothing here: ${why}`,
  unchanged: why,
  ...rest,
});
const lacking = (name: string, value: string | undefined, why: string, rest: Partial<Elsewhere> = {}): Elsewhere => ({
  name,
  ...(value !== undefined && { value }),
  help: `is refused: ${why}`,
  lacks: why,
  ...rest,
});

const alphaLogs = 'Forbidden: Feature LoggingAlphaOptions is disabled';

function alphaLog(name: string, value: string | undefined, option: string): Elsewhere {
  const check = (given: GivenFlags): void => {
    const asked = value === undefined ? given.boolean(name) : !/^0?$/.test(given.text(name) ?? '');
    if (asked) throw new UserError(`${option}: ${alphaLogs}`);
  };
  return { name, ...(value && { value }), help: 'is refused: behind an alpha feature', check, asks: () => false };
}

const flags: readonly Elsewhere[] = [
  unchanged('delete-collection-workers', 'number', 'one thread deletes', {
    check: integer('delete-collection-workers'),
  }),
  unchanged('watch-cache-sizes', 'sizes', 'what a watch can go back to is bounded by bytes', { check: cacheSizes }),
  lacking('watch-cache', undefined, 'lists and watches are always answered from memory', {
    asks: isFalse('watch-cache'),
  }),
  unchanged('lease-reuse-duration-seconds', 'seconds', 'a store of its own has no leases, and etcd gets one a key', {
    check: integer('lease-reuse-duration-seconds'),
  }),
  unchanged('storage-initialization-timeout', 'duration', 'the server is not ready before its store is', {
    check: given => {
      if ((given.durationMs('storage-initialization-timeout') ?? 0) < 0)
        throw new UserError('--storage-initialization-timeout can not be negative value');
    },
  }),
  unchanged('etcd-count-metric-poll-period', 'duration', 'objects are counted when metrics are read', {
    check: duration('etcd-count-metric-poll-period'),
  }),
  unchanged('etcd-db-metric-poll-interval', 'duration', 'the size is looked at when metrics are read', {
    check: duration('etcd-db-metric-poll-interval'),
  }),
  lacking('etcd-servers-overrides', 'overrides', 'all kinds are in one store', {
    check: given => {
      const wrong = given.list('etcd-servers-overrides')?.some(each => !/^[^#]*\/[^#/]+#[^#]+$/.test(each));
      if (wrong) {
        const form = 'group/resource#servers, where servers are URLs, semicolon separated';
        throw new UserError(`--etcd-servers-overrides invalid, must be of format: ${form}`);
      }
    },
    asks: given => (given.list('etcd-servers-overrides') ?? []).length > 0,
  }),
  unchanged('permit-address-sharing', undefined, 'ports are opened so anyway', {
    asks: isFalse('permit-address-sharing'),
  }),
  unchanged('contention-profiling', undefined, 'in one thread nobody waits for a lock', {
    asks: isTrue('contention-profiling'),
  }),
  lacking('enable-logs-handler', undefined, 'the log is read with kobune logs', {
    asks: isTrue('enable-logs-handler'),
  }),
  lacking('max-connection-bytes-per-sec', 'number', 'streams are not throttled', {
    asks: given => (given.integer('max-connection-bytes-per-sec') ?? 0) !== 0,
  }),
  lacking('peer-advertise-ip', 'ip', 'requests are not handed on to other API servers of the store'),
  lacking('peer-advertise-port', 'port', 'requests are not handed on to other API servers of the store'),
  lacking('peer-ca-file', 'path', 'requests are not handed on to other API servers of the store'),
  unchanged('coordinated-leadership-lease-duration', 'duration', 'behind the feature CoordinatedLeaderElection', {
    check: leadership,
  }),
  unchanged('coordinated-leadership-renew-deadline', 'duration', 'behind the feature CoordinatedLeaderElection', {
    check: leadership,
  }),
  unchanged('coordinated-leadership-retry-period', 'duration', 'behind the feature CoordinatedLeaderElection', {
    check: leadership,
  }),
  unchanged('log-flush-frequency', 'duration', 'every line is written at once', {
    check: given => {
      if ((given.durationMs('log-flush-frequency') ?? 1) <= 0)
        throw new UserError(
          `flushFrequency: Invalid value: ${given.text('log-flush-frequency')}: Must be greater than zero`,
        );
    },
  }),
  unchanged('vmodule', 'pattern=N,…', 'the log has one level for all files', { check: vmodule }),
  alphaLog('log-json-split-stream', undefined, 'options.json.splitStream'),
  alphaLog('log-json-info-buffer-size', 'quantity', 'options.json.infoBufferSize'),
  alphaLog('log-text-split-stream', undefined, 'options.text.splitStream'),
  alphaLog('log-text-info-buffer-size', 'quantity', 'options.text.infoBufferSize'),
  lacking('tracing-config-file', 'path', 'spans are not exported'),
  lacking('egress-selector-config-file', 'path', 'connections are made directly'),
];

export const elsewhereFlags: FlagGroup = {
  title: 'Without effect, or refused:',
  flags,
  settings(given) {
    const asked = flags.filter(({ name }) => given.all(name).length > 0);
    for (const { check } of asked) check?.(given);
    const effective = asked.filter(({ asks }) => asks?.(given) ?? true);
    const refusal = effective.find(each => each.lacks !== undefined);
    if (refusal) {
      throw new UserError(
        `--${refusal.name} cannot be honoured: ${refusal.lacks} (docs/security.md, Flags without effect).`,
      );
    }
    const remarks = effective.map(({ name, unchanged: why }) => `--${name} changes nothing here: ${why}`);
    return { apiServer: {}, ...(remarks.length > 0 && { remarks }) };
  },
};

function cacheSizes(given: GivenFlags): void {
  for (const each of given.list('watch-cache-sizes') ?? []) {
    const [, size, ...more] = each.split('#');
    if (size === undefined || more.length > 0) throw new UserError(`invalid value of watch cache size: ${each}`);
    if (!/^[+-]?\d+$/.test(size)) throw new UserError(`invalid size of watch cache size: ${each}`);
    if (Number(size) < 0) throw new UserError(`watch cache size cannot be negative: ${each}`);
  }
}

function leadership(given: GivenFlags): void {
  const ms = (name: string, byDefault: number): number =>
    given.durationMs(`coordinated-leadership-${name}`) ?? byDefault;
  const [lease, renew, retry] = [ms('lease-duration', 15_000), ms('renew-deadline', 10_000), ms('retry-period', 2000)];
  if (lease <= renew) {
    throw new UserError(
      '--coordinated-leadership-lease-duration must be greater than --coordinated-leadership-renew-deadline',
    );
  }
  if (renew <= retry) {
    throw new UserError(
      '--coordinated-leadership-renew-deadline must be greater than --coordinated-leadership-retry-period',
    );
  }
}

function vmodule(given: GivenFlags): void {
  for (const each of given.list('vmodule') ?? []) {
    if (!/^[^=]+=\d+$/.test(each))
      throw refused('vmodule', each, `${JSON.stringify(each)} does not have the pattern=N format`);
  }
}
