import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Component, startAll } from './lifecycle.ts';
import { silentLogger } from './logger.ts';
import { SteppedClock } from './stepped-clock.ts';

/** Components that tell `told` when they start and stop. */
function component(name: string, told: string[], more: Partial<Component> = {}): Component {
  return {
    name,
    async start() {
      told.push(`${name} starts`);
      return { [Symbol.asyncDispose]: async () => void told.push(`${name} stops`) };
    },
    ...more,
  };
}

describe('components', () => {
  it('start in order and stop in reverse', async () => {
    const told: string[] = [];
    const options = { clock: new SteppedClock(), logger: silentLogger, signal: new AbortController().signal };
    const running = await startAll([component('a', told), component('b', told, { patienceMs: 10 })], options);
    await running[Symbol.asyncDispose]();
    assert.deepEqual(told, ['a starts', 'b starts', 'b stops', 'a stops']);
  });

  it('that have had their time keep nobody from starting; they stop with the others, ready or not', async () => {
    for (const isReadyLater of [true, false]) {
      const told: string[] = [];
      const clock = new SteppedClock();
      const ready = Promise.withResolvers<void>();
      const slow = component('slow', told, {
        patienceMs: 1000,
        async start(signal) {
          signal.addEventListener('abort', () => ready.reject(signal.reason));
          await ready.promise;
          return { [Symbol.asyncDispose]: async () => void told.push('slow stops') };
        },
      });
      const signal = new AbortController().signal;
      const starting = startAll([slow, component('next', told)], { clock, logger: silentLogger, signal });
      await clock.advance(999);
      assert.deepEqual(told, []);
      await clock.advance(1);
      const running = await starting;
      assert.deepEqual(told, ['next starts']);
      if (isReadyLater) ready.resolve();
      await running[Symbol.asyncDispose]();
      assert.deepEqual(told, ['next starts', 'next stops', ...(isReadyLater ? ['slow stops'] : [])]);
    }
  });
});
