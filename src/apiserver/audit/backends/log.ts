/**
 * Events as lines of a file or of the standard output. Upstream: apiserver plugin/pkg/audit/log/backend.go.
 *
 * A line is handed to the system before anything else happens, in the order of events: what was answered is in the log,
 * whatever becomes of this process afterwards.
 */
import { type AuditEvent, legacyLine } from '../event.ts';
import type { AuditMetrics } from '../metrics.ts';
import type { AuditBackend } from './backend.ts';

export const logFormats = ['legacy', 'json'] as const;
export type LogFormat = (typeof logFormats)[number];

export interface LineWriter {
  /** Throws when it cannot be kept. */
  write(line: Uint8Array): void;
  close(): Promise<void>;
}

export function logBackend(out: LineWriter, format: LogFormat, metrics: AuditMetrics): AuditBackend {
  const lineOf = (event: AuditEvent): string => (format === 'legacy' ? legacyLine(event) : event.json);
  const log = (event: AuditEvent): boolean => {
    try {
      out.write(Buffer.from(`${lineOf(event)}\n`));
      return true;
    } catch (error) {
      metrics.failed('log', error, [event]);
      return false;
    }
  };
  return {
    description: 'log',
    process: events => events.map(log).every(Boolean),
    stop: () => out.close(),
  };
}

/** The process's own output. */
export function standardOutput(): LineWriter {
  return {
    write: line => void process.stdout.write(line),
    close: async () => {},
  };
}
