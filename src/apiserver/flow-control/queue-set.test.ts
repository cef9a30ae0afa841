/** Fairness, by simulated clients in stepped time. The scenarios are those of upstream's queueset_test.go. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SteppedClock } from '#base';
import { FlowMetrics, LevelMetrics } from './metrics.ts';
import { type Flow, QueueSet, type QueuingConfig, type Ticket } from './queue-set.ts';
import { Dealer } from './shuffle-sharding.ts';
import type { WorkEstimate } from './work-estimate.ts';

const seats = (initialSeats: number, more: Partial<WorkEstimate> = {}): WorkEstimate => ({
  initialSeats,
  finalSeats: 0,
  additionalLatencyMs: 0,
  ...more,
});

interface Level {
  readonly clock: SteppedClock;
  readonly queues: QueueSet;
  readonly metrics: LevelMetrics;
  flow(name: string): Flow;
}

function level(limit: number, config: Partial<{ queues: number; handSize: number; length: number }> = {}): Level {
  const clock = new SteppedClock();
  const { queues = 8, handSize = 1, length = 1000 } = config;
  const metrics = new LevelMetrics('level', clock.monotonicMs());
  const set = new QueueSet({ clock, metrics });
  const queuing: QueuingConfig = {
    queues,
    queueLengthLimit: length,
    dealer: queues > 0 ? new Dealer(queues, handSize) : undefined,
  };
  set.configure(queuing, limit, limit);
  const flows = new Map<string, Flow>();
  const flow = (name: string): Flow => {
    let found = flows.get(name);
    if (!found) {
      found = {
        schema: 'schema',
        distinguisher: name,
        // With hands of one card: a queue of its own for each.
        hash: BigInt(flows.size),
        metrics: new FlowMetrics('level', name),
      };
      flows.set(name, found);
    }
    return found;
  };
  return { clock, queues: set, metrics, flow };
}

interface SimulatedClient {
  readonly name: string;
  readonly threads: number;
  readonly execMs: number;
  readonly thinkMs?: number;
  readonly work?: WorkEstimate;
}

/** Lets clients send one request after another on each of their threads; answers the seats each held on average. */
async function simulate(of: Level, clients: readonly SimulatedClient[], durationMs: number): Promise<number[]> {
  const { clock, queues } = of;
  const held = clients.map(() => 0);
  const refused = clients.map(() => 0);
  clients.forEach(({ name, threads, execMs, thinkMs = 0, work = seats(1) }, at) => {
    const again = (delayMs: number): void => void clock.setTimer(send, delayMs);
    const send = (): void => {
      const ticket = queues.start({ flow: of.flow(name), work });
      if (!ticket) {
        refused[at]!++;
        again(1);
        return;
      }
      const run = (): void => {
        clock.setTimer(() => {
          held[at]! += execMs * ticket.seats;
          queues.finish(ticket);
          again(thinkMs);
        }, execMs);
      };
      if (ticket.state === 'executing') run();
      else ticket.dispatched = run;
    };
    for (let thread = 0; thread < threads; thread++) send();
  });
  await clock.advance(durationMs);
  return held.map(seatMs => seatMs / durationMs);
}

