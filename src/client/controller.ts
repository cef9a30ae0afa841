/**
 * The loop that all controllers share: keys come from informers, `reconcile(key)` is level-triggered and idempotent.
 * Throwing means again later, a TerminalError means not again, `{ requeueAfterMs }` means again then.
 * Upstream: controller-runtime pkg/internal/controller/controller.go.
 */

import { isStatusError } from '#apimachinery';
import { type Activity, anySignal, type Clock, type Logger } from '#base';
import type { WorkQueueMetrics } from './metrics.ts';
import { createWorkQueue, type WorkQueue } from './work-queue.ts';

/** Thrown by a reconciler when trying again cannot help; logged once. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError';
}

export interface ReconcileResult {
  readonly requeueAfterMs?: number;
}

export interface ControllerDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly activity: Activity;
  readonly workQueues?: WorkQueueMetrics | undefined;
}

export interface ControllerOptions {
  /** As it stands in logs and metrics: upstream's name. */
  readonly name: string;
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<ReconcileResult | undefined> | Promise<void>;
  /** Keys worked on at a time; default 1. */
  readonly workers?: number;
}

export interface Controller extends AsyncDisposable {
  /** Informers' handlers put keys here. */
  readonly queue: WorkQueue;
  /** Starts the workers; call it when the informers are synced. */
  start(signal: AbortSignal): void;
}

/** A controller that does nothing until started. */
export function createController(deps: ControllerDeps, options: ControllerOptions): Controller {
  const queue = createWorkQueue({ ...deps, metrics: deps.workQueues?.queue(options.name) });
  const stop = new AbortController();
  const logger = deps.logger.with({ controller: options.name });
  const workers: Promise<void>[] = [];

  const work = async (signal: AbortSignal): Promise<void> => {
    for (;;) {
      const key = await queue.take();
      if (key === undefined) return;
      try {
        const result = await options.reconcile(key, signal);
        queue.forget(key);
        if (result?.requeueAfterMs !== undefined) queue.addAfter(key, result.requeueAfterMs);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof TerminalError) {
          queue.forget(key);
          logger.error('gave up', { key, error });
        } else {
          queue.addRateLimited(key);
          // A conflict is the ordinary fate of optimistic writes: the informer has not caught up yet.
          if (isStatusError(error, 'Conflict')) logger.debug('will try again', { key, error });
          else logger.warn('will try again', { key, failures: queue.failures(key), error });
        }
      } finally {
        queue.done(key);
      }
    }
  };
  return {
    queue,
    start(signal) {
      const all = anySignal(signal, stop.signal);
      all.addEventListener('abort', () => queue.close(), { once: true });
      for (let worker = 0; worker < (options.workers ?? 1); worker++) workers.push(work(all));
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      queue.close();
      await Promise.all(workers);
    },
  };
}
