import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { AgentPool } from './agent-pool.ts';

const makeAgent = (options: object): Agent => new Agent(options);

test('the same identity shares an agent; the one not used for longest is given up', () => {
  using pool = new AgentPool(2, makeAgent);
  const first = pool.get(['a', 1]);
  const second = pool.get(['a', 2]);
  assert.equal(pool.get(['a', 1]), first);
  pool.get(['b', 1]);
  assert.equal(pool.get(['a', 1]), first);
  assert.notEqual(pool.get(['a', 2]), second);
});

test('an agent that is given up ends the calls that it has, and keeps no connection', async () => {
  const waiting: ServerResponse[] = [];
  const server = createServer((_request, response) => {
    waiting.push(response);
    server.emit('waiting');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  using pool = new AgentPool(1, makeAgent);
  const agent = pool.get(['one']);
  const ask = get({ host: '127.0.0.1', port, agent });
  await once(server, 'waiting');
  pool.get(['another']);
  waiting[0]!.end('served');
  const [response] = (await once(ask, 'response')) as [IncomingMessage];
  const { socket } = response;
  assert.equal(await text(response), 'served');
  if (!socket.closed) await once(socket, 'close');
  assert.deepEqual(Object.keys(agent.freeSockets), []);
  server.close();
  await once(server, 'close');
});
