/**
 * Makes the step of the request's way that limits how much is done at once, as the settings have it: priority and
 * fairness with its configuration, or plain limits. Upstream: apiserver pkg/server/config.go (DefaultBuildHandlerChain),
 * the post-start hooks of priority and fairness.
 */
import type { Clock, Logger, MetricsRegistry, Random } from '#base';
import type { Transport } from '#client';
import type { RequestInfo } from '../filters/request-info.ts';
import type { ServerRequest, ServerResponse } from '../http/message.ts';
import type { Caches } from '../registry/caches.ts';
import type { Scheme } from '../scheme/scheme.ts';
import type { BulkTurns } from './bulk-turns.ts';
import { ConfigConsumer } from './config-consumer.ts';
import { keepDefaults } from './config-producer.ts';
import { Configuration } from './configuration.ts';
import { DroppedRequests } from './dropped-requests.ts';
import { dump } from './dumps.ts';
import { type ConcurrencyFilter, priorityAndFairness } from './filter.ts';
import { FlowControl } from './flow-control.ts';
import { InFlight, type InFlightByKind, registerInFlight } from './in-flight.ts';
import { maxInFlight } from './max-in-flight.ts';
import { FlowControlMetrics, type Phase } from './metrics.ts';
import { FlowControlObjects, FlowControlWriter } from './objects.ts';
import type { FlowControlSettings } from './settings.ts';
import { WatchTracker } from './watch-tracker.ts';
import type { ObjectStats } from './work-estimate.ts';

export interface ConcurrencyDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: MetricsRegistry;
  readonly scheme: Scheme;
  readonly caches: Caches;
  readonly requestTimeoutMs: number;
  /** Shared with who makes lists. */
  readonly turns: BulkTurns;
}

export interface Concurrency {
  readonly filter: ConcurrencyFilter;
  /** Answers the debug paths. */
  dump(request: ServerRequest): ServerResponse | undefined;
  /** Makes the configuration objects of a fresh server and follows them; `loopback` acts as the server itself. */
  start(loopback: Transport, signal: AbortSignal): Promise<void>;
}

/** See the file header. Requests may come before {@link Concurrency.start}: the mandatory levels are there. */
export function concurrency(deps: ConcurrencyDeps, settings: FlowControlSettings): Concurrency {
  const { clock, caches, scheme, metrics: registry } = deps;
  const metrics = new FlowControlMetrics(registry, clock);
  const byKind = (phase: Phase): InFlightByKind => ({
    mutating: new InFlight(clock, metrics.readWrite(phase, 'mutating')),
    readOnly: new InFlight(clock, metrics.readWrite(phase, 'readOnly')),
  });
  const [executing, waiting] = [byKind('executing'), byKind('waiting')];
  registerInFlight(registry, executing, waiting);
  const objects = new FlowControlObjects(scheme, caches, clock);
  const produce = async (loopback: Transport, signal: AbortSignal): Promise<FlowControlWriter> => {
    const writer = new FlowControlWriter(loopback);
    await keepDefaults({ ...deps, objects, writer }, signal);
    return writer;
  };
  if (!settings.enabled) {
    const limits = { mutating: settings.maxWrites, readOnly: settings.maxReads };
    for (const kind of ['mutating', 'readOnly'] as const) {
      if (limits[kind] > 0) metrics.readWrite('executing', kind).setDenominator(limits[kind], clock.monotonicMs());
    }
    return {
      filter: maxInFlight(limits, executing),
      dump: () => undefined,
      start: async (loopback, signal) => void (await produce(loopback, signal)),
    };
  }
  const watches = new WatchTracker();
  const configuration = new Configuration(
    { ...deps, metrics, serverLimit: settings.maxReads + settings.maxWrites },
    (places, seats) => {
      const nowMs = clock.monotonicMs();
      for (const kind of ['mutating', 'readOnly'] as const) {
        metrics.readWrite('waiting', kind).setDenominator(Math.max(1, places), nowMs);
        metrics.readWrite('executing', kind).setDenominator(Math.max(1, seats), nowMs);
      }
    },
  );
  let consumer: ConfigConsumer | undefined;
  const flowControl = new FlowControl({
    clock,
    configuration,
    sources: { stats: statsOf(scheme, caches), watchCount: info => watches.interested(info) },
    reap: () => consumer?.changed(),
  });
  const dropped = new DroppedRequests(clock);
  const { requestTimeoutMs, turns } = deps;
  return {
    filter: priorityAndFairness({ clock, flowControl, watches, dropped, executing, waiting, turns, requestTimeoutMs }),
    dump: request => dump(request, configuration.levels, clock),
    async start(loopback, signal) {
      const writer = await produce(loopback, signal);
      consumer = new ConfigConsumer({ ...deps, objects, writer, configuration });
      await consumer.start(signal);
    },
  };
}

/** From the watch caches; of what nobody has read yet nothing is known. */
function statsOf(scheme: Scheme, caches: Caches): (info: RequestInfo) => ObjectStats | undefined {
  return ({ group, version, resource }) => {
    const served = scheme.find(group, version, resource);
    const cache = served && caches.of(served);
    if (!cache?.ready) return undefined;
    const { size, sizeBytes } = cache;
    return { count: size, averageBytes: size === 0 ? 0 : sizeBytes / size };
  };
}
