/**
 * Events posted as an EventList to what a kubeconfig names. Whatever goes wrong is tried again, five times in all:
 * hardly anything is a reason not to. Upstream: apiserver plugin/pkg/audit/webhook/webhook.go.
 */
import type { Clock, Random } from '#base';
import { kubeconfigWebhook, withRetries } from '../../webhook/kubeconfig-client.ts';
import { eventList } from '../event.ts';
import type { AuditMetrics } from '../metrics.ts';
import type { AuditBackend } from './backend.ts';

/** Upstream's for all webhooks. */
const timeoutMs = 30_000;

export interface WebhookBackendOptions {
  readonly configFile: string;
  /** Before the second attempt; each further pause is half as long again. */
  readonly initialBackoffMs: number;
}

export interface WebhookBackendDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: AuditMetrics;
}

/** Reads the kubeconfig. Throws a UserError. */
export function webhookBackend(options: WebhookBackendOptions, deps: WebhookBackendDeps): AuditBackend {
  const { clock, random, metrics } = deps;
  const webhook = kubeconfigWebhook({ path: options.configFile, clock, timeoutMs });
  const retry = { clock, random, firstPauseMs: options.initialBackoffMs, always: true };
  return {
    description: 'webhook',
    async process(events) {
      const body = eventList(events);
      try {
        await withRetries(retry, () => webhook.deliver(body));
        return true;
      } catch (error) {
        metrics.failed('webhook', error, events);
        return false;
      }
    },
    async stop() {
      webhook[Symbol.dispose]();
    },
  };
}
