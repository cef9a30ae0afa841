/**
 * Where a slow request spent its time, as annotations of its event. Upstream: apiserver
 * pkg/endpoints/request/webhook_duration.go, pkg/endpoints/filters/audit.go writeLatencyToAnnotation.
 *
 * Deviation: the moments of decoding, transforming, serializing and writing an answer are not told apart.
 */
import { formatGoDuration } from '#apimachinery';

/** Layers, and whether the parts of one add up or run beside each other. */
const layers = {
  'apf-queue-wait': 'max',
  authentication: 'sum',
  authorization: 'max',
  etcd: 'sum',
  impersonation: 'sum',
  'mutating-webhook': 'sum',
  'validating-webhook': 'max',
} as const;

export type LatencyLayer = keyof typeof layers;

/** Faster requests say nothing of their time. */
const thresholdMs = 500;
/** Below this nobody stood in a queue. */
const shortestWaitMs = 1;
const prefix = 'apiserver.latency.k8s.io/';

export class Latencies {
  readonly #spentMs = new Map<LatencyLayer, number>();

  track(layer: LatencyLayer, ms: number): void {
    const before = this.#spentMs.get(layer) ?? 0;
    this.#spentMs.set(layer, layers[layer] === 'sum' ? before + ms : Math.max(before, ms));
  }

  /** Empty for a request that was not slow. */
  annotations(totalMs: number): Array<readonly [key: string, value: string]> {
    if (totalMs <= thresholdMs) return [];
    const spent = [...this.#spentMs].filter(([layer, ms]) => ms > (layer === 'apf-queue-wait' ? shortestWaitMs : 0));
    return [...spent, ['total', totalMs] as const].map(([layer, ms]) => [prefix + layer, durationText(ms)] as const);
  }
}

function durationText(ms: number): string {
  return formatGoDuration(BigInt(Math.round(ms * 1e6)));
}
