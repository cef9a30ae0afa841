/**
 * The seats of one priority level and the queues before them. A request goes to the shortest queue of its flow's hand;
 * queues take turns by virtual time, so that each gets the same share of seat-seconds however much waits in the others.
 * Upstream: apiserver pkg/util/flowcontrol/fairqueuing/queueset/queueset.go, whose doc.go derives the arithmetic.
 *
 * The progress meter R counts the seat-seconds that every queue that has work was given so far. A queue's next dispatch
 * has a reading of R (`nextDispatchR`) that moves on by a request's estimated work when it is dispatched and is put
 * right by its real duration when it ends. The queue whose oldest request would end first by that reading is next.
 *
 *     R = 10.00   queue 1: next 10.00, oldest needs 0.003 → ends 10.003   ← dispatched, its next is then 10.003
 *                 queue 2: next 10.01, oldest needs 0.003 → ends 10.013
 *
 * No method awaits: a level's state never changes under one of them.
 */
import type { Clock, Timer } from '#base';
import { Integrator } from './integrator.ts';
import type { FlowMetrics, LevelMetrics } from './metrics.ts';
import {
  durationPerSeat,
  epoch,
  highReading,
  type SeatSeconds,
  seatsTimesDuration,
  toSeconds,
} from './seat-seconds.ts';
import type { Dealer } from './shuffle-sharding.ts';
import { maxSeats, type WorkEstimate } from './work-estimate.ts';

/** How long a request is believed to take before it is known. */
const estimatedServiceMs = 3;

/** Requests that are treated alike: of one schema, and of one user or namespace. */
export interface Flow {
  readonly schema: string;
  readonly distinguisher: string;
  readonly hash: bigint;
  readonly metrics: FlowMetrics;
  /** The queues that `dealer` dealt it. */
  hand?: readonly number[];
  dealer?: Dealer;
}

export interface QueuingConfig {
  /** 0: no queue, who finds no seat is refused; -1: nobody is. */
  readonly queues: number;
  readonly queueLengthLimit: number;
  readonly dealer: Dealer | undefined;
}

export type TicketState = 'waiting' | 'executing' | 'rejected' | 'done';

/** A request that was taken in. */
export class Ticket {
  readonly flow: Flow;
  /** Seats and latency may shrink with the level's limit before the request is dispatched. */
  work: WorkEstimate;
  readonly totalWork: SeatSeconds;
  readonly finalWork: SeatSeconds;
  readonly arrivedAtMs: number;
  readonly queue: Queue | undefined;
  arrivalR: SeatSeconds;
  state: TicketState = 'waiting';
  startedAtMs = 0;
  /** Told when the request may go on. */
  dispatched: (() => void) | undefined;
  /** Who asks for what, for the dumps. */
  readonly about: unknown;

  constructor(request: NewRequest, arrivedAtMs: number, arrivalR: SeatSeconds, queue: Queue | undefined) {
    const { work } = request;
    this.flow = request.flow;
    this.work = work;
    this.about = request.about;
    this.finalWork = seatsTimesDuration(work.finalSeats, work.additionalLatencyMs);
    this.totalWork = seatsTimesDuration(work.initialSeats, estimatedServiceMs) + this.finalWork;
    this.arrivedAtMs = arrivedAtMs;
    this.arrivalR = arrivalR;
    this.queue = queue;
  }

  get seats(): number {
    return maxSeats(this.work);
  }
}

export interface NewRequest {
  readonly flow: Flow;
  readonly work: WorkEstimate;
  readonly about?: unknown;
}

/** Requests of some flows, in the order in which they came. */
export class Queue {
  readonly waiting: Set<Ticket> = new Set<Ticket>();
  readonly executing: Set<Ticket> = new Set<Ticket>();
  nextDispatchR: SeatSeconds = 0;
  seatsInUse = 0;
  waitingSeats = 0;
  waitingInitialSeats = 0;
  waitingWork: SeatSeconds = 0;

  get oldest(): Ticket | undefined {
    return this.waiting.size === 0 ? undefined : (this.waiting.values().next().value as Ticket);
  }

  get isActive(): boolean {
    return this.waiting.size > 0 || this.executing.size > 0;
  }
}

export interface QueueSetDeps {
  readonly clock: Clock;
  readonly metrics: LevelMetrics;
}

