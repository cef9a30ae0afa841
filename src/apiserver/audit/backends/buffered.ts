/**
 * Events gathered into batches behind the requests' backs. A batch goes out when it is full, or when the time is over
 * since the one before; a full buffer loses what comes. Upstream: apiserver plugin/pkg/audit/buffered.
 *
 * Batches leave one after another, no faster than the throttle lets them; with `isAsync` the next does not wait for the
 * back end to be done with the one before.
 *
 * Deviation: stopping waits ten seconds for a back end that does not answer; upstream waits as long as it is let.
 */
import { type Clock, type Timer, TokenBucket } from '#base';
import type { AuditEvent } from '../event.ts';
import type { AuditMetrics } from '../metrics.ts';
import type { AuditBackend } from './backend.ts';

export interface BatchOptions {
  readonly bufferSize: number;
  readonly maxBatchSize: number;
  readonly maxBatchWaitMs: number;
  readonly throttle: { readonly qps: number; readonly burst: number } | undefined;
  readonly isAsync: boolean;
}

export interface BufferedDeps {
  readonly clock: Clock;
  readonly metrics: AuditMetrics;
}

export function buffered(delegate: AuditBackend, options: BatchOptions, deps: BufferedDeps): AuditBackend {
  const buffer = new EventBuffer(delegate, options, deps);
  return {
    description: `buffered<${delegate.description}>`,
    process(events) {
      buffer.add(events);
      return true;
    },
    async stop() {
      await buffer.stop();
      await delegate.stop();
    },
  };
}

/** How long stopping waits. */
const stopMs = 10_000;

class EventBuffer {
  readonly #delegate: AuditBackend;
  readonly #options: BatchOptions;
  readonly #deps: BufferedDeps;
  readonly #bucket: TokenBucket | undefined;
  readonly #queue: AuditEvent[] = [];
  readonly #running = new Set<Promise<unknown>>();
  #pump: Promise<void> | undefined;
  #timer: Timer | undefined;
  #isDue = false;
  #isStopped = false;

  constructor(delegate: AuditBackend, options: BatchOptions, deps: BufferedDeps) {
    this.#delegate = delegate;
    this.#options = options;
    this.#deps = deps;
    this.#bucket = options.throttle && new TokenBucket(options.throttle, deps.clock);
  }

  add(events: readonly AuditEvent[]): void {
    const { bufferSize } = this.#options;
    const free = this.#isStopped ? 0 : bufferSize - this.#queue.length;
    for (const event of events.slice(0, free)) this.#queue.push(event);
    this.#lose(this.#isStopped ? 'audit backend shut down' : 'audit buffer queue blocked', events.slice(free));
    this.#wake();
  }

  #lose(why: string, events: readonly AuditEvent[]): void {
    if (events.length > 0) this.#deps.metrics.failed('buffered', why, events);
  }

  /** All that was taken has been handed on, and the back end is done with it, or has had its time. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wake();
    const settled = new AbortController();
    const late = this.#deps.clock.sleep(stopMs, settled.signal).then(
      () => this.#lose('audit backend shut down', this.#queue.splice(0)),
      () => {},
    );
    await Promise.race([this.#drained(), late]);
    settled.abort();
  }

  async #drained(): Promise<void> {
    await this.#pump;
    await Promise.all(this.#running);
  }

  #wake(): void {
    if (this.#pump) return;
    if (this.#hasBatch()) {
      this.#pump = this.#send().finally(() => {
        this.#pump = undefined;
        this.#wake();
      });
    } else if (this.#queue.length > 0)
      this.#timer ??= this.#deps.clock.setTimer(this.#due, this.#options.maxBatchWaitMs);
  }

  readonly #due = (): void => {
    this.#timer = undefined;
    this.#isDue = true;
    this.#wake();
  };

  #hasBatch(): boolean {
    const { length } = this.#queue;
    return length >= this.#options.maxBatchSize || (length > 0 && (this.#isDue || this.#isStopped));
  }

  async #send(): Promise<void> {
    // Behind whatever the requests that fill the buffer are doing.
    await undefined;
    while (this.#hasBatch()) {
      const batch = this.#queue.splice(0, this.#options.maxBatchSize);
      this.#isDue = false;
      this.#timer?.cancel();
      this.#timer = undefined;
      await this.#bucket?.take();
      const running = Promise.resolve(this.#delegate.process(batch));
      if (!this.#options.isAsync) await running;
      else {
        this.#running.add(running);
        void running.finally(() => this.#running.delete(running));
      }
    }
  }
}
