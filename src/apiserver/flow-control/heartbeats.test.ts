/**
 * That a flood of lists does not slow a heartbeat beyond twice, on a thread whose time is reckoned, not measured: what
 * others do on the machine of the test has no part in it, and every heartbeat counts, not a median. What a heartbeat
 * and a bit of a list take is what a profile of the server says; bench/flood.bench.ts measures the whole.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock, Timer } from '#base';
import { BulkTurns } from './bulk-turns.ts';

interface Due extends Timer {
  readonly atMs: number;
  readonly fn: () => void;
}

const loopTurn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

/** A thread with an event loop: its time is what is spent on it, and what it waits for when nobody spends any. */
class Thread implements Clock {
  #nowMs = 0;
  #due: Due[] = [];

  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  /** Nothing else of this thread happens meanwhile. */
  spend(ms: number): void {
    this.#nowMs += ms;
  }

  setTimer(fn: () => void, delayMs: number): Timer {
    const cancel = (): void => {
      this.#due = this.#due.filter(each => each !== due);
    };
    const due: Due = { atMs: this.#nowMs + delayMs, fn, cancel };
    this.#due.push(due);
    return due;
  }

  setTicker(): never {
    throw new Error('nobody here asks for one');
  }

  /** What comes from outside (a request, the store's answer) is seen when the loop comes round. */
  sleep(ms: number): Promise<void> {
    return new Promise(resolve => this.setTimer(resolve, ms));
  }

  /** Turns of the loop until `isOver`. */
  async run(isOver: () => boolean): Promise<void> {
    for (let idle = 0; !isOver(); ) {
      const beforeMs = this.#nowMs;
      const ready = this.#due.filter(due => due.atMs <= this.#nowMs);
      this.#due = this.#due.filter(due => !ready.includes(due));
      for (const { fn } of ready) fn();
      await loopTurn();
      idle = this.#nowMs > beforeMs || ready.length > 0 ? 0 : idle + 1;
      // What was asked for in one turn of the loop is done in the next.
      if (idle > 2) this.#nowMs = Math.min(...this.#due.map(({ atMs }) => atMs));
    }
  }
}

interface Heartbeat {
  /** By turns what it has the thread do and what it waits for: the rest of its body, the store's thread, the disk. */
  readonly ms: readonly number[];
}

async function answer(thread: Thread, turns: BulkTurns, { ms }: Heartbeat): Promise<void> {
  turns.shortBegan();
  for (const [at, each] of ms.entries()) {
    if (at % 2 === 0) thread.spend(each);
    else await thread.sleep(each);
  }
  turns.shortEnded();
}

interface Seen {
  /** Of each heartbeat, from when it was sent. */
  readonly tookMs: number[];
  /** Share of the thread's time that lists had. */
  readonly listShare: number;
}

async function simulate(heartbeat: Heartbeat, bitMs: number, lists: number, everyMs: number): Promise<Seen> {
  const thread = new Thread();
  const turns = new BulkTurns(thread);
  const tookMs: number[] = [];
  const count = 100;
  let listMs = 0;
  let over = false;
  const list = async (): Promise<void> => {
    for (;;) {
      await turns.next();
      if (over) return;
      thread.spend(bitMs);
      listMs += bitMs;
    }
  };
  const beat = async (): Promise<void> => {
    for (let at = 0; at < count; at++) {
      // Never in step with the bits.
      const pauseMs = everyMs + ((at * 0.37) % 1.1);
      const sentMs = thread.now() + pauseMs;
      await thread.sleep(pauseMs);
      await answer(thread, turns, heartbeat);
      tookMs.push(thread.now() - sentMs);
    }
    over = true;
  };
  for (let at = 0; at < lists; at++) void list();
  void beat();
  await thread.run(() => over);
  return { tookMs, listShare: listMs / thread.now() };
}

const shapes: ReadonlyArray<readonly [string, Heartbeat]> = [
  ['on a disk', { ms: [0.3, 0.1, 0.5, 0.1, 0.4, 2, 0.4, 0.1, 0.2] }],
  ['on a slow disk', { ms: [0.3, 0.1, 0.5, 0.1, 0.4, 15, 0.4, 0.1, 0.2] }],
  ['in memory', { ms: [0.3, 0.1, 0.5, 0.1, 0.4, 0.1, 0.4, 0.1, 0.2] }],
];

describe('a heartbeat beside thirty connections that list', () => {
  for (const [name, heartbeat] of shapes) {
    for (const bitMs of [0.2, 0.6]) {
      it(`takes at most twice what it takes alone: ${name}, bits of ${bitMs} ms`, async () => {
        const alone = await simulate(heartbeat, bitMs, 0, 6);
        const beside = await simulate(heartbeat, bitMs, 30, 6);
        const [most, least] = [Math.max(...beside.tookMs), Math.min(...alone.tookMs)];
        assert.equal(beside.tookMs.length, 100);
        assert.ok(most <= 2 * least, `${most.toFixed(2)} ms beside the lists, ${least.toFixed(2)} ms alone`);
      });
    }
  }

  it('leaves the lists what it does not take, and a tenth at least', async () => {
    const [, heartbeat] = shapes[0]!;
    assert.ok((await simulate(heartbeat, 0.6, 30, 6)).listShare > 0.25);
    assert.ok((await simulate(heartbeat, 0.6, 30, 0)).listShare > 0.1);
  });
});
