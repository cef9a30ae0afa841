/** Ordered start, reverse and bounded stop, of a list that a reader can see. */
import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';

/** One part of a process. `start` resolves when the part is ready to be used by the next one. */
export interface Component {
  readonly name: string;
  start(signal: AbortSignal): Promise<AsyncDisposable | undefined>;
  /** How long it may take to stop; absent: as long as the others. */
  readonly stopTimeoutMs?: number;
}

/** A started list; disposing stops it in reverse. */
export interface Running extends AsyncDisposable {
  /** Milliseconds that each component took to be ready, in order. */
  readonly startedMs: ReadonlyArray<{ name: string; ms: number }>;
}

/**
 * Starts `components` one after another. If one fails, those before it are stopped and its error is thrown.
 * Stopping is idempotent; a component that does not stop within `stopTimeoutMs` is logged and left behind.
 */
export async function startAll(
  components: readonly Component[],
  options: { clock: Clock; logger: Logger; signal: AbortSignal; stopTimeoutMs?: number },
): Promise<Running> {
  const { clock, logger, signal, stopTimeoutMs = 10_000 } = options;
  const started: Array<{ name: string; handle: AsyncDisposable; limitMs: number }> = [];
  const startedMs: Array<{ name: string; ms: number }> = [];
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    for (const { name, handle, limitMs } of started.reverse()) {
      try {
        await bounded(clock, limitMs, handle[Symbol.asyncDispose]());
      } catch (cause) {
        logger.error('component did not stop cleanly', { component: name, error: cause });
      }
    }
  };
  try {
    for (const component of components) {
      signal.throwIfAborted();
      const begin = clock.monotonicMs();
      const handle = await component.start(signal);
      startedMs.push({ name: component.name, ms: clock.monotonicMs() - begin });
      const limitMs = component.stopTimeoutMs ?? stopTimeoutMs;
      if (handle) started.push({ name: component.name, handle, limitMs });
    }
  } catch (cause) {
    await stop();
    throw cause;
  }
  return { startedMs, [Symbol.asyncDispose]: () => (stopping ??= stop()) };
}

async function bounded(clock: Clock, timeoutMs: number, work: PromiseLike<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = clock.setTimer(() => reject(new Error(`not stopped after ${timeoutMs} ms`)), timeoutMs);
  try {
    await Promise.race([work, promise]);
  } finally {
    timer.cancel();
  }
}
