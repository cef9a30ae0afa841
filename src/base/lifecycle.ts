/** Ordered start, reverse and bounded stop, of a list that a reader can see. */
import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';

/** One part of a process. `start` resolves when the part is ready to be used by the next one. */
export interface Component {
  readonly name: string;
  start(signal: AbortSignal): Promise<AsyncDisposable | undefined>;
  /** The next one starts after so long, ready or not; absent: it is waited for. */
  readonly patienceMs?: number;
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
      const handle = await startOne(component, options);
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

type StartOptions = Pick<Parameters<typeof startAll>[1], 'clock' | 'logger' | 'signal'>;

/** Resolves when the component is ready, or has had its time; then it stops what comes of its start. */
async function startOne(
  component: Component,
  { clock, logger, signal }: StartOptions,
): Promise<AsyncDisposable | undefined> {
  const { name, patienceMs } = component;
  if (patienceMs === undefined) return component.start(signal);
  const leaving = new AbortController();
  const starting = component.start(AbortSignal.any([signal, leaving.signal]));
  const late = Promise.withResolvers<undefined>();
  const timer = clock.setTimer(() => late.resolve(undefined), patienceMs);
  const isReady = await Promise.race([starting.then(() => true), late.promise]).finally(() => timer.cancel());
  if (isReady) return starting;
  logger.warn('a component is not ready yet, what comes after it starts meanwhile', { component: name });
  const unlessStopped = (tell: () => void): void => {
    if (!leaving.signal.aborted && !signal.aborted) tell();
  };
  starting.then(
    () => unlessStopped(() => logger.info('the component is ready', { component: name })),
    error => unlessStopped(() => logger.error('component failed', { component: name, error })),
  );
  return {
    async [Symbol.asyncDispose]() {
      leaving.abort(new Error('the component stops'));
      const handle = await starting.catch(() => undefined);
      await handle?.[Symbol.asyncDispose]();
    },
  };
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
