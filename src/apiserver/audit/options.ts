/**
 * Settings of auditing with upstream's defaults and refusals. Upstream: apiserver pkg/server/options/audit.go.
 *
 * Batching is not useful for a file, so there a batch is one event and nothing throttles it.
 */
import { UserError } from '#base';
import type { BatchOptions } from './backends/buffered.ts';
import { type LogFormat, logFormats } from './backends/log.ts';
import type { TruncateOptions } from './backends/truncate.ts';
import type { AuditPolicy } from './policy.ts';

export const auditModes = ['batch', 'blocking', 'blocking-strict'] as const;
export type AuditMode = (typeof auditModes)[number];

export interface BackendOptions {
  readonly mode: AuditMode;
  readonly batch: BatchOptions;
  readonly truncate: TruncateOptions;
  /** Of what is written: `audit.k8s.io/v1`. */
  readonly version: string;
}

export interface AuditLogOptions extends BackendOptions {
  /** `-`: the standard output. */
  readonly path: string;
  readonly format: LogFormat;
  readonly maxAgeDays: number;
  readonly maxBackups: number;
  readonly maxSizeMb: number;
  readonly compress: boolean;
}

export interface AuditWebhookOptions extends BackendOptions {
  /** A kubeconfig. */
  readonly configFile: string;
  readonly initialBackoffMs: number;
}

/** Without a policy nothing is recorded, as upstream. */
export interface AuditOptions {
  readonly policy: AuditPolicy | undefined;
  readonly log: AuditLogOptions | undefined;
  readonly webhook: AuditWebhookOptions | undefined;
}

const truncate: TruncateOptions = {
  enabled: false,
  maxBatchSizeBytes: 10 * 1024 * 1024,
  maxEventSizeBytes: 100 * 1024,
};
const version = 'audit.k8s.io/v1';
const bufferSize = 10_000;

export const defaultLogOptions: Omit<AuditLogOptions, 'path'> = Object.freeze({
  mode: 'blocking',
  batch: { bufferSize, maxBatchSize: 1, maxBatchWaitMs: 0, throttle: undefined, isAsync: false },
  truncate,
  version,
  format: 'json',
  maxAgeDays: 366,
  maxBackups: 100,
  maxSizeMb: 100,
  compress: false,
});

/** The throttle that there is when it is turned on. */
export const defaultThrottle: Readonly<Record<'log' | 'webhook', { qps: number; burst: number }>> = Object.freeze({
  log: { qps: 0, burst: 0 },
  webhook: { qps: 10, burst: 15 },
});

export const defaultWebhookOptions: Omit<AuditWebhookOptions, 'configFile'> = Object.freeze({
  mode: 'batch',
  batch: {
    bufferSize,
    maxBatchSize: 400,
    maxBatchWaitMs: 30_000,
    throttle: defaultThrottle.webhook,
    isAsync: true,
  },
  truncate,
  version,
  initialBackoffMs: 10_000,
});

/** Throws a UserError with all that is wrong. */
export function validateAuditOptions({ log, webhook }: Pick<AuditOptions, 'log' | 'webhook'>): void {
  const problems: string[] = [];
  if (log) {
    problems.push(...validateBackend('log', log));
    if (!(logFormats as readonly string[]).includes(log.format)) {
      problems.push(`invalid audit log format ${log.format}, allowed formats are "${logFormats.join(',')}"`);
    }
    const limits = { maxage: log.maxAgeDays, maxbackup: log.maxBackups, maxsize: log.maxSizeMb };
    for (const [name, value] of Object.entries(limits)) {
      if (value < 0) problems.push(`--audit-log-${name} ${value} can't be a negative number`);
    }
  }
  if (webhook) problems.push(...validateBackend('webhook', webhook));
  if (problems.length === 0) return;
  throw new UserError(problems.length === 1 ? problems[0]! : `[${problems.join(', ')}]`);
}

function validateBackend(plugin: 'log' | 'webhook', options: BackendOptions): string[] {
  const problem = validateBatch(plugin, options) ?? '';
  return [problem, validateTruncate(plugin, options.truncate), validateVersion(options.version)].filter(Boolean);
}

/** The first that is wrong; what is not used is not looked at. */
function validateBatch(plugin: string, { mode, batch }: BackendOptions): string | undefined {
  if (!(auditModes as readonly string[]).includes(mode)) {
    return `invalid audit ${plugin} mode ${mode}, allowed modes are "${auditModes.join(',')}"`;
  }
  if (mode !== 'batch') return undefined;
  const { bufferSize, maxBatchSize, throttle } = batch;
  const positive: ReadonlyArray<readonly [string, number]> = [
    ['buffer size', bufferSize],
    ['max batch size', maxBatchSize],
    ...(throttle
      ? ([
          ['throttle QPS', throttle.qps],
          ['throttle burst', throttle.burst],
        ] as const)
      : []),
  ];
  const wrong = positive.find(([, value]) => value <= 0);
  return wrong && `invalid audit batch ${plugin} ${wrong[0]} ${wrong[1]}, must be a positive number`;
}

function validateTruncate(plugin: string, { maxEventSizeBytes: event, maxBatchSizeBytes: batch }: TruncateOptions) {
  if (event <= 0) return `invalid audit truncate ${plugin} max event size ${event}, must be a positive number`;
  if (batch >= event) return '';
  return `invalid audit truncate ${plugin} max batch size ${batch}, must be greater than max event size (${event})`;
}

function validateVersion(text: string): string {
  if (text === version) return '';
  if (text.split('/').length > 2) return `unexpected GroupVersion string: ${text}`;
  return `invalid group version, allowed versions are ["${version}"]`;
}
