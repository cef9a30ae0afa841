/** The etcd engine against a server of a few lines that speaks its wire: what a real one does only when it fails. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type * as grpc from '@grpc/grpc-js';
import { systemClock } from '#base';
import type { StorageEvent, Store } from '../contract.ts';
import { decode, encode, type Message } from '../wire.ts';
import { hasExactProgress, openEtcdStore } from './etcd-store.ts';
import { type Method, methods } from './messages.ts';

type WatchStream = grpc.ServerDuplexStream<Message, Message>;

/** What the test makes the server say. */
interface Script {
  revision: number;
  range(request: Message): Message;
  txn(request: Message): Message | Error;
  watch(stream: WatchStream, request: Message): void;
}

const header = (revision: number): Message => ({ header: { revision } });
const kv = (key: string, value: string, revision: number): Message => ({
  key,
  value: Buffer.from(value),
  createRevision: revision,
  modRevision: revision,
});

async function serve(t: TestContext, given: Partial<Script>): Promise<{ script: Script; store: Store }> {
  const { Server, ServerCredentials, status } = await import('@grpc/grpc-js');
  const script: Script = {
    revision: 10,
    range: () => ({ ...header(script.revision) }),
    txn: () => ({ ...header(++script.revision), succeeded: true }),
    watch: () => {},
    ...given,
  };
  const definition = ({ path, request, response }: Method, stream: boolean) => ({
    path,
    requestStream: stream,
    responseStream: stream,
    requestDeserialize: (bytes: Buffer) => decode(request, bytes),
    requestSerialize: (message: Message) => encode(request, message),
    responseDeserialize: (bytes: Buffer) => decode(response, bytes),
    responseSerialize: (message: Message) => encode(response, message),
  });
  const unary =
    (answer: (request: Message) => Message | Error): grpc.handleUnaryCall<Message, Message> =>
    ({ request }, callback) => {
      const made = answer(request);
      if (made instanceof Error) callback({ code: status.UNAVAILABLE, details: made.message });
      else callback(null, made);
    };
  const server = new Server();
  const add = (method: Method, stream: boolean, handler: grpc.UntypedHandleCall): void =>
    server.addService({ call: definition(method, stream) }, { call: handler });
  add(
    methods.status,
    false,
    unary(() => ({ ...header(script.revision), version: '3.6.1' })),
  );
  add(
    methods.range,
    false,
    unary(request => script.range(request)),
  );
  add(
    methods.txn,
    false,
    unary(request => script.txn(request)),
  );
  add(methods.watch, true, (stream: WatchStream) => {
    stream.on('data', (request: Message) => script.watch(stream, request));
    stream.on('error', () => {});
    stream.on('end', () => stream.end());
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, at) =>
      error ? reject(error) : resolve(at),
    ),
  );
  const endpoints = ['http://127.0.0.1:1', `http://127.0.0.1:${port}`];
  const store = await openEtcdStore({ endpoints, clock: systemClock });
  t.after(async () => {
    await store.close();
    server.forceShutdown();
  });
  return { script, store };
}

test('etcd: which releases can be asked for progress', () => {
  const told = ['3.4.23', '3.4.25', '3.5.7', '3.5.8', '3.5.21', '3.6.0', '4.0.0', '3.4.25-rc.1'].map(hasExactProgress);
  assert.deepEqual(told, [false, true, false, true, true, true, true, true]);
});

test('etcd: progress is asked for until a mark is as new as the store', async t => {
  let asked = 0;
  const { store, script } = await serve(t, {
    watch(stream, { create, progress }) {
      if (create) stream.write({ ...header(script.revision), watchId: 0, created: true });
      if (progress) stream.write({ ...header(++asked < 3 ? 12 : script.revision), watchId: 0 });
    },
  });
  const iterator = store.watch({ start: '/', end: '0' })[Symbol.asyncIterator]();
  script.revision = 20;
  store.requestProgress();
  const revisions: number[] = [];
  while (revisions.at(-1) !== 20) revisions.push((await iterator.next()).value!.revision);
  assert.deepEqual(revisions, [12, 12, 20]);
  assert.equal(asked, 3);
});

test('etcd: a broken stream goes on after what was delivered', async t => {
  const starts: unknown[] = [];
  const { store } = await serve(t, {
    watch(stream, { create }) {
      if (!create) return;
      starts.push((create as Message)['startRevision']);
      stream.write({ ...header(10), created: true });
      const events = [{ type: 0, kv: kv('/a', 'x', 11) }];
      if (starts.length === 1) {
        stream.write({ ...header(11), events });
        setImmediate(() => stream.emit('error', Object.assign(new Error('gone'), { code: 14 })));
      } else
        stream.write({
          ...header(12),
          events: [...events, { type: 1, kv: kv('/a', '', 12), prevKv: kv('/a', 'x', 11) }],
        });
    },
  });
  const iterator = store.watch({ start: '/', end: '0', afterRevision: 10 })[Symbol.asyncIterator]();
  const told: string[] = [];
  while (told.length < 2) {
    const { value } = await iterator.next();
    told.push(
      ...value!.events.map(
        (event: StorageEvent) => `${event.revision} ${event.type} ${event.key} ${event.prev ? 'again' : 'new'}`,
      ),
    );
  }
  assert.deepEqual(told, ['11 put /a new', '12 delete /a again']);
  assert.deepEqual(starts, [11, 12]);
});

test('etcd: a watch from what is compacted says so', async t => {
  const { store } = await serve(t, {
    watch: stream => stream.write({ ...header(10), canceled: true, compactRevision: 7 }),
  });
  const iterator = store.watch({ start: '/', end: '0', afterRevision: 2 })[Symbol.asyncIterator]();
  await assert.rejects(iterator.next(), { code: 'compacted' });
});

test('etcd: a transaction whose answer was lost is not refused by itself; one that lost to another is', async t => {
  let attempts = 0;
  let stands = 'mine';
  const { store } = await serve(t, {
    txn() {
      if (++attempts % 2 === 1) return new Error('connection lost');
      return {
        ...header(31),
        succeeded: false,
        responses: [{ range: { ...header(31), kvs: [kv('/a', stands, 30)] } }],
      };
    },
  });
  const create = () =>
    store.txn([{ key: '/a', modRevision: 0 }], [{ type: 'put', key: '/a', value: Buffer.from('mine') }]);
  assert.deepEqual(await create(), { ok: true, revision: 30 });
  stands = 'theirs';
  const refused = await create();
  assert.equal(refused.ok, false);
  assert.equal(!refused.ok && Buffer.from(refused.current[0]!.value).toString(), 'theirs');
  attempts = 1;
  stands = 'mine';
  assert.equal((await create()).ok, false, 'nothing was lost: the same bytes are another writer');
});
