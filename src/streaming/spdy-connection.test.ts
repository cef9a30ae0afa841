import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { duplexPair } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { test } from 'node:test';
import { SpdyConnection, type SpdyStream } from './spdy-connection.ts';
import { spdyDictionary } from './spdy-dictionary.ts';

/** Two connections that speak to each other. */
function connected(onStream: (stream: SpdyStream) => void): { client: SpdyConnection; server: SpdyConnection } {
  const [a, b] = duplexPair();
  const server = new SpdyConnection(b, { side: 'server', onStream });
  const client = new SpdyConnection(a, { side: 'client' });
  return { client, server };
}

test('the dictionary is the one of the specification', () => {
  assert.equal(spdyDictionary.length, 1423);
  const digest = createHash('sha1').update(spdyDictionary).digest('hex');
  assert.equal(digest, 'd68ca9b208de9c3754703445a22cf668a5abebb3');
});

test('streams carry headers, data both ways, and end each way by itself', async () => {
  const seen: SpdyStream[] = [];
  const { client, server } = connected(stream => {
    seen.push(stream);
    stream.pipe(stream);
  });
  const [first, second] = await Promise.all([
    client.openStream({ streamType: 'stdin', port: '80' }),
    client.openStream({ streamtype: 'stdout' }),
  ]);
  first.end('hello');
  second.end('world');
  assert.deepEqual(await Promise.all([text(first), text(second)]), ['hello', 'world']);
  assert.deepEqual(
    seen.map(({ id, headers }) => [id, { ...headers }]),
    [
      [1, { streamtype: 'stdin', port: '80' }],
      [3, { streamtype: 'stdout' }],
    ],
  );
  await client.ping();
  await client.close();
  await Promise.all([client.closed, server.closed]);
});

test('megabytes pass a slow reader without being lost or piled up', async () => {
  const sent = randomBytes(5_000_000);
  const { client } = connected(stream => stream.end(sent));
  const stream = await client.openStream({}, { end: true });
  await new Promise(resolve => setImmediate(resolve));
  assert.ok(sent.equals(await buffer(stream)));
  client.destroy();
  await client.closed;
});

test('a reset ends a stream at both ends, garbage the connection', async () => {
  const opened = Promise.withResolvers<SpdyStream>();
  const { client, server } = connected(stream => opened.resolve(stream));
  const stream = await client.openStream({});
  const other = await opened.promise;
  const closed = new Promise(resolve => other.once('close', resolve));
  stream.destroy();
  await closed;
  const [a, b] = duplexPair();
  const victim = new SpdyConnection(a, { side: 'server', onStream: () => {} });
  b.write(Buffer.from([0x80, 3, 0, 1, 0, 0, 0, 14, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]));
  await victim.closed;
  client.destroy();
  await Promise.all([client.closed, server.closed]);
});
