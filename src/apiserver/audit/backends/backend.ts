/** Where audit events go. Upstream: apiserver pkg/audit/{types,union}.go. */
import type { AuditEvent } from '../event.ts';

export interface AuditBackend {
  /** As upstream's log shows it: `buffered<webhook>`. */
  readonly description: string;
  /** False: they are not recorded, and the request that they tell of should not be served. Never rejects. */
  process(events: readonly AuditEvent[]): boolean | Promise<boolean>;
  /** Takes no more, and resolves when all that was taken is handed on. */
  stop(): Promise<void>;
}

/** All of them, one after another. */
export function union(backends: readonly AuditBackend[]): AuditBackend {
  if (backends.length === 1) return backends[0]!;
  return {
    description: `union[${backends.map(each => each.description).join(',')}]`,
    process(events) {
      const answers = backends.map(each => each.process(events));
      if (answers.every(each => typeof each === 'boolean')) return answers.every(Boolean);
      return Promise.all(answers).then(all => all.every(Boolean));
    },
    async stop() {
      for (const each of backends) await each.stop();
    },
  };
}

/** Failures are counted, and the request goes on. Mode `blocking`. */
export function ignoringErrors(delegate: AuditBackend): AuditBackend {
  return {
    description: `ignoreErrors<${delegate.description}>`,
    process(events) {
      const answer = delegate.process(events);
      return typeof answer === 'boolean' ? true : answer.then(() => true);
    },
    stop: () => delegate.stop(),
  };
}
