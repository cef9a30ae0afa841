/** Watches on connections that are not asked in the usual way: WebSockets, other upgrades, one behind another. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { send } from '../support/http.ts';

const path = '/api/v1/namespaces?watch=1&fieldSelector=metadata.name=default';
let server: TestApiServer;
before(async () => {
  server = await startTestApiServer();
});
after(() => server[Symbol.asyncDispose]());

function socketOf(headers: Record<string, string>): WebSocket {
  const authorization = `Bearer ${server.adminToken}`;
  const url = `wss://127.0.0.1:${server.port}${path}`;
  return new WebSocket(url, { rejectUnauthorized: false, headers: { authorization, ...headers } });
}

async function longRunning(): Promise<number> {
  const { text } = await send(server, { path: '/metrics' });
  const found = text.matchAll(/^apiserver_longrunning_requests\{.*verb="WATCH".*\} (\d+)$/gm);
  return [...found].reduce((sum, [, n]) => sum + Number(n), 0);
}

async function noneLeft(): Promise<void> {
  for (let at = 0; at < 200 && (await longRunning()) > 0; at++) await new Promise(resolve => setTimeout(resolve, 25));
  assert.equal(await longRunning(), 0);
}

test('each event of a watch over WebSocket is a message', async () => {
  const socket = socketOf({ origin: 'http://localhost' });
  const message = await new Promise<string>((resolve, reject) => {
    socket.once('message', (data, binary) => resolve(`${binary} ${data}`));
    socket.once('error', reject);
  });
  assert.match(message, /^false \{"type":"ADDED","object":\{"kind":"Namespace",.*\}\}\n$/);
  socket.close();
  await noneLeft();
});

test('without an origin it is forbidden, as upstream has it', async () => {
  const socket = socketOf({});
  const status = await new Promise(resolve => {
    socket.on('error', () => {});
    socket.once('unexpected-response', (_request, response) => resolve(response.statusCode));
  });
  assert.equal(status, 403);
  await noneLeft();
});

/** A connection on which `text` was sent; `seen` resolves when what came matches. */
async function raw(text: string): Promise<{ socket: TLSSocket; seen(pattern: RegExp): Promise<void> }> {
  const socket = connect({ host: '127.0.0.1', port: server.port, rejectUnauthorized: false });
  await new Promise<void>(resolve => socket.once('secureConnect', resolve));
  let all = '';
  socket.write(text);
  return {
    socket,
    seen: pattern =>
      new Promise(resolve =>
        socket.on('data', part => {
          all += part;
          if (pattern.test(all)) resolve();
        }),
      ),
  };
}

const ask = (more: string): string =>
  `GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${server.adminToken}\r\n${more}\r\n`;

test('an upgrade that a watch does not know is not made; the watch is answered', async () => {
  const { socket, seen } = await raw(ask('connection: upgrade\r\nupgrade: spdy/3.1\r\n'));
  await seen(/^HTTP\/1\.1 200 OK[\s\S]*"type":"ADDED"/);
  socket.destroy();
  await noneLeft();
});

test('watches that wait behind another on their connection end with it', async () => {
  const { socket, seen } = await raw(ask('') + ask('') + ask(''));
  await seen(/"type":"ADDED"/);
  assert.ok((await longRunning()) >= 1);
  socket.destroy();
  await noneLeft();
});
