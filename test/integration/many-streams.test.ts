/** Very many watches on one HTTP/2 connection: each sees every change, and requests beside them are answered. */
import assert from 'node:assert/strict';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { test } from 'node:test';
import { startTestApiServer } from '../support/api-server.ts';

/** Of the server's settings: streams of one connection at a time; the rest waits at the client. */
const streamsAtOnce = 1000;

test('a thousand watches on one connection, and two thousand requests that wait for a place', async () => {
  await using server = await startTestApiServer();
  const session: ClientHttp2Session = connect(server.url, { rejectUnauthorized: false });
  const authorization = `Bearer ${server.adminToken}`;
  const open = (path: string): ClientHttp2Stream => session.request({ ':path': path, authorization });
  const path = '/api/v1/namespaces/default/configmaps';
  const watching = streamsAtOnce - 10;
  const seen = new Array<string>(watching).fill('');
  let begun = 0;
  let told = 0;
  await new Promise<void>(resolve => {
    for (let at = 0; at < watching; at++) {
      const stream = open(`${path}?watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan`);
      stream.once('response', headers => {
        assert.equal(headers[':status'], 200);
        if (++begun === watching) resolve();
      });
      stream.on('data', part => {
        seen[at] = `${seen[at]}${part}`;
        if (String(seen[at]).split('\n').length === 4) told++;
      });
      stream.on('error', () => {});
    }
  });
  assert.equal(session.remoteSettings.maxConcurrentStreams, streamsAtOnce);
  for (const name of ['a', 'b', 'c']) {
    await server.transport().request({ method: 'POST', path, body: { metadata: { name } } });
  }
  const answers = await Promise.all(
    Array.from(
      { length: 2000 },
      () =>
        new Promise(resolve => {
          const stream = open('/livez');
          stream.once('response', headers => resolve(headers[':status']));
          stream.resume();
        }),
    ),
  );
  assert.ok(answers.every(status => status === 200));
  for (let wait = 0; wait < 400 && told < watching; wait++) await new Promise(resolve => setTimeout(resolve, 25));
  assert.equal(told, watching);
  const events = seen[0]!
    .trim()
    .split('\n')
    .map(line => JSON.parse(line));
  assert.deepEqual(
    events.map(event => [event.type, event.object.metadata.name]),
    [
      ['ADDED', 'a'],
      ['ADDED', 'b'],
      ['ADDED', 'c'],
    ],
  );
  assert.ok(seen.every(each => each === seen[0]));
  session.destroy();
});