const near = (actual: number, expected: number, tolerance: number): void =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not within ${tolerance} of ${expected}`);

describe('queue sets', () => {
  it('restrain nobody when exempt', async () => {
    const got = await simulate(level(0, { queues: -1 }), [{ name: 'a', threads: 20, execMs: 10 }], 2000);
    near(got[0]!, 20, 0.2);
  });

  it('refuse without queues what finds no seat', () => {
    const { queues, flow } = level(2, { queues: 0 });
    const tickets = [1, 2, 3].map(() => queues.start({ flow: flow('a'), work: seats(1) }));
    assert.deepEqual(
      tickets.map(ticket => ticket?.state),
      ['executing', 'executing', undefined],
    );
    assert.equal(flow('a').metrics.rejected.get('concurrency-limit'), 1);
    queues.finish(tickets[0]!);
    assert.equal(queues.start({ flow: flow('a'), work: seats(1) })?.state, 'executing');
  });

  it('share seats evenly between flows of the same size', async () => {
    const clients = ['a', 'b', 'c', 'd'].map(name => ({ name, threads: 8, execMs: 100 }));
    const got = await simulate(level(4), clients, 40_000);
    for (const each of got) near(each, 1, 0.1);
  });

  it('give a flow with many threads no more than one with enough', async () => {
    const flood = { name: 'flood', threads: 40, execMs: 100 };
    const got = await simulate(level(6), [flood, { name: 'quiet', threads: 8, execMs: 100 }], 40_000);
    near(got[0]!, 3, 0.3);
    near(got[1]!, 3, 0.3);
  });

  it('let a flow that thinks have what it asks for while it is below its share', async () => {
    const flood = { name: 'flood', threads: 30, execMs: 100 };
    const modest = { name: 'modest', threads: 1, execMs: 50, thinkMs: 450 };
    const got = await simulate(level(8), [flood, modest], 40_000);
    near(got[1]!, 0.1, 0.03);
    near(got[0]!, 7.9, 0.3);
  });

  it('share by seat-seconds, not by requests', async () => {
    const long = { name: 'long', threads: 12, execMs: 400 };
    const short = { name: 'short', threads: 12, execMs: 50 };
    const got = await simulate(level(6), [long, short], 80_000);
    near(got[0]!, 3, 0.4);
    near(got[1]!, 3, 0.4);
  });

  it('share seats, not requests, between wide and narrow ones', async () => {
    const wide = { name: 'wide', threads: 12, execMs: 100, work: seats(3) };
    const narrow = { name: 'narrow', threads: 12, execMs: 100 };
    const got = await simulate(level(6), [wide, narrow], 80_000);
    near(got[0]!, 3, 0.5);
    near(got[1]!, 3, 0.5);
  });

  it('run alone what is wider than the limit', () => {
    const { queues, flow } = level(3);
    const one = queues.start({ flow: flow('a'), work: seats(1) })!;
    const wide = queues.start({ flow: flow('b'), work: seats(5) })!;
    const behind = queues.start({ flow: flow('c'), work: seats(4) })!;
    assert.deepEqual([one.state, wide.state, behind.state], ['executing', 'waiting', 'waiting']);
    assert.equal(flow('b').metrics.noAccommodation > 0, true);
    queues.finish(one);
    assert.equal([wide, behind].filter(({ state }) => state === 'executing').length, 1);
  });

  it('keep the seats of a write that woke many watches', async () => {
    const { queues, flow, clock } = level(2);
    const lingering = queues.start({ flow: flow('a'), work: seats(1, { finalSeats: 2, additionalLatencyMs: 50 }) })!;
    queues.finish(lingering);
    const next = queues.start({ flow: flow('b'), work: seats(1) })!;
    assert.equal(next.state, 'waiting');
    await clock.advance(49);
    assert.equal(next.state, 'waiting');
    await clock.advance(1);
    assert.equal(next.state, 'executing');
  });

  it('narrow what lingers to the limit, for as much longer', async () => {
    const { queues, flow, clock } = level(2);
    const ticket = queues.start({ flow: flow('a'), work: seats(1, { finalSeats: 4, additionalLatencyMs: 50 }) })!;
    assert.deepEqual([ticket.work.finalSeats, ticket.work.additionalLatencyMs], [2, 100]);
    queues.finish(ticket);
    await clock.advance(99);
    assert.equal(queues.seatsInUse, 2);
    await clock.advance(1);
    assert.equal(queues.seatsInUse, 0);
  });

  it('refuse when the queue is full, and forget who gave up', () => {
    const { queues, flow } = level(1, { queues: 1, handSize: 1, length: 2 });
    const start = (): Ticket | undefined => queues.start({ flow: flow('a'), work: seats(1) });
    const [running, first, second, third] = [start(), start(), start(), start()];
    assert.equal(third, undefined);
    assert.equal(flow('a').metrics.rejected.get('queue-full'), 1);
    queues.cancel(first!);
    assert.equal(first!.state, 'rejected');
    assert.equal(flow('a').metrics.rejected.get('time-out'), 1);
    queues.finish(running!);
    assert.equal(second!.state, 'executing');
    queues.cancel(second!);
    assert.equal(second!.state, 'executing');
    queues.finish(second!);
    assert.equal(queues.isIdle, true);
    assert.deepEqual([queues.waiting, queues.seatsInUse, queues.seatsWaiting], [0, 0, 0]);
  });

  it('let go on at once what a raised limit has room for, and drain queues that are too many', () => {
    const { queues, flow } = level(1, { queues: 4, handSize: 1 });
    const tickets = ['a', 'b', 'c'].map(name => queues.start({ flow: flow(name), work: seats(1) })!);
    assert.equal(queues.executing, 1);
    queues.configure({ queues: 1, queueLengthLimit: 10, dealer: new Dealer(1, 1) }, 3, 3);
    assert.equal(queues.executing, 3);
    assert.equal(queues.queues.length, 4);
    for (const ticket of tickets) queues.finish(ticket);
    assert.equal(queues.queues.length <= 2, true);
  });

  it('count demand by what is and would be seated', async () => {
    const { queues, flow, clock } = level(1);
    const running = queues.start({ flow: flow('a'), work: seats(1) })!;
    queues.start({ flow: flow('b'), work: seats(1) });
    await clock.advance(1000);
    queues.finish(running);
    await clock.advance(1000);
    const { average, max } = queues.demand.reset(clock.monotonicMs());
    assert.deepEqual([average, max], [1.5, 2]);
  });
});
