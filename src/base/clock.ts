/**
 * Time as an argument. Every component takes a {@link Clock}; the system clock is one implementation, the stepped
 * clock (stepped-clock.ts) the other. Nothing outside this layer may call Date.now, setTimeout or setInterval.
 */

/** A pending timer. Cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
}

/** Wall time, monotonic time and timers from one source, so that time can be stepped in tests. */
export interface Clock {
  /** Wall time in milliseconds since the Unix epoch; may jump. */
  now(): number;
  /** Monotonic time in milliseconds, fractional; only differences have a meaning. */
  monotonicMs(): number;
  /** Calls `fn` once after `delayMs` (clamped to 2^31-1). Does not keep the process alive. */
  setTimer(fn: () => void, delayMs: number): Timer;
  /** Calls `fn` every `periodMs`, first after one period, until cancelled. Does not keep the process alive. */
  setTicker(fn: () => void, periodMs: number): Timer;
  /** Resolves after `delayMs`; rejects with the signal's reason when `signal` aborts first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

const maxDelayMs = 2 ** 31 - 1;

/** The machine's own clock. */
export const systemClock: Clock = Object.freeze({
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer(fn: () => void, delayMs: number): Timer {
    const handle = setTimeout(fn, Math.min(Math.max(0, delayMs), maxDelayMs)).unref();
    return { cancel: () => clearTimeout(handle) };
  },
  setTicker(fn: () => void, periodMs: number): Timer {
    const handle = setInterval(fn, Math.min(periodMs, maxDelayMs)).unref();
    return { cancel: () => clearInterval(handle) };
  },
  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this as Clock, delayMs, signal);
  },
});

/** {@link Clock.sleep} in terms of {@link Clock.setTimer}; for implementations of Clock. */
export function sleepOn(clock: Pick<Clock, 'setTimer'>, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      timer.cancel();
      reject(signal!.reason);
    };
    const timer = clock.setTimer(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, delayMs);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
