/**
 * One priority level at work: its configuration, its queues, its limits and the demand by which they move. Upstream:
 * priorityLevelState of apiserver pkg/util/flowcontrol/apf_controller.go.
 */
import type { PriorityLevelConfiguration } from '#api/types';
import type { Clock } from '#base';
import type { Integral } from './integrator.ts';
import type { LevelMetrics } from './metrics.ts';
import { QueueSet, type QueuingConfig } from './queue-set.ts';
import { Dealer } from './shuffle-sharding.ts';

/** Half of what was smoothed is forgotten in five minutes of adjustments. */
const smoothing = 0.977;
/** Of a level's limit, what one request may take at most. */
const maxSeatsFraction = 0.15;

/** Of the last period. */
export interface SeatDemand {
  average: number;
  deviation: number;
  highWatermark: number;
  /** Rises at once, falls slowly. */
  smoothed: number;
}

export interface Shares {
  readonly shares: number;
  readonly lendablePercent: number;
  /** Absent: no limit. */
  readonly borrowingLimitPercent: number | undefined;
}

/** What a configuration says of queues. Throws when it is broken. */
export function queuingOf(level: PriorityLevelConfiguration, old?: QueuingConfig): QueuingConfig {
  const { type, limited, exempt } = level.spec;
  if ((type === 'Limited') !== (limited !== undefined))
    throw new Error('broken union structure at the top, for Limited');
  if ((type === 'Exempt') !== (exempt !== undefined)) throw new Error('broken union structure at the top, for Exempt');
  if ((type === 'Exempt') !== (level.metadata.name === 'exempt'))
    throw new Error('non-alignment between name and type');
  if (!limited) return { queues: -1, queueLengthLimit: 0, dealer: undefined };
  const { type: response, queuing } = limited.limitResponse ?? { type: '' };
  if ((response === 'Reject') !== (queuing === undefined)) throw new Error('broken union structure for limit response');
  if (!queuing) return { queues: 0, queueLengthLimit: 0, dealer: undefined };
  const { queues, handSize, queueLengthLimit } = queuing;
  const isSame = old?.dealer?.deckSize === queues && old.dealer.handSize === handSize;
  return { queues, queueLengthLimit, dealer: isSame ? old.dealer : new Dealer(queues, handSize) };
}

export class PriorityLevel {
  readonly name: string;
  readonly metrics: LevelMetrics;
  readonly queues: QueueSet;
  config: PriorityLevelConfiguration;
  queuing: QueuingConfig;
  /** No longer wanted; goes when its requests have ended. */
  quiescing = false;
  nominalLimit = 0;
  minLimit = 0;
  maxLimit = 0;
  currentLimit = 0;
  /** What one request may take; 0: no limit of the level's own. */
  maxSeats = 0;
  readonly demand: SeatDemand = { average: 0, deviation: 0, highWatermark: 0, smoothed: 0 };

  constructor(config: PriorityLevelConfiguration, queuing: QueuingConfig, metrics: LevelMetrics, clock: Clock) {
    this.name = config.metadata.name ?? '';
    this.config = config;
    this.queuing = queuing;
    this.metrics = metrics;
    this.queues = new QueueSet({ clock, metrics });
  }

  get isExempt(): boolean {
    return this.config.spec.type === 'Exempt';
  }

  get shares(): Shares {
    const { limited, exempt } = this.config.spec;
    return {
      shares: limited?.nominalConcurrencyShares ?? exempt?.nominalConcurrencyShares ?? 0,
      lendablePercent: limited?.lendablePercent ?? exempt?.lendablePercent ?? 0,
      borrowingLimitPercent: exempt ? undefined : limited?.borrowingLimitPercent,
    };
  }

  /** The level's part of the server's seats. */
  setLimits(serverLimit: number, shareSum: number): void {
    const { shares, lendablePercent, borrowingLimitPercent } = this.shares;
    const isNew = this.maxLimit === 0;
    const nominal = shareSum === 0 ? 0 : Math.ceil((serverLimit * shares) / shareSum);
    const lendable = Math.round((nominal * lendablePercent) / 100);
    const borrowable =
      borrowingLimitPercent === undefined ? serverLimit : Math.round((nominal * borrowingLimitPercent) / 100);
    this.nominalLimit = nominal;
    this.minLimit = nominal - lendable;
    this.maxLimit = nominal + borrowable;
    this.metrics.nominalLimit = nominal;
    this.metrics.lowerLimit = this.minLimit;
    this.metrics.upperLimit = this.maxLimit;
    const queuing = this.config.spec.limited?.limitResponse?.queuing;
    if (queuing) {
      const parts = Math.floor(nominal / queuing.handSize);
      this.maxSeats = Math.max(1, Math.min(Math.ceil(nominal * maxSeatsFraction), parts));
    }
    if (isNew) this.currentLimit = nominal - Math.floor(lendable / 2);
  }

  /** Takes in what was asked for since the last time. */
  noteDemand({ durationSeconds, average, deviation, max }: Integral): void {
    const { demand, metrics } = this;
    demand.highWatermark = Math.round(max);
    if (durationSeconds > 0) {
      demand.average = average;
      demand.deviation = deviation;
      const envelope = average + deviation;
      demand.smoothed = Math.max(envelope, smoothing * demand.smoothed + (1 - smoothing) * envelope);
    }
    metrics.highWatermark = demand.highWatermark;
    metrics.average = demand.average;
    metrics.deviation = demand.deviation;
    metrics.smoothed = demand.smoothed;
  }

  /** The least that the next period may give: what was really used, unless that is more than its own. */
  get lowerBound(): number {
    const { highWatermark } = this.demand;
    return Math.max(this.minLimit, this.isExempt ? highWatermark : Math.min(this.nominalLimit, highWatermark));
  }

  /** Sets the limit that holds from now on. */
  setCurrentLimit(limit: number, target: number, serverLimit: number, nowMs: number): void {
    this.currentLimit = limit;
    this.metrics.currentLimit = limit;
    this.metrics.target = target;
    const denominator = limit > 0 ? limit : Math.max(1, Math.round(serverLimit / 10));
    this.metrics.demand.setDenominator(denominator, nowMs);
    this.queues.configure(this.queuing, limit, denominator);
  }
}
