/**
 * How many requests are in a phase at once: now, and at most within the last full second, which is what upstream's
 * gauges show. Upstream: apiserver pkg/server/filters/maxinflight.go (requestWatermark).
 */
import type { Clock, MetricsRegistry } from '#base';
import type { TimingRatioHistogram } from './histograms.ts';
import type { RequestKind } from './metrics.ts';

const windowMs = 1000;

/** One phase and kind. */
export class InFlight {
  readonly #clock: Clock;
  readonly #ratio: TimingRatioHistogram | undefined;
  #now = 0;
  /** Most since the window began; as upstream, what does not change within a window is not seen in it. */
  #most = 0;
  #mostBefore = 0;
  #windowBegan: number;

  constructor(clock: Clock, ratio?: TimingRatioHistogram) {
    this.#clock = clock;
    this.#ratio = ratio;
    this.#windowBegan = clock.monotonicMs();
  }

  get count(): number {
    return this.#now;
  }

  add(delta: number): void {
    const nowMs = this.#clock.monotonicMs();
    this.#roll(nowMs);
    this.#now += delta;
    if (this.#now > this.#most) this.#most = this.#now;
    this.#ratio?.set(this.#now, nowMs);
  }

  /** Of the last full window. */
  most(): number {
    this.#roll(this.#clock.monotonicMs());
    return this.#mostBefore;
  }

  #roll(nowMs: number): void {
    const windows = Math.floor((nowMs - this.#windowBegan) / windowMs);
    if (windows === 0) return;
    this.#mostBefore = windows === 1 ? this.#most : 0;
    this.#most = 0;
    this.#windowBegan += windows * windowMs;
  }
}

export type InFlightByKind = Readonly<Record<RequestKind, InFlight>>;

const readOnlyVerbs = new Set(['get', 'list', 'watch']);

export function requestKind(verb: string): RequestKind {
  return readOnlyVerbs.has(verb) ? 'readOnly' : 'mutating';
}

/** Registers the two gauges. */
export function registerInFlight(registry: MetricsRegistry, executing: InFlightByKind, waiting: InFlightByKind): void {
  const gauge = (name: string, help: string, phase: InFlightByKind): void =>
    registry.collected('gauge', name, help, sample => {
      sample(phase.mutating.most(), { request_kind: 'mutating' });
      sample(phase.readOnly.most(), { request_kind: 'readOnly' });
    });
  gauge(
    'apiserver_current_inflight_requests',
    '[STABLE] Maximal number of currently used inflight request limit of this apiserver per request kind in last second.',
    executing,
  );
  gauge(
    'apiserver_current_inqueue_requests',
    '[ALPHA] Maximal number of queued requests in this apiserver per request kind in last second.',
    waiting,
  );
}