export class QueueSet {
  readonly #clock: Clock;
  readonly #metrics: LevelMetrics;
  /** Seats that are or could be in use, since the last adjustment of limits. */
  readonly demand: Integrator;
  /** More than configured while some that are too many still have work. */
  readonly queues: Queue[] = [];
  /** Executing without a queue. */
  readonly unqueued: Set<Ticket> = new Set<Ticket>();
  #config: QueuingConfig = { queues: 0, queueLengthLimit: 0, dealer: undefined };
  #limit = 0;
  #currentR: SeatSeconds = 0;
  #lastMs: number;
  /** Of the queue from which the last request was dispatched. */
  #robin = -1;
  #activeQueues = 0;
  #enqueues = 0;
  waiting = 0;
  executing = 0;
  seatsInUse = 0;
  seatsWaiting = 0;
  dispatched = 0;
  rejected = 0;
  timedOut = 0;
  cancelled = 0;

  constructor({ clock, metrics }: QueueSetDeps) {
    this.#clock = clock;
    this.#metrics = metrics;
    this.#lastMs = clock.monotonicMs();
    this.demand = new Integrator(this.#lastMs);
  }

  get isIdle(): boolean {
    return this.waiting === 0 && this.executing === 0;
  }

  get limit(): number {
    return this.#limit;
  }

  /** Takes a new configuration and limit of seats; requests that can go on now do. `denominator`: of utilizations. */
  configure(config: QueuingConfig, limit: number, denominator: number): void {
    const nowMs = this.#sync();
    const old = this.#config;
    while (this.queues.length < config.queues) this.queues.push(new Queue());
    this.#config = config.queues > 0 ? config : { ...config, queueLengthLimit: old.queueLengthLimit };
    this.#limit = limit;
    const places = Math.max(1, this.#config.queueLengthLimit) * Math.max(1, config.queues);
    this.#metrics.waiting.setDenominator(places, nowMs);
    this.#metrics.executing.setDenominator(denominator, nowMs);
    this.#metrics.seats.setDenominator(denominator, nowMs);
    this.#dispatchAll(nowMs);
  }

  /** Takes a request in, or answers undefined. A ticket that is executing may go on at once. */
  start(request: NewRequest): Ticket | undefined {
    const nowMs = this.#sync();
    const { flow } = request;
    if (this.#config.queues < 1) {
      if (!this.#hasRoomFor(maxSeats(request.work))) {
        this.rejected++;
        flow.metrics.reject('concurrency-limit');
        return undefined;
      }
      const ticket = new Ticket(request, nowMs, this.#currentR, undefined);
      this.unqueued.add(ticket);
      this.#execute(ticket, nowMs);
      return ticket;
    }
    const queue = this.queues[this.#choose(flow)]!;
    if (this.seatsInUse >= this.#limit && queue.waiting.size >= this.#config.queueLengthLimit) {
      this.#bound(queue);
      this.rejected++;
      flow.metrics.reject('queue-full');
      return undefined;
    }
    const ticket = new Ticket(request, nowMs, this.#currentR, queue);
    this.#enqueue(ticket, queue, nowMs);
    flow.metrics.queueLength.observe(queue.waiting.size);
    this.#dispatchAll(nowMs, queue);
    return ticket;
  }

  /** A request that waits waits no longer: its time is over, or its client is gone. */
  cancel(ticket: Ticket): void {
    if (ticket.state !== 'waiting') return;
    const nowMs = this.#sync();
    const queue = ticket.queue!;
    this.#dequeue(ticket, queue, nowMs);
    ticket.state = 'rejected';
    this.rejected++;
    this.cancelled++;
    ticket.flow.metrics.reject('time-out');
    this.#bound(queue);
    this.#noteDemand(nowMs);
  }

  /** A request has ended; its seats are given back when its additional latency is over too. */
  finish(ticket: Ticket): void {
    if (ticket.state !== 'executing') return;
    const nowMs = this.#sync();
    ticket.state = 'done';
    this.executing--;
    ticket.flow.metrics.executingRequests--;
    this.#metrics.executing.add(-1, nowMs);
    const { queue } = ticket;
    if (queue) {
      queue.executing.delete(ticket);
      if (!queue.isActive) this.#activeQueues--;
      const tookMs = nowMs - ticket.startedAtMs;
      queue.nextDispatchR -= seatsTimesDuration(ticket.work.initialSeats, estimatedServiceMs - tookMs);
      this.#bound(queue);
    } else this.unqueued.delete(ticket);
    const latencyMs = ticket.work.additionalLatencyMs;
    if (latencyMs > 0) this.#releaseAfter(ticket, latencyMs);
    else this.#release(ticket, nowMs);
    this.#dispatchAll(nowMs);
  }

  #releaseAfter(ticket: Ticket, latencyMs: number): Timer {
    return this.#clock.setTimer(() => {
      const nowMs = this.#sync();
      this.#release(ticket, nowMs);
      this.#dispatchAll(nowMs);
    }, latencyMs);
  }

  #release(ticket: Ticket, nowMs: number): void {
    const { queue, seats } = ticket;
    this.seatsInUse -= seats;
    ticket.flow.metrics.executingSeats -= seats;
    this.#metrics.seats.add(-seats, nowMs);
    this.#noteDemand(nowMs);
    if (!queue) return;
    queue.seatsInUse -= seats;
    if (this.queues.length > this.#config.queues && !queue.isActive) this.#remove(queue);
  }

  /** A queue that is too many and has no work. */
  #remove(queue: Queue): void {
    const at = this.queues.indexOf(queue);
    if (at < 0) return;
    this.queues.splice(at, 1);
    if (this.#robin >= at) this.#robin--;
  }

  /** Moves the progress meter on, as the queues have stood since it was last read. Before every change. */
  #sync(): number {
    const nowMs = this.#clock.monotonicMs();
    const sinceMs = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    if (this.#activeQueues > 0) {
      const ratio = Math.min(this.seatsInUse + this.seatsWaiting, this.#limit) / this.#activeQueues;
      this.#currentR += seatsTimesDuration(ratio, sinceMs);
      if (this.#currentR >= highReading) this.#advanceEpoch();
      this.#metrics.currentR = toSeconds(this.#currentR);
    }
    return nowMs;
  }

  /** Winds the meter back, and all readings that were taken of it. */
  #advanceEpoch(): void {
    this.#currentR -= epoch;
    for (const queue of this.queues) {
      if (!queue.isActive) {
        queue.nextDispatchR = 0;
        continue;
      }
      queue.nextDispatchR -= epoch;
      for (const ticket of queue.waiting) ticket.arrivalR -= epoch;
    }
    this.#metrics.epochAdvances++;
  }

  /** The queue of the flow's hand with the least work waiting. The hand is looked at from a place that moves on. */
  #choose(flow: Flow): number {
    const { dealer } = this.#config;
    if (flow.dealer !== dealer || !flow.hand) {
      flow.dealer = dealer!;
      flow.hand = dealer!.deal(flow.hash);
    }
    const { hand } = flow;
    const offset = this.#enqueues++ % hand.length;
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let at = 0; at < hand.length; at++) {
      const index = hand[(offset + at) % hand.length]!;
      const work = this.queues[index]!.waitingWork;
      if (work >= least) continue;
      least = work;
      best = index;
    }
    return best;
  }

