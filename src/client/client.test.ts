import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { type Json, type KubeObject, StatusError } from '#apimachinery';
import { createActivity, SteppedClock, seededRandom, silentLogger } from '#base';
import type { ResourceClient, TypedWatchEvent } from './client.ts';
import { createController, TerminalError } from './controller.ts';
import { createHttpsTransport, statusErrorOf } from './https-transport.ts';
import { createInformer } from './informer.ts';
import { decodeWatch } from './watch-decoder.ts';
import { createWorkQueue } from './work-queue.ts';

function world(): { clock: SteppedClock; activity: ReturnType<typeof createActivity> } {
  const activity = createActivity();
  return { activity, clock: new SteppedClock({ activity }) };
}

test('a queue holds a key once, never gives it to two workers, and gives back what became dirty meanwhile', async () => {
  const { clock, activity } = world();
  const queue = createWorkQueue({ clock, activity });
  queue.add('a');
  queue.add('a');
  queue.add('b');
  assert.equal(queue.length, 2);
  assert.equal(await queue.take(), 'a');
  queue.add('a');
  assert.equal(await queue.take(), 'b');
  assert.equal(queue.length, 0);
  queue.done('a');
  assert.equal(await queue.take(), 'a');
  queue.done('a');
  queue.done('b');
  assert.equal(activity.pending, 0);
  const waiting = queue.take();
  queue.close();
  assert.equal(await waiting, undefined);
});

test('rate limited keys come back after delays that double until forgotten', async () => {
  const { clock, activity } = world();
  const queue = createWorkQueue({ clock, activity, baseDelayMs: 10 });
  const arrivals: number[] = [];
  for (let round = 0; round < 3; round++) {
    queue.addRateLimited('a');
    void queue.take().then(key => {
      arrivals.push(clock.monotonicMs());
      queue.done(key!);
    });
    await clock.advance(100);
  }
  assert.deepEqual(arrivals, [10, 120, 240]);
  assert.equal(queue.failures('a'), 3);
  queue.forget('a');
  assert.equal(queue.failures('a'), 0);
});

test('a controller tries again after a throw, later when asked, and gives up on a terminal error', async () => {
  const { clock, activity } = world();
  const seen: string[] = [];
  const controller = createController(
    { clock, activity, logger: silentLogger },
    {
      name: 'test',
      async reconcile(key) {
        seen.push(`${key}@${clock.monotonicMs()}`);
        if (key === 'fails' && seen.length < 3) throw new Error('not yet');
        if (key === 'hopeless') throw new TerminalError('never');
        if (key === 'later' && clock.monotonicMs() < 1000) return { requeueAfterMs: 1000 };
        return undefined;
      },
    },
  );
  controller.start(new AbortController().signal);
  controller.queue.add('fails');
  await clock.advance(100);
  assert.deepEqual(seen, ['fails@0', 'fails@5', 'fails@15']);
  seen.length = 0;
  controller.queue.add('hopeless');
  controller.queue.add('later');
  await clock.advance(5000);
  assert.deepEqual(seen, ['hopeless@100', 'later@100', 'later@1100']);
  await controller[Symbol.asyncDispose]();
});

test('watch lines arrive in any pieces', async () => {
  const text = '{"type":"ADDED","object":{"a":"ü"}}\n{"type":"BOOKMARK","object":{}}\n';
  const bytes = Buffer.from(text);
  for (const size of [1, 2, 7, bytes.length]) {
    const pieces: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
    const events = await Array.fromAsync(decodeWatch(Readable.from(pieces)));
    assert.deepEqual(
      events.map(event => event.type),
      ['ADDED', 'BOOKMARK'],
    );
  }
});

type Item = KubeObject & { readonly value?: number };

const item = (name: string, resourceVersion: string, value: number, uid = name): Item => ({
  apiVersion: 'v1',
  kind: 'Thing',
  metadata: { name, namespace: 'ns', uid, resourceVersion, managedFields: [{ manager: 'x' }] },
  value,
});

