/**
 * Auditing as it is configured: the policy and the back ends that events go to. There is none without a policy, and
 * then no request pays for it. Upstream: apiserver pkg/server/options/audit.go ApplyTo.
 */
import { type Clock, type Logger, type MetricsRegistry, type Random, UserError } from '#base';
import type { RequestInfo } from '../filters/request-info.ts';
import type { ServerRequest } from '../http/message.ts';
import { type AuditBackend, ignoringErrors, union } from './backends/backend.ts';
import { buffered } from './backends/buffered.ts';
import { logBackend, standardOutput } from './backends/log.ts';
import { ensureLogFile, LogFile } from './backends/log-file.ts';
import { truncating } from './backends/truncate.ts';
import { webhookBackend } from './backends/webhook.ts';
import { type AuditMetrics, auditMetrics } from './metrics.ts';
import type { AuditLogOptions, AuditOptions, AuditWebhookOptions, BackendOptions } from './options.ts';
import { policyEvaluator } from './policy.ts';
import { RequestAudit } from './request-audit.ts';

export interface AuditorDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: MetricsRegistry;
}

export interface Auditor {
  /** A request has come. */
  begin(request: ServerRequest, info: RequestInfo, id: string): RequestAudit;
  /** Resolves when everything that was told is with the back ends. */
  stop(): Promise<void>;
}

/** Undefined: nothing is to be recorded. Throws a UserError for a file that cannot be written or read. */
export function createAuditor(options: AuditOptions | undefined, deps: AuditorDeps): Auditor | undefined {
  const metrics = auditMetrics(deps.metrics, deps.logger);
  if (!options) return undefined;
  const backends = [
    ...(options.log ? [logOf(options.log, deps, metrics)] : []),
    ...(options.webhook && options.policy ? [webhookOf(options.webhook, deps, metrics)] : []),
  ];
  if (!options.policy || backends.length === 0) return undefined;
  const backend = union(backends);
  deps.logger.info('using audit backend', { backend: backend.description });
  const requestDeps = {
    clock: deps.clock,
    logger: deps.logger,
    evaluate: policyEvaluator(options.policy),
    backend,
    metrics,
  };
  return {
    begin: (request, info, id) => new RequestAudit(requestDeps, request, info, id),
    stop: () => backend.stop(),
  };
}

function logOf(options: AuditLogOptions, deps: AuditorDeps, metrics: AuditMetrics): AuditBackend {
  const { path, maxSizeMb, format } = options;
  if (path === '-') return wrapped(logBackend(standardOutput(), format, metrics), options, deps, metrics);
  try {
    ensureLogFile(path);
  } catch (error) {
    throw new UserError(`ensureLogFile: ${(error as Error).message}`, { cause: error });
  }
  const file = new LogFile({ ...options, maxSizeBytes: maxSizeMb * 1024 * 1024 }, deps.clock);
  return wrapped(logBackend(file, format, metrics), options, deps, metrics);
}

function webhookOf(options: AuditWebhookOptions, deps: AuditorDeps, metrics: AuditMetrics): AuditBackend {
  const { configFile, initialBackoffMs } = options;
  try {
    return wrapped(webhookBackend({ configFile, initialBackoffMs }, { ...deps, metrics }), options, deps, metrics);
  } catch (error) {
    throw new UserError(`initializing audit webhook: ${(error as Error).message}`, { cause: error });
  }
}

/** What the mode and the size limits make of a back end. */
function wrapped(
  delegate: AuditBackend,
  { mode, batch, truncate }: BackendOptions,
  { clock }: AuditorDeps,
  metrics: AuditMetrics,
): AuditBackend {
  const byMode = {
    'blocking-strict': () => delegate,
    blocking: () => ignoringErrors(delegate),
    batch: () => buffered(delegate, batch, { clock, metrics }),
  };
  const moded = byMode[mode]();
  return truncate.enabled ? truncating(moded, truncate, metrics) : moded;
}
