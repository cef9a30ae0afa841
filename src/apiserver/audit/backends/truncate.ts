/** Large events without their objects, large batches in parts. Upstream: apiserver plugin/pkg/audit/truncate. */
import { type AuditEvent, isAtLeast } from '../event.ts';
import type { AuditMetrics } from '../metrics.ts';
import type { AuditBackend } from './backend.ts';

export interface TruncateOptions {
  readonly enabled: boolean;
  readonly maxEventSizeBytes: number;
  readonly maxBatchSizeBytes: number;
}

export function truncating(delegate: AuditBackend, options: TruncateOptions, metrics: AuditMetrics): AuditBackend {
  const { maxEventSizeBytes, maxBatchSizeBytes } = options;
  return {
    description: `truncate<${delegate.description}>`,
    process(events) {
      const fitting: AuditEvent[] = [];
      const impacted: AuditEvent[] = [];
      for (const event of events) {
        const cut = event.sizeBytes > maxEventSizeBytes && isAtLeast(event.fields.level, 'Request');
        const settled = cut ? event.truncated() : event;
        (settled.sizeBytes > maxEventSizeBytes ? impacted : fitting).push(settled);
      }
      const answers = batches(fitting, maxBatchSizeBytes).map(batch => delegate.process(batch));
      if (impacted.length > 0) metrics.failed('truncate', 'event is too large even after truncating', impacted);
      if (answers.every(each => typeof each === 'boolean')) return answers.every(Boolean);
      return Promise.all(answers).then(all => all.every(Boolean));
    },
    stop: () => delegate.stop(),
  };
}

function batches(events: readonly AuditEvent[], maxBytes: number): AuditEvent[][] {
  const all: AuditEvent[][] = [];
  let size = 0;
  for (const event of events) {
    const last = all.at(-1);
    if (!last || size + event.sizeBytes > maxBytes) {
      all.push([event]);
      size = event.sizeBytes;
    } else {
      last.push(event);
      size += event.sizeBytes;
    }
  }
  return all;
}
