import assert from 'node:assert/strict';
import { test } from 'node:test';
import { framed, shortest } from './framing.ts';
import type { ServerResponse } from './message.ts';

const bytes = (length: number): ServerResponse => ({
  status: 200,
  headers: {},
  body: { kind: 'bytes', bytes: Buffer.alloc(length) },
});
const lengthOf = async (method: string, response: ServerResponse, limit: number = shortest.http1): Promise<unknown> =>
  (await framed(method, response, limit)).headers['content-length'];

test('what fits into the buffer says its length, what is longer does not', async () => {
  assert.equal(await lengthOf('GET', bytes(2048)), '2048');
  assert.equal(await lengthOf('GET', bytes(2049)), undefined);
  assert.equal(await lengthOf('GET', bytes(2049), shortest.http2), '2049');
  assert.equal(await lengthOf('GET', bytes(4097), shortest.http2), undefined);
  const said = { ...bytes(9000), headers: { 'content-length': '9000' } };
  assert.equal(await lengthOf('GET', said), '9000');
});

test('nothing has the length 0, but where there can be no body', async () => {
  const empty = (status: number): ServerResponse => ({ status, headers: {}, body: { kind: 'empty' } });
  assert.equal(await lengthOf('GET', empty(404)), '0');
  assert.equal(await lengthOf('HEAD', empty(404)), undefined);
  for (const status of [204, 304]) assert.equal(await lengthOf('GET', empty(status)), undefined);
});

test('pieces of a list are looked at together; their memory is given back and what is longer is not lost', async () => {
  const given: number[] = [];
  let ended = 0;
  async function* pieces(count: number): AsyncGenerator<Uint8Array> {
    try {
      for (let at = 0; at < count; at++) yield Buffer.alloc(1000, at);
    } finally {
      ended++;
    }
  }
  const list = (count: number, isGathered: boolean): ServerResponse => ({
    status: 200,
    headers: {},
    body: {
      kind: 'chunks',
      chunks: pieces(count),
      ...(isGathered && { isGathered }),
      sent: chunk => void given.push(chunk.length),
    },
  });
  const short = await framed('GET', list(2, true), shortest.http1);
  assert.deepEqual([short.body.kind, short.headers['content-length'], given], ['bytes', '2000', [1000, 1000]]);
  const long = await framed('GET', list(5, true), shortest.http1);
  assert.ok(long.body.kind === 'chunks' && long.headers['content-length'] === undefined);
  const all = await Array.fromAsync(long.body.chunks);
  assert.deepEqual(
    all.map(each => each[0]),
    [0, 1, 2, 3, 4],
  );
  assert.equal(ended, 2);
  const left = await framed('GET', list(5, true), shortest.http1);
  assert.ok(left.body.kind === 'chunks');
  await left.body.chunks[Symbol.asyncIterator]().return?.();
  assert.equal(ended, 3, 'whoever goes away before the first piece ends its source');
  const stream = list(1, false);
  assert.equal(framed('GET', stream, shortest.http1), stream, 'others are not waited for');
});
