import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { ServerRequest, ServerResponse } from '../http/message.ts';
import { compressed } from './compression.ts';

const asked = { headers: { 'accept-encoding': 'deflate, gzip' } } as unknown as ServerRequest;

/** A body of `count` pieces of 64 KiB each, and how often its source was ended. */
function pieces(count: number): { readonly response: ServerResponse; ended(): number } {
  let ended = 0;
  let at = 0;
  const end = async (): Promise<IteratorReturnResult<undefined>> => {
    ended++;
    return { done: true, value: undefined };
  };
  const iterator: AsyncIterableIterator<Uint8Array> = {
    next: async () => (at < count ? { done: false, value: Buffer.alloc(65_536, at++) } : end()),
    return: end,
    [Symbol.asyncIterator]: () => iterator,
  };
  const body = { kind: 'chunks', chunks: iterator } as const;
  return { response: { status: 200, headers: { vary: 'Origin' }, body }, ended: () => ended };
}

async function whole({ body }: ServerResponse): Promise<Buffer> {
  assert.ok(body.kind === 'chunks');
  return Buffer.concat(await Array.fromAsync(body.chunks));
}

test('more than 128 KiB is compressed for whoever takes gzip', async () => {
  const { response, ended } = pieces(4);
  const answer = await compressed(asked, response);
  assert.equal(answer.headers['content-encoding'], 'gzip');
  assert.deepEqual(answer.headers['vary'], ['Origin', 'Accept-Encoding']);
  const sent = await whole(answer);
  assert.ok(sent.length < 4 * 65_536);
  assert.ok(gunzipSync(sent).equals(Buffer.concat([0, 1, 2, 3].map(at => Buffer.alloc(65_536, at)))));
  assert.equal(ended(), 1);
});

test('what is shorter is sent as it is, and so is everything to others', async () => {
  const short = await compressed(asked, pieces(2).response);
  assert.equal(short.headers['content-encoding'], undefined);
  assert.equal((await whole(short)).length, 2 * 65_536);
  const { response } = pieces(4);
  assert.equal(await compressed({ headers: {} } as unknown as ServerRequest, response), response);
});

test('a reader that goes away ends the source, be it before the first piece', async () => {
  for (const read of [0, 1]) {
    const { response, ended } = pieces(40);
    const { body } = await compressed(asked, response);
    assert.ok(body.kind === 'chunks');
    const iterator = body.chunks[Symbol.asyncIterator]();
    for (let at = 0; at < read; at++) await iterator.next();
    await iterator.return?.();
    assert.equal(ended(), 1, `after ${read} pieces`);
  }
});
