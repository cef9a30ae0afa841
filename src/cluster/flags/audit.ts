/** Flags of auditing. Upstream: apiserver pkg/server/options/audit.go. */
import {
  type AuditOptions,
  auditModes,
  defaultAuditLogOptions,
  defaultAuditThrottle,
  defaultAuditWebhookOptions,
  readAuditPolicyFile,
  validateAuditOptions,
} from '#apiserver';
import type { Flag, FlagGroup, GivenFlags } from './flag.ts';

type Plugin = 'log' | 'webhook';
type BackendOptions = NonNullable<AuditOptions['log' | 'webhook']>;

const policyFlag = 'audit-policy-file';
const logPathFlag = 'audit-log-path';
const webhookFlag = 'audit-webhook-config-file';
const backoffFlags = ['audit-webhook-initial-backoff', 'audit-webhook-batch-initial-backoff'] as const;

const defaults = { log: defaultAuditLogOptions, webhook: defaultAuditWebhookOptions } as const;

/** What both back ends have. */
function backendFlags(plugin: Plugin): Flag[] {
  const { mode, batch, truncate, version } = defaults[plugin];
  const throttle = defaultAuditThrottle[plugin];
  const seconds = batch.maxBatchWaitMs / 1000;
  return [
    { name: `audit-${plugin}-mode`, value: 'mode', help: `of ${auditModes.join(', ')} (default: ${mode})` },
    { name: `audit-${plugin}-batch-buffer-size`, value: 'events', help: `(default: ${batch.bufferSize})` },
    { name: `audit-${plugin}-batch-max-size`, value: 'events', help: `(default: ${batch.maxBatchSize})` },
    { name: `audit-${plugin}-batch-max-wait`, value: 'duration', help: `for a full batch (default: ${seconds}s)` },
    { name: `audit-${plugin}-batch-throttle-enable`, help: `(default: ${batch.throttle !== undefined})` },
    {
      name: `audit-${plugin}-batch-throttle-qps`,
      value: 'number',
      help: `batches a second (default: ${throttle.qps})`,
    },
    {
      name: `audit-${plugin}-batch-throttle-burst`,
      value: 'number',
      help: `batches at once (default: ${throttle.burst})`,
    },
    { name: `audit-${plugin}-truncate-enabled`, help: 'whether large events lose their objects (default: false)' },
    {
      name: `audit-${plugin}-truncate-max-batch-size`,
      value: 'bytes',
      help: `larger ones are split (default: ${truncate.maxBatchSizeBytes})`,
    },
    {
      name: `audit-${plugin}-truncate-max-event-size`,
      value: 'bytes',
      help: `larger ones are cut, then left out (default: ${truncate.maxEventSizeBytes})`,
    },
    { name: `audit-${plugin}-version`, value: 'version', help: `of the events (default: ${version})` },
  ];
}

export const auditFlags: FlagGroup = {
  title: 'Audit:',
  flags: [
    { name: policyFlag, value: 'path', help: 'what to record; without it nothing is', isPath: true },
    { name: logPathFlag, value: 'path', help: 'the log file, - for the standard output', isPath: true },
    { name: 'audit-log-format', value: 'format', help: 'json or legacy (default: json)' },
    { name: 'audit-log-maxage', value: 'days', help: 'to keep older files (default: 366; 0: for ever)' },
    { name: 'audit-log-maxbackup', value: 'count', help: 'of older files (default: 100; 0: all)' },
    { name: 'audit-log-maxsize', value: 'megabytes', help: 'before the file is moved aside (default: 100; 0: never)' },
    { name: 'audit-log-compress', help: 'older files by gzip (default: false)' },
    ...backendFlags('log'),
    { name: webhookFlag, value: 'path', help: 'a kubeconfig of who is told of events', isPath: true },
    { name: backoffFlags[0], value: 'duration', help: 'before a failed call is repeated (default: 10s)' },
    { name: backoffFlags[1], value: 'duration', help: `deprecated name of --${backoffFlags[0]}` },
    ...backendFlags('webhook'),
  ],
  settings(given) {
    const policyFile = given.path(policyFlag);
    const log = logOptions(given);
    const webhook = webhookOptions(given);
    validateAuditOptions({ log, webhook });
    const policy = policyFile
      ? readAuditPolicyFile(policyFile, text => void process.stderr.write(`Warning: ${text}\n`))
      : undefined;
    return { apiServer: policy || log || webhook ? { audit: { policy, log, webhook } } : {} };
  },
};

function logOptions(given: GivenFlags): AuditOptions['log'] {
  const settled = backendOptions(given, 'log', defaultAuditLogOptions);
  const path = given.path(logPathFlag);
  const options = {
    ...settled,
    format: (given.text('audit-log-format') ?? settled.format) as typeof settled.format,
    maxAgeDays: given.integer('audit-log-maxage') ?? settled.maxAgeDays,
    maxBackups: given.integer('audit-log-maxbackup') ?? settled.maxBackups,
    maxSizeMb: given.integer('audit-log-maxsize') ?? settled.maxSizeMb,
    compress: given.boolean('audit-log-compress') ?? settled.compress,
  };
  return path ? { ...options, path } : undefined;
}

function webhookOptions(given: GivenFlags): AuditOptions['webhook'] {
  const settled = backendOptions(given, 'webhook', defaultAuditWebhookOptions);
  const configFile = given.path(webhookFlag);
  const initialBackoffMs = backoffFlags.map(name => given.durationMs(name)).find(ms => ms !== undefined);
  if (!configFile) return undefined;
  return { ...settled, configFile, initialBackoffMs: initialBackoffMs ?? settled.initialBackoffMs };
}

/** Values are read whether or not the back end is on, so that a wrong one is refused. */
function backendOptions<T extends Omit<BackendOptions, 'path' | 'configFile'>>(
  given: GivenFlags,
  plugin: Plugin,
  settled: T,
): T {
  const { batch, truncate } = settled;
  const name = (rest: string): string => `audit-${plugin}-${rest}`;
  const throttled = given.boolean(name('batch-throttle-enable')) ?? batch.throttle !== undefined;
  const throttle = {
    qps: given.number(name('batch-throttle-qps')) ?? defaultAuditThrottle[plugin].qps,
    burst: given.integer(name('batch-throttle-burst')) ?? defaultAuditThrottle[plugin].burst,
  };
  return {
    ...settled,
    mode: given.text(name('mode')) ?? settled.mode,
    batch: {
      ...batch,
      bufferSize: given.integer(name('batch-buffer-size')) ?? batch.bufferSize,
      maxBatchSize: given.integer(name('batch-max-size')) ?? batch.maxBatchSize,
      maxBatchWaitMs: given.durationMs(name('batch-max-wait')) ?? batch.maxBatchWaitMs,
      throttle: throttled ? throttle : undefined,
    },
    truncate: {
      enabled: given.boolean(name('truncate-enabled')) ?? truncate.enabled,
      maxBatchSizeBytes: given.integer(name('truncate-max-batch-size')) ?? truncate.maxBatchSizeBytes,
      maxEventSizeBytes: given.integer(name('truncate-max-event-size')) ?? truncate.maxEventSizeBytes,
    },
    version: given.text(name('version')) ?? settled.version,
  };
}