test('an informer resumes a watch, lists again when history is gone, and says what changed', async () => {
  const { clock, activity } = world();
  const calls: string[] = [];
  const lists: Item[][] = [[item('a', '1', 1)], [item('b', '9', 2), item('c', '8', 3)]];
  const watches: Array<() => AsyncIterable<TypedWatchEvent<Item>>> = [
    async function* () {
      yield { type: 'MODIFIED', object: item('a', '3', 5) };
      yield { type: 'ADDED', object: item('b', '4', 1) };
    },
    async function* () {
      yield { type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } as unknown as Item };
    },
    async function* () {
      yield { type: 'DELETED', object: item('c', '10', 3) };
      await new Promise(() => {});
    },
  ];
  const resource = {
    name: { resource: 'things' },
    async list({ resourceVersion }: { resourceVersion?: string }) {
      calls.push(`list ${resourceVersion}`);
      const items = lists.shift();
      if (!items) throw new StatusError({ code: 500, reason: 'InternalError', message: 'no more' });
      return { apiVersion: 'v1', kind: 'ThingList', metadata: { resourceVersion: '2' }, items };
    },
    async watch({ resourceVersion }: { resourceVersion?: string }) {
      calls.push(`watch ${resourceVersion}`);
      return watches.shift()!();
    },
  } as unknown as ResourceClient<Item>;
  const informer = createInformer({ clock, logger: silentLogger, random: seededRandom(1), activity }, resource);
  const seen: string[] = [];
  informer.addIndex('value', each => [String(each.value)]);
  informer.addHandler({
    added: each => seen.push(`+${each.metadata.name}${each.value}`),
    updated: (each, old) => seen.push(`~${each.metadata.name}${old.value}>${each.value}`),
    deleted: each => seen.push(`-${each.metadata.name}`),
  });
  const stop = new AbortController();
  await informer.start(stop.signal);
  for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve));
  assert.deepEqual(calls, ['list 0', 'watch 2', 'watch 4', 'list ', 'watch 2']);
  assert.deepEqual(seen, ['+a1', '~a1>5', '+b1', '-a', '~b1>2', '+c3', '-c']);
  assert.equal(informer.get('ns/b')?.metadata.managedFields, undefined);
  assert.ok(Object.isFrozen(informer.get('ns/b')?.metadata));
  assert.deepEqual(
    [...informer.byIndex('value', '2')].map(each => each.metadata.name),
    ['b'],
  );
  assert.deepEqual([...informer.byIndex('value', '1')], []);
  stop.abort();
});

test('an informer whose watches end at once asks again after a pause, and ends when told to', async () => {
  const { clock, activity } = world();
  let watches = 0;
  const resource = {
    name: { resource: 'things' },
    list: async () => ({ apiVersion: 'v1', kind: 'ThingList', metadata: { resourceVersion: '2' }, items: [] }),
    watch: async () => {
      watches++;
      return (async function* () {})();
    },
  } as unknown as ResourceClient<Item>;
  await using informer = createInformer({ clock, logger: silentLogger, random: seededRandom(1), activity }, resource);
  await informer.start(new AbortController().signal);
  await clock.advance(10_000);
  assert.ok(watches >= 2 && watches <= 6, `${watches} watches in ten seconds`);
});

test('an informer gives up a watch that its server has forgotten', async () => {
  const { clock, activity } = world();
  let watches = 0;
  const resource = {
    name: { resource: 'things' },
    list: async () => ({ apiVersion: 'v1', kind: 'ThingList', metadata: { resourceVersion: '2' }, items: [] }),
    async watch({ signal }: { signal: AbortSignal }) {
      watches++;
      return (async function* () {
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      })();
    },
  } as unknown as ResourceClient<Item>;
  await using informer = createInformer({ clock, logger: silentLogger, random: seededRandom(1), activity }, resource);
  await informer.start(new AbortController().signal);
  await clock.advance(290_000);
  assert.equal(watches, 1);
  await clock.advance(370_000);
  assert.equal(watches, 2);
});

test('a request that is given up does not wait for a server that takes the connection and says nothing', async () => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await using transport = createHttpsTransport({ server: `https://127.0.0.1:${port}` });
  const stop = new AbortController();
  const asked = transport.request({ method: 'GET', path: '/', signal: stop.signal });
  const [socket] = (await once(server, 'connection')) as [Socket];
  stop.abort(new Error('given up'));
  await assert.rejects(asked, /given up/);
  socket.destroy();
  server.close();
});

test('an answer without a Status becomes one', async () => {
  const error = statusErrorOf(503, Buffer.from('upstream is away')).status as unknown as Json;
  assert.deepEqual((error as { reason: string; message: string; code: number }).code, 503);
});
