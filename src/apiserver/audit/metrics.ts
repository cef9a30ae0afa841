/** What becomes of audit events, under upstream's names. Upstream: apiserver pkg/audit/metrics.go. */
import type { Logger, MetricsRegistry } from '#base';
import { type AuditEvent, type AuditLevel, auditLevels, legacyLine } from './event.ts';

export interface AuditMetrics {
  /** A request's level was decided. */
  level(level: AuditLevel): void;
  /** An event goes to the back ends. */
  event(): void;
  /** A request was refused because it could not be recorded. */
  rejected(): void;
  /** Events that a back end could not keep; they are told to the log, so that they are not lost altogether. */
  failed(plugin: string, error: unknown, events: readonly AuditEvent[]): void;
}

export function auditMetrics(registry: MetricsRegistry, logger: Logger): AuditMetrics {
  const events = registry.counter(
    'apiserver_audit_event_total',
    '[ALPHA] Counter of audit events generated and sent to the audit backend.',
  );
  const errors = registry.counter(
    'apiserver_audit_error_total',
    '[ALPHA] Counter of audit events that failed to be audited properly. Plugin identifies the plugin affected by the error.',
  );
  const levels = registry.counter(
    'apiserver_audit_level_total',
    '[ALPHA] Counter of policy levels for audit events (1 per request).',
  );
  const rejected = registry.counter(
    'apiserver_audit_requests_rejected_total',
    '[ALPHA] Counter of apiserver requests rejected due to an error in audit logging backend.',
  );
  events.inc(undefined, 0);
  rejected.inc(undefined, 0);
  const labels = new Map(auditLevels.map(level => [level, Object.freeze({ level })]));
  return {
    level: level => levels.inc(labels.get(level)),
    event: () => events.inc(),
    rejected: () => rejected.inc(),
    failed(plugin, error, impacted) {
      errors.inc({ plugin }, impacted.length);
      const reason = error instanceof Error ? error.message : String(error);
      logger.error('audit events could not be recorded', { plugin, reason, events: impacted.map(legacyLine) });
    },
  };
}