  #enqueue(ticket: Ticket, queue: Queue, nowMs: number): void {
    const { seats, flow } = ticket;
    if (!queue.isActive) {
      queue.nextDispatchR = this.#currentR;
      this.#activeQueues++;
    }
    queue.waiting.add(ticket);
    queue.waitingSeats += seats;
    queue.waitingInitialSeats += ticket.work.initialSeats;
    queue.waitingWork += ticket.totalWork;
    this.waiting++;
    this.seatsWaiting += seats;
    flow.metrics.hasQueued = true;
    flow.metrics.queuedRequests++;
    flow.metrics.queuedSeats += seats;
    this.#metrics.waiting.add(1, nowMs);
    this.#noteDemand(nowMs);
    this.#bound(queue);
  }

  #dequeue(ticket: Ticket, queue: Queue, nowMs: number): void {
    const { seats, flow } = ticket;
    queue.waiting.delete(ticket);
    queue.waitingSeats -= seats;
    queue.waitingInitialSeats -= ticket.work.initialSeats;
    queue.waitingWork -= ticket.totalWork;
    if (!queue.isActive) this.#activeQueues--;
    this.waiting--;
    this.seatsWaiting -= seats;
    flow.metrics.queuedRequests--;
    flow.metrics.queuedSeats -= seats;
    this.#metrics.waiting.add(-1, nowMs);
  }

  /** `only`: the one queue that can have anything waiting when just one request does. */
  #dispatchAll(nowMs: number, only?: Queue): void {
    while (this.waiting > 0 && this.seatsInUse < this.#limit) {
      if (!this.#dispatchOne(nowMs, this.waiting === 1 ? only : undefined)) return;
    }
  }

  #dispatchOne(nowMs: number, only: Queue | undefined): boolean {
    const found = only && only.waiting.size > 0 ? this.#reading(only) : this.#next();
    if (!found) return false;
    const { queue, ticket } = found;
    if (!this.#hasRoomFor(ticket.seats)) {
      ticket.flow.metrics.noAccommodation++;
      return false;
    }
    this.#dequeue(ticket, queue, nowMs);
    if (ticket.work.finalSeats > this.#limit) {
      // The same work, done by fewer seats for longer.
      const additionalLatencyMs = durationPerSeat(ticket.finalWork, this.#limit);
      ticket.work = { ...ticket.work, finalSeats: this.#limit, additionalLatencyMs };
    }
    this.#robin = found.at;
    this.#metrics.dispatch = { r: toSeconds(this.#currentR), s: toSeconds(queue.nextDispatchR), ...found.readings() };
    if (!queue.isActive) this.#activeQueues++;
    queue.executing.add(ticket);
    queue.seatsInUse += ticket.seats;
    this.#execute(ticket, nowMs);
    queue.nextDispatchR += ticket.totalWork;
    this.#bound(queue);
    ticket.dispatched?.();
    return true;
  }

  #reading(queue: Queue): Found {
    const next = queue.nextDispatchR;
    const discounted = next - seatsTimesDuration(queue.seatsInUse, estimatedServiceMs);
    return {
      queue,
      ticket: queue.oldest!,
      at: this.queues.indexOf(queue),
      readings: () => readingsOf(next, next, discounted, discounted),
    };
  }

  /** In turn from the last one on, the queue whose oldest request would end first. */
  #next(): Found | undefined {
    let first = Number.POSITIVE_INFINITY;
    let [min, max, discountedMin, discountedMax] = [first, -first, first, -first];
    let best: Queue | undefined;
    let bestAt = -1;
    for (let step = 1; step <= this.queues.length; step++) {
      const at = (this.#robin + step) % this.queues.length;
      const queue = this.queues[at]!;
      const { oldest } = queue;
      if (!oldest) continue;
      const next = queue.nextDispatchR;
      const discounted = next - seatsTimesDuration(queue.seatsInUse, estimatedServiceMs);
      min = Math.min(min, next);
      max = Math.max(max, next);
      discountedMin = Math.min(discountedMin, discounted);
      discountedMax = Math.max(discountedMax, discounted);
      const end = next + oldest.totalWork;
      if (end >= first) continue;
      first = end;
      best = queue;
      bestAt = at;
    }
    if (!best) return undefined;
    const readings = (): Readings => readingsOf(min, max, discountedMin, discountedMax);
    return { queue: best, ticket: best.oldest!, at: bestAt, readings };
  }

  #execute(ticket: Ticket, nowMs: number): void {
    const { metrics } = ticket.flow;
    const { seats } = ticket;
    ticket.state = 'executing';
    ticket.startedAtMs = nowMs;
    this.dispatched++;
    this.executing++;
    this.seatsInUse += seats;
    metrics.hasExecuted = true;
    metrics.executingRequests++;
    metrics.executingSeats += seats;
    this.#metrics.executing.add(1, nowMs);
    this.#metrics.seats.add(seats, nowMs);
    this.#noteDemand(nowMs);
  }

  #hasRoomFor(seats: number): boolean {
    if (this.#config.queues < 0) return true;
    // Who wants more than there is waits until nobody else has any.
    if (seats > this.#limit) return this.executing === 0;
    return this.seatsInUse + seats <= this.#limit;
  }

  /** Nothing is dispatched before it arrived: a queue that used less than its share does not save it up. */
  #bound(queue: Queue): void {
    const { oldest } = queue;
    if (oldest && queue.nextDispatchR < oldest.arrivalR) queue.nextDispatchR = oldest.arrivalR;
  }

  #noteDemand(nowMs: number): void {
    const seats = this.seatsInUse + this.seatsWaiting;
    this.demand.set(seats, nowMs);
    this.#metrics.demand.set(seats, nowMs);
  }
}

interface Readings {
  readonly min: number;
  readonly max: number;
  readonly discountedMin: number;
  readonly discountedMax: number;
}

interface Found {
  readonly queue: Queue;
  readonly ticket: Ticket;
  readonly at: number;
  readings(): Readings;
}

function readingsOf(min: number, max: number, discountedMin: number, discountedMax: number): Readings {
  return {
    min: toSeconds(min),
    max: toSeconds(max),
    discountedMin: toSeconds(discountedMin),
    discountedMax: toSeconds(discountedMax),
  };
}
