/**
 * What priority and fairness counts, under upstream's names. The counts are plain fields beside what they count, for
 * there are a dozen of them a request, and become lines when they are asked for. Upstream: apiserver
 * pkg/util/flowcontrol/metrics/metrics.go.
 */
import type { Clock, Labels, MetricsRegistry, Sample } from '#base';
import { Histogram, TimingRatioHistogram } from './histograms.ts';

const queueLengthBuckets = [0, 10, 25, 50, 100, 250, 500, 1000];
const secondsBuckets = [0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30];
const watchCountBuckets = [0, 1, 10, 100, 1000, 10_000];
const seatsBuckets = [1, 2, 4, 8, 16, 32, 64, 100];
const utilizationBuckets = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1];
const requestsBuckets = [0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.25, 0.5, 0.75, 1];
const readWriteBuckets = [0, 0.001, 0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1];
const demandBuckets = [0.2, 0.4, 0.6, 0.8, 1, 1.2, 1.4, 1.7, 2, 2.8, 4, 6];

export type RejectReason = 'queue-full' | 'concurrency-limit' | 'time-out';
export type RequestKind = 'mutating' | 'readOnly';
export type Phase = 'waiting' | 'executing';

/** Counts of the requests that one schema sent to one level. */
export class FlowMetrics {
  readonly labels: Labels;
  readonly rejected: Map<RejectReason, number> = new Map<RejectReason, number>();
  dispatched = 0;
  noAccommodation = 0;
  /** A request has stood in a queue, so the gauges of queues mean something. */
  hasQueued = false;
  queuedRequests = 0;
  queuedSeats = 0;
  hasExecuted = false;
  executingRequests = 0;
  executingSeats = 0;
  readonly queueLength: Histogram = new Histogram(queueLengthBuckets);
  readonly waitedToExecute: Histogram = new Histogram(secondsBuckets);
  readonly waitedInVain: Histogram = new Histogram(secondsBuckets);
  readonly execution: Histogram = new Histogram(secondsBuckets);
  readonly watchExecution: Histogram = new Histogram(secondsBuckets);
  readonly watchCount: Histogram = new Histogram(watchCountBuckets);
  readonly estimatedSeats: Histogram = new Histogram(seatsBuckets);

  constructor(level: string, schema: string) {
    this.labels = Object.freeze({ flow_schema: schema, priority_level: level });
  }

  reject(reason: RejectReason): void {
    this.rejected.set(reason, (this.rejected.get(reason) ?? 0) + 1);
  }
}

/** The state of one level. */
export class LevelMetrics {
  readonly labels: Labels;
  nominalLimit = 0;
  lowerLimit = 0;
  upperLimit = 0;
  currentLimit = 0;
  highWatermark = 0;
  average = 0;
  deviation = 0;
  smoothed = 0;
  target = 0;
  currentR = 0;
  /** Of the last dispatch from a queue, in seat-seconds; absent before the first. */
  dispatch: DispatchReadings | undefined;
  epochAdvances = 0;
  readonly waiting: TimingRatioHistogram;
  readonly executing: TimingRatioHistogram;
  readonly seats: TimingRatioHistogram;
  readonly demand: TimingRatioHistogram;

  constructor(level: string, nowMs: number) {
    this.labels = Object.freeze({ priority_level: level });
    this.waiting = new TimingRatioHistogram(requestsBuckets, nowMs);
    this.executing = new TimingRatioHistogram(requestsBuckets, nowMs);
    this.seats = new TimingRatioHistogram(utilizationBuckets, nowMs);
    this.demand = new TimingRatioHistogram(demandBuckets, nowMs);
  }
}

export interface DispatchReadings {
  readonly r: number;
  readonly s: number;
  readonly min: number;
  readonly max: number;
  readonly discountedMin: number;
  readonly discountedMax: number;
}

/** All of a server. */
export class FlowControlMetrics {
  readonly #clock: Clock;
  readonly #levels = new Map<string, LevelMetrics>();
  readonly #flows = new Map<string, FlowMetrics>();
  readonly #readWrite: ReadonlyMap<string, TimingRatioHistogram>;
  /** Of the last adjustment of limits. */
  fairFraction = 0;

  constructor(registry: MetricsRegistry, clock: Clock) {
    this.#clock = clock;
    const nowMs = clock.monotonicMs();
    const pairs = ['executing/mutating', 'executing/readOnly', 'waiting/mutating', 'waiting/readOnly'];
    this.#readWrite = new Map(pairs.map(pair => [pair, new TimingRatioHistogram(readWriteBuckets, nowMs)]));
    this.#registerFlows(registry);
    this.#registerLevels(registry);
    this.#registerRatios(registry);
  }

  level(name: string): LevelMetrics {
    let found = this.#levels.get(name);
    if (!found) this.#levels.set(name, (found = new LevelMetrics(name, this.#clock.monotonicMs())));
    return found;
  }

