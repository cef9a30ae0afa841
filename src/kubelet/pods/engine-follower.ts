/**
 * Turns the engine's events into looks at pods, and lists everything now and then in case an event was missed.
 * Upstream: pkg/kubelet/pleg/{generic,evented}.go.
 */
import type { Clock, Logger } from '#base';
import type { ContainerEngine } from '#cri';
import { podUidLabel } from '../runtime/labels.ts';

export interface EngineListener {
  /** Something about the pod's containers changed. */
  engineChanged(podUid: string): void;
  /** All uids that the engine knows. */
  engineListed(podUids: ReadonlySet<string>): void;
}

const reconnectMs = 1000;

/** Runs until the signal aborts. */
export async function followEngine(
  deps: {
    readonly engine: ContainerEngine;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly relistPeriodMs: number;
  },
  listener: EngineListener,
  signal: AbortSignal,
): Promise<void> {
  const { engine, clock, logger } = deps;
  const relist = (): void => {
    void engine.runtime
      .listPodSandboxes()
      .then(list =>
        listener.engineListed(new Set(list.map(({ labels, metadata }) => labels[podUidLabel] ?? metadata.uid))),
      )
      .catch(error => logger.warn('engine was not listed', { error }));
  };
  const ticker = clock.setTicker(relist, deps.relistPeriodMs);
  signal.addEventListener('abort', () => ticker.cancel(), { once: true });
  while (!signal.aborted) {
    try {
      for await (const event of engine.runtime.events(signal)) if (event.podUid) listener.engineChanged(event.podUid);
    } catch (error) {
      if (signal.aborted) return;
      logger.warn('engine events broke off', { error });
    }
    if (signal.aborted) return;
    await clock.sleep(reconnectMs, signal).catch(() => {});
    relist();
  }
}
