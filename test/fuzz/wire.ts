/**
 * Bytes below requests: HTTP/2 frames in wrong order, of wrong length, in floods; HTTP/1 lines of chance; upgrades to
 * WebSocket and SPDY with odd headers and odd frames; connections that are half open, or send a byte and wait. A server
 * may refuse and hang up as it likes; it has to go on answering others, and to let go of what has ended.
 */
import { connect, type TLSSocket } from 'node:tls';
import { systemClock } from '#base';
import type { TestApiServer } from '../support/api-server.ts';
import { send } from '../support/http.ts';
import type { Dice } from './dice.ts';
import { strangeText } from './strange-values.ts';

const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

function frame(type: number, flags: number, stream: number, payload: Uint8Array, length = payload.length): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(length & 0xff_ff_ff, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream >>> 0, 5);
  return Buffer.concat([head, payload]);
}

function chance(dice: Dice, most: number): Buffer {
  return Buffer.from(Array.from({ length: dice.below(most + 1) }, () => dice.below(256)));
}

/** A header block without a dictionary: literal fields with names of their own. */
function headerBlock(fields: ReadonlyArray<readonly [string, string]>): Buffer {
  const text = (value: string): Buffer => {
    const bytes = Buffer.from(value.slice(0, 120));
    return Buffer.concat([Buffer.from([Math.min(bytes.length, 126)]), bytes.subarray(0, 126)]);
  };
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

function requestBlock(dice: Dice): Buffer {
  const fields: Array<[string, string]> = [
    [':method', dice.pick(['GET', 'POST', 'CONNECT', strangeText(dice)])],
    [':path', dice.pick(['/livez', '/api/v1/pods?watch=1', strangeText(dice)])],
    [':scheme', 'https'],
    [':authority', 'localhost'],
  ];
  if (dice.chance(0.3)) fields.push([strangeText(dice), strangeText(dice)]);
  if (dice.chance(0.2)) fields.splice(dice.below(4), 1);
  if (dice.chance(0.1)) fields.push(...Array.from({ length: 300 }, (): [string, string] => ['x', 'y'.repeat(100)]));
  return headerBlock(fields);
}

function http2(dice: Dice): Buffer[] {
  const out: Buffer[] = [Buffer.from(dice.chance(0.95) ? preface : strangeText(dice)), frame(4, 0, 0, Buffer.alloc(0))];
  const flood = dice.chance(0.2) ? dice.pick([200, 3000]) : 0;
  for (let at = dice.below(12); at > 0; at--) {
    const stream = dice.pick([0, 1, 3, 5, 2, 0x7f_ff_ff_ff, dice.below(2 ** 31)]);
    switch (dice.below(7)) {
      case 0:
      case 1:
        out.push(frame(1, dice.pick([4, 5, 0, 0x24, 0x2c]), stream, requestBlock(dice)));
        break;
      case 2:
        out.push(frame(9, dice.pick([0, 4]), stream, chance(dice, 200)));
        break;
      case 3:
        out.push(frame(8, 0, stream, Buffer.from([0x7f, 0xff, 0xff, 0xff])));
        break;
      case 4:
        out.push(frame(4, dice.pick([0, 1]), dice.pick([0, 1]), chance(dice, 36)));
        break;
      case 5:
        out.push(frame(dice.below(12), dice.below(256), stream, chance(dice, 64), dice.below(2 ** 24)));
        break;
      default:
        out.push(frame(dice.below(12), dice.below(256), stream, chance(dice, 64)));
    }
  }
  const kind = dice.below(4);
  for (let at = 0; at < flood; at++) {
    if (kind === 0) out.push(frame(6, 0, 0, Buffer.alloc(8)));
    else if (kind === 1) out.push(frame(4, 0, 0, Buffer.alloc(0)));
    else {
      out.push(
        frame(
          1,
          5,
          101 + at * 2,
          headerBlock([
            [':method', 'GET'],
            [':path', '/livez'],
            [':scheme', 'https'],
          ]),
        ),
      );
      if (kind === 2) out.push(frame(3, 0, 101 + at * 2, Buffer.alloc(4)));
    }
  }
  return out;
}

const places = [
  '/livez',
  '/api/v1/namespaces/default/pods/x/exec?command=ls&stdout=1',
  '/api/v1/namespaces/default/pods/x/portforward?ports=80',
  '/api/v1/namespaces/default/services/x/proxy/',
  '/api/v1/pods?watch=1',
];

function http1(dice: Dice, token: string): Buffer[] {
  const lines = [
    `${dice.pick(['GET', 'POST', 'PUT', 'FOO', ' '])} ${dice.pick(places)} HTTP/${dice.pick(['1.1', '1.0', '9.9'])}`,
    'host: localhost',
    ...(dice.chance(0.8) ? [`authorization: Bearer ${token}`] : []),
  ];
  if (dice.chance(0.6)) {
    lines.push(
      'connection: Upgrade',
      `upgrade: ${dice.pick(['websocket', 'SPDY/3.1', 'h2c', 'x'])}`,
      `sec-websocket-version: ${dice.pick(['13', '0', 'x'])}`,
      `sec-websocket-key: ${dice.pick(['dGhlIHNhbXBsZSBub25jZQ==', '', 'x'.repeat(5000)])}`,
      `sec-websocket-protocol: ${dice.pick(['v5.channel.k8s.io', 'v4.channel.k8s.io,x', ',,', 'base64.x'])}`,
    );
  }
  if (dice.chance(0.4)) lines.push(`content-length: ${dice.pick(['0', '5', '-1', '1e9', '99999999999'])}`);
  if (dice.chance(0.3)) lines.push(`transfer-encoding: ${dice.pick(['chunked', 'chunked, chunked', 'gzip', 'x'])}`);
  if (dice.chance(0.3)) lines.push(`${dice.pick(['a', '', ' ', 'content-length'])}: ${strangeText(dice)}`);
  const head = Buffer.from(`${lines.join('\r\n')}${dice.chance(0.9) ? '\r\n\r\n' : ''}`);
  return [head, chance(dice, 300), Buffer.from(dice.pick(['', 'ffffffffffffffff\r\n', '5\r\nhello\r\n0\r\n\r\n']))];
}

async function converse(server: TestApiServer, dice: Dice): Promise<void> {
  const second = dice.chance(0.6);
  const socket: TLSSocket = connect({
    host: '127.0.0.1',
    port: server.port,
    rejectUnauthorized: false,
    ALPNProtocols: dice.pick([['h2'], ['http/1.1'], second ? ['h2', 'http/1.1'] : ['http/1.1'], []]),
  });
  socket.on('error', () => {});
  socket.on('data', () => {});
  const closed = new Promise<void>(resolve => socket.once('close', () => resolve()));
  await new Promise<void>(resolve => {
    socket.once('secureConnect', resolve);
    socket.once('close', () => resolve());
  });
  for (const bytes of second ? http2(dice) : http1(dice, server.adminToken)) {
    if (socket.destroyed) break;
    socket.write(dice.chance(0.9) ? bytes : bytes.subarray(0, dice.below(bytes.length + 1)));
    if (dice.chance(0.1)) await systemClock.sleep(dice.below(5));
  }
  // Half of them hang up in words, some by tearing the connection, some just stand there for a while.
  if (dice.chance(0.5)) socket.end();
  await Promise.race([closed, systemClock.sleep(dice.pick([5, 20, 200]))]);
  socket.destroy();
  await closed;
}

export interface WireReport {
  readonly conversations: number;
  readonly problems: readonly string[];
}

/** Converses for a while, several at a time, and asks now and then whether the server still answers. */
export async function fuzzWire(server: TestApiServer, dice: Dice, seconds: number): Promise<WireReport> {
  const until = systemClock.monotonicMs() + seconds * 1000;
  const problems: string[] = [];
  let conversations = 0;
  while (systemClock.monotonicMs() < until && problems.length === 0) {
    await Promise.all(Array.from({ length: 8 }, () => converse(server, dice)));
    conversations += 8;
    const answer = await Promise.race([send(server, { path: '/livez' }), systemClock.sleep(15_000)]);
    if (answer?.code !== 200) problems.push(`after ${conversations} conversations /livez answered ${answer?.code}`);
  }
  return { conversations, problems };
}