  flow(level: string, schema: string): FlowMetrics {
    const key = `${level}\0${schema}`;
    let found = this.#flows.get(key);
    if (!found) this.#flows.set(key, (found = new FlowMetrics(level, schema)));
    return found;
  }

  readWrite(phase: Phase, kind: RequestKind): TimingRatioHistogram {
    return this.#readWrite.get(`${phase}/${kind}`)!;
  }

  #registerFlows(registry: MetricsRegistry): void {
    const each = (
      type: 'counter' | 'gauge',
      name: string,
      help: string,
      read: (flow: FlowMetrics) => number | undefined,
    ): void =>
      registry.collected(type, `apiserver_flowcontrol_${name}`, help, sample => {
        for (const flow of this.#flows.values()) {
          const value = read(flow);
          if (value !== undefined) sample(value, flow.labels);
        }
      });
    const histograms = (
      name: string,
      help: string,
      read: (flow: FlowMetrics) => ReadonlyArray<readonly [Histogram, Labels?]>,
    ): void =>
      registry.collected('histogram', `apiserver_flowcontrol_${name}`, help, sample => {
        for (const flow of this.#flows.values()) {
          for (const [histogram, more] of read(flow)) {
            if (histogram.count > 0) histogram.collect(sample, { ...flow.labels, ...more });
          }
        }
      });
    registry.collected(
      'counter',
      'apiserver_flowcontrol_rejected_requests_total',
      '[BETA] Number of requests rejected by API Priority and Fairness subsystem',
      sample => {
        for (const { rejected, labels } of this.#flows.values()) {
          for (const [reason, count] of rejected) sample(count, { ...labels, reason });
        }
      },
    );
    each(
      'counter',
      'dispatched_requests_total',
      '[BETA] Number of requests executed by API Priority and Fairness subsystem',
      ({ dispatched }) => dispatched || undefined,
    );
    each(
      'counter',
      'request_dispatch_no_accommodation_total',
      '[ALPHA] Number of times a dispatch attempt resulted in a non accommodation due to lack of available seats',
      ({ noAccommodation }) => noAccommodation || undefined,
    );
    const queued = 'currently pending in queues of the API Priority and Fairness subsystem';
    each('gauge', 'current_inqueue_requests', `[BETA] Number of requests ${queued}`, flow =>
      flow.hasQueued ? flow.queuedRequests : undefined,
    );
    each('gauge', 'current_inqueue_seats', `[ALPHA] Number of seats ${queued}`, flow =>
      flow.hasQueued ? flow.queuedSeats : undefined,
    );
    each(
      'gauge',
      'current_executing_requests',
      '[BETA] Number of requests in initial (for a WATCH) or any (for a non-WATCH) execution stage in the API Priority and Fairness subsystem',
      flow => (flow.hasExecuted ? flow.executingRequests : undefined),
    );
    const inUse =
      'Concurrency (number of seats) occupied by the currently executing (initial stage for a WATCH, any stage otherwise) requests in the API Priority and Fairness subsystem';
    const seats = (flow: FlowMetrics): number | undefined => (flow.hasExecuted ? flow.executingSeats : undefined);
    each('gauge', 'current_executing_seats', `[BETA] ${inUse}`, seats);
    each('gauge', 'request_concurrency_in_use', `[ALPHA] ${inUse}`, seats);
    histograms(
      'request_queue_length_after_enqueue',
      '[ALPHA] Length of queue in the API Priority and Fairness subsystem, as seen by each request after it is enqueued',
      flow => [[flow.queueLength]],
    );
    histograms('request_wait_duration_seconds', '[BETA] Length of time a request spent waiting in its queue', flow => [
      [flow.waitedToExecute, { execute: 'true' }],
      [flow.waitedInVain, { execute: 'false' }],
    ]);
    histograms(
      'request_execution_seconds',
      '[ALPHA] Duration of initial stage (for a WATCH) or any (for a non-WATCH) stage of request execution in the API Priority and Fairness subsystem',
      flow => [
        [flow.execution, { type: 'regular' }],
        [flow.watchExecution, { type: 'watch' }],
      ],
    );
    histograms(
      'watch_count_samples',
      '[ALPHA] count of watchers for mutating requests in API Priority and Fairness',
      flow => [[flow.watchCount]],
    );
    histograms(
      'work_estimated_seats',
      '[ALPHA] Number of estimated seats (maximum of initial and final seats) associated with requests in API Priority and Fairness',
      flow => [[flow.estimatedSeats]],
    );
  }

  #registerLevels(registry: MetricsRegistry): void {
    const gauge = (name: string, help: string, read: (level: LevelMetrics) => number | undefined): void =>
      registry.collected('gauge', `apiserver_flowcontrol_${name}`, help, sample => {
        for (const level of this.#levels.values()) {
          const value = read(level);
          if (value !== undefined) sample(value, level.labels);
        }
      });
    const bounds = (name: string, help: string, read: (of: DispatchReadings) => readonly [number, number]): void =>
      registry.collected('gauge', `apiserver_flowcontrol_${name}`, help, sample => {
        for (const { dispatch, labels } of this.#levels.values()) {
          if (!dispatch) continue;
          const [min, max] = read(dispatch);
          sample(min, { bound: 'min', ...labels });
          sample(max, { bound: 'max', ...labels });
        }
      });
    const nominal = 'Nominal number of execution seats configured for each priority level';
    gauge('nominal_limit_seats', `[BETA] ${nominal}`, level => level.nominalLimit);
    gauge('request_concurrency_limit', `[ALPHA] ${nominal}`, level => level.nominalLimit);
    const bound = (which: string): string =>
      `[ALPHA] Configured ${which} bound on number of execution seats available to each priority level`;
    gauge('lower_limit_seats', bound('lower'), level => level.lowerLimit);
    gauge('upper_limit_seats', bound('upper'), level => level.upperLimit);
    gauge(
      'current_limit_seats',
      '[ALPHA] current derived number of execution seats available to each priority level',
      level => level.currentLimit,
    );
    const over = 'over last adjustment period, of demand_seats';
    gauge('demand_seats_high_watermark', `[ALPHA] High watermark, ${over}`, level => level.highWatermark);
    gauge('demand_seats_average', `[ALPHA] Time-weighted average, ${over}`, level => level.average);
    gauge('demand_seats_stdev', `[ALPHA] Time-weighted standard deviation, ${over}`, level => level.deviation);
    gauge('demand_seats_smoothed', '[ALPHA] Smoothed seat demands', level => level.smoothed);
    gauge('target_seats', '[ALPHA] Seat allocation targets', level => level.target);
    gauge('current_r', '[ALPHA] R(time of last change)', level => level.currentR);
    gauge('dispatch_r', '[ALPHA] R(time of last dispatch)', level => level.dispatch?.r);
    gauge('latest_s', '[ALPHA] S(most recently dispatched request)', level => level.dispatch?.s);
    const oldest = 'min and max, over queues, of S(oldest waiting request in queue)';
    bounds('next_s_bounds', `[ALPHA] ${oldest}`, ({ min, max }) => [min, max]);
    bounds(
      'next_discounted_s_bounds',
      `[ALPHA] ${oldest} - estimated work in progress`,
      ({ discountedMin, discountedMax }) => [discountedMin, discountedMax],
    );
    registry.collected(
      'counter',
      'apiserver_flowcontrol_epoch_advance_total',
      "[ALPHA] Number of times the queueset's progress meter jumped backward",
      sample => {
        for (const { epochAdvances, labels } of this.#levels.values()) {
          if (epochAdvances > 0) sample(epochAdvances, { ...labels, success: 'true' });
        }
      },
    );
    registry.gaugeFunction(
      'apiserver_flowcontrol_seat_fair_frac',
      "[ALPHA] Fair fraction of server's concurrency to allocate to each priority level that can use it",
      () => this.fairFraction,
    );
  }

  #registerRatios(registry: MetricsRegistry): void {
    const ratio = (name: string, help: string, collect: (sample: Sample, nowMs: number) => void): void => {
      const full = `EXPERIMENTAL: [ALPHA] Observations, at the end of every nanosecond, of ${help}`;
      registry.collected('histogram', `apiserver_flowcontrol_${name}`, full, sample =>
        collect(sample, this.#clock.monotonicMs()),
      );
    };
    ratio(
      'priority_level_seat_utilization',
      'utilization of seats for any stage of execution (but only initial stage for WATCHes)',
      (sample, nowMs) => {
        for (const { seats, labels } of this.#levels.values()) {
          seats.collect(sample, { phase: 'executing', ...labels }, nowMs);
        }
      },
    );
    ratio(
      'priority_level_request_utilization',
      'number of requests (as a fraction of the relevant limit) waiting or in any stage of execution (but only initial stage for WATCHes)',
      (sample, nowMs) => {
        for (const { executing, waiting, labels } of this.#levels.values()) {
          executing.collect(sample, { phase: 'executing', ...labels }, nowMs);
          waiting.collect(sample, { phase: 'waiting', ...labels }, nowMs);
        }
      },
    );
    ratio(
      'demand_seats',
      '(the number of seats each priority level could use) / (nominal number of seats for that level)',
      (sample, nowMs) => {
        for (const { demand, labels } of this.#levels.values()) demand.collect(sample, labels, nowMs);
      },
    );
    ratio(
      'read_vs_write_current_requests',
      'the number of requests (as a fraction of the relevant limit) waiting or in regular stage of execution',
      (sample, nowMs) => {
        for (const [pair, histogram] of this.#readWrite) {
          const [phase = '', kind = ''] = pair.split('/');
          histogram.collect(sample, { phase, request_kind: kind }, nowMs);
        }
      },
    );
  }
}
