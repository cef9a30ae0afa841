/**
 * Many watches over HTTP/2: each sees every change, requests beside them are answered, and who does not read is cut off
 * alone.
 */
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

test('a watch that is not read is ended, and others miss nothing', async () => {
  await using server = await startTestApiServer();
  const authorization = `Bearer ${server.adminToken}`;
  const path = '/api/v1/namespaces/default/configmaps';
  const watched = `${path}?watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan`;
  const [slow, quick] = [0, 1].map(() => connect(server.url, { rejectUnauthorized: false }));
  const opened = async (session: ClientHttp2Session): Promise<ClientHttp2Stream> => {
    const stream = session.request({ ':path': watched, authorization });
    stream.on('error', () => {});
    const headers = await new Promise<{ ':status'?: number }>(resolve => stream.once('response', resolve));
    assert.equal(headers[':status'], 200);
    return stream;
  };
  const unread = await opened(slow!);
  const read = await opened(quick!);
  let text = '';
  read.on('data', part => {
    text += part;
  });
  // More events than may wait for a reader.
  const transport = server.transport();
  const names = Array.from({ length: 50 }, (_, at) => `busy-${at}`);
  const rounds = 230;
  const changes = names.length * (rounds + 1);
  const bodyOf = (name: string, round: number) => ({ metadata: { name }, data: { round: `${round}` } });
  const seen = (): number => text.split('\n').length - 1;
  const caughtUp = async (count: number): Promise<void> => {
    for (let wait = 0; wait < 400 && seen() < count; wait++) await new Promise(resolve => setTimeout(resolve, 25));
    assert.equal(seen(), count);
  };
  for (let round = 0; round <= rounds; round++) {
    const write = (name: string) =>
      round === 0
        ? transport.request({ method: 'POST', path, body: bodyOf(name, round) })
        : transport.request({ method: 'PUT', path: `${path}/${name}`, body: bodyOf(name, round) });
    await Promise.all(names.map(write));
    if (round % 10 === 0) await caughtUp(names.length * (round + 1));
  }
  await caughtUp(changes);
  const metrics =
    (await (await fetchText(quick!, '/metrics', authorization)).match(/^apiserver_terminated_watchers_total.*$/gm)) ??
    [];
  assert.match(metrics.join('\n'), /resource="configmaps"\} 1$/m);
  // What had been sent is there to be read, then the stream is over.
  let late = 0;
  const ended = new Promise<void>(resolve => unread.once('close', () => resolve()));
  unread.on('data', part => {
    late += String(part).split('\n').length - 1;
  });
  await ended;
  assert.ok(late < changes, `${late} events`);
  for (const session of [slow!, quick!]) session.destroy();
});

async function fetchText(session: ClientHttp2Session, path: string, authorization: string): Promise<string> {
  const stream = session.request({ ':path': path, authorization });
  let text = '';
  for await (const part of stream) text += part;
  return text;
}
