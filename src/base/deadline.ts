/** A signal that ends with another, or when the time is up; then its reason is a TimeoutError. */
import type { Clock } from './clock.ts';

export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
}

export function deadline(clock: Clock, ms: number, other?: AbortSignal): Deadline {
  const stop = new AbortController();
  const timer = clock.setTimer(() => stop.abort(new DOMException('the time is up', 'TimeoutError')), ms);
  const follow = (): void => stop.abort(other?.reason);
  if (other?.aborted) follow();
  else other?.addEventListener('abort', follow, { once: true });
  return {
    signal: stop.signal,
    [Symbol.dispose]() {
      timer.cancel();
      other?.removeEventListener('abort', follow);
    },
  };
}
