/** Watches of the official client as events that a test asks for one after another. */
import assert from 'node:assert/strict';
import { type KubeConfig, Watch } from '@kubernetes/client-node';

export interface WatchEvent {
  readonly type: string;
  readonly object: any;
}

export interface Watching extends Disposable {
  /** All events until now. */
  readonly seen: readonly WatchEvent[];
  /** The next event, which must be of this type. */
  next(type: string): Promise<any>;
  /** The next event of this type that `wanted` is true of; those before it are passed over. */
  until(type: string, wanted?: (object: any) => boolean): Promise<any>;
}

const patienceMs = 15_000;

/** Resolves when the request is on its way; name a resourceVersion in `query` to miss nothing after it. */
export async function openWatch(
  config: KubeConfig,
  path: string,
  query: Readonly<Record<string, string>>,
): Promise<Watching> {
  const seen: WatchEvent[] = [];
  let taken = 0;
  let wake: (() => void) | undefined;
  let ended: unknown;
  const abort = await new Watch(config).watch(
    path,
    query,
    (type, object) => {
      seen.push({ type, object });
      wake?.();
    },
    error => {
      ended = error ?? new Error('the watch was closed');
      wake?.();
    },
  );
  const take = async (what: string): Promise<WatchEvent> => {
    const deadline = performance.now() + patienceMs;
    while (taken >= seen.length) {
      if (ended) throw ended;
      const left = deadline - performance.now();
      assert.ok(left > 0, `no ${what} event; seen: ${seen.map(event => event.type).join(' ')}`);
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, left);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return seen[taken++]!;
  };
  return {
    seen,
    async next(type) {
      const event = await take(type);
      assert.equal(event.type, type, JSON.stringify(event.object).slice(0, 300));
      return event.object;
    },
    async until(type, wanted = () => true) {
      for (;;) {
        const event = await take(type);
        if (event.type === type && wanted(event.object)) return event.object;
      }
    },
    [Symbol.dispose]: () => abort.abort(),
  };
}
