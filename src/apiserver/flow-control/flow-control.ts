/**
 * Finds a request its schema and level, estimates its work, and lets it wait for seats. Upstream: apiserver
 * pkg/util/flowcontrol/apf_filter.go.
 */
import type { Clock } from '#base';
import type { RequestInfo } from '../filters/request-info.ts';
import type { Query } from '../http/message.ts';
import type { ActiveSchema, Configuration } from './configuration.ts';
import type { RequestDigest } from './matching.ts';
import type { Ticket } from './queue-set.ts';
import { estimateWork, type WorkSources, withoutLatency } from './work-estimate.ts';

export interface Classified {
  readonly schema: ActiveSchema;
  /** Undefined: refused. */
  readonly ticket: Ticket | undefined;
}

export interface FlowControlDeps {
  readonly clock: Clock;
  readonly configuration: Configuration;
  readonly sources: WorkSources;
  /** Told when a level that is no longer wanted has no requests any more. */
  readonly reap: () => void;
}

export interface WaitOptions {
  /** From the request's arrival. */
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

export class FlowControl {
  readonly #deps: FlowControlDeps;

  constructor(deps: FlowControlDeps) {
    this.#deps = deps;
  }

  /** Which schema speaks of the request; the last one, catch-all's, when none does. */
  classify(digest: RequestDigest): ActiveSchema {
    const { schemas } = this.#deps.configuration;
    for (const schema of schemas) if (schema.matches(digest)) return schema;
    return schemas.find(({ name }) => name === 'catch-all')!;
  }

  /**
   * Takes the request into its level. `lingers`: a write that wakes many watches holds seats beyond its end.
   */
  start(digest: RequestDigest, { query, lingers }: { query: Query; lingers: boolean }): Classified {
    const schema = this.classify(digest);
    const { level } = schema;
    const flow = schema.flow(digest);
    const { metrics } = flow;
    const estimate = estimateWork(this.#deps.sources, digest.info, query, level.maxSeats, count =>
      metrics.watchCount.observe(count),
    );
    const work = lingers || estimate.finalSeats === 0 ? estimate : withoutLatency(estimate);
    metrics.estimatedSeats.observe(Math.max(work.initialSeats, work.finalSeats));
    const ticket = level.queues.start({ flow, work, about: digest });
    if (!ticket) {
      if (!level.isExempt) metrics.waitedInVain.observe(0);
      this.#maybeReap(schema);
    }
    return { schema, ticket };
  }

  /** Resolves with whether the request may go on; at once when it need not wait. */
  wait({ schema, ticket }: Classified & { readonly ticket: Ticket }, options: WaitOptions): Promise<boolean> {
    const { clock } = this.#deps;
    const { queues } = schema.level;
    return new Promise(resolve => {
      const cancel = (): void => {
        queues.cancel(ticket);
        ended(false);
      };
      const timer = clock.setTimer(cancel, options.limitMs);
      const ended = (mayGoOn: boolean): void => {
        timer.cancel();
        options.signal.removeEventListener('abort', cancel);
        if (!mayGoOn) {
          ticket.flow.metrics.waitedInVain.observe((clock.monotonicMs() - ticket.arrivedAtMs) / 1000);
          this.#maybeReap(schema);
        }
        resolve(mayGoOn);
      };
      if (options.signal.aborted) return cancel();
      options.signal.addEventListener('abort', cancel, { once: true });
      ticket.dispatched = () => ended(true);
    });
  }

  /** Notes that the request goes on; to be called once, before {@link finished}. */
  began({ schema, ticket }: Classified & { readonly ticket: Ticket }): void {
    const { metrics } = ticket.flow;
    metrics.dispatched++;
    if (!schema.level.isExempt) metrics.waitedToExecute.observe((ticket.startedAtMs - ticket.arrivedAtMs) / 1000);
  }

  /** Gives the seats back. */
  finished({ schema, ticket }: Classified & { readonly ticket: Ticket }, info: RequestInfo): void {
    if (ticket.state !== 'executing') return;
    const { metrics } = ticket.flow;
    const histogram = info.verb === 'watch' ? metrics.watchExecution : metrics.execution;
    schema.level.queues.finish(ticket);
    histogram.observe((this.#deps.clock.monotonicMs() - ticket.startedAtMs) / 1000);
    this.#maybeReap(schema);
  }

  #maybeReap({ level }: ActiveSchema): void {
    if (level.quiescing && level.queues.isIdle) this.#deps.reap();
  }
}
