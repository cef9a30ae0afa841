/**
 * The node's DNS server, UDP and TCP on one address: names of the cluster from {@link answerClusterName}, the rest from
 * the host's own resolvers. A CNAME that leads out of the cluster is followed, as clients expect of a recursive server.
 */
import { createSocket, type Socket } from 'node:dgram';
import { createServer, type Server, type Socket as TcpSocket } from 'node:net';
import type { Packet, Question } from 'dns-packet';
import type { Clock, Logger } from '#base';
import { answerClusterName, type DnsView } from './dns-records.ts';

type DnsPacket = typeof import('dns-packet');

export interface DnsServerConfig {
  readonly address: string;
  readonly port: number;
  /** As `cluster.local`. */
  readonly domain: string;
  /** Addresses of the host's resolvers, asked in order; may be empty. */
  readonly upstreams: readonly string[];
}

export interface DnsServerDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly view: DnsView;
}

const upstreamTimeoutMs = 2000;
const authoritative = 1 << 10;
const recursionAvailable = 1 << 7;
const serverFailure = 2;
const nameError = 3;
const udpSizeBytes = 1232;
const truncated = 1 << 9;

/** Listens, then answers until disposed. */
export async function startDnsServer(deps: DnsServerDeps, config: DnsServerConfig): Promise<AsyncDisposable> {
  const { default: dns } = (await import('dns-packet')) as unknown as { default: DnsPacket };
  const respond = async (request: Buffer, maxBytes: number): Promise<Buffer | undefined> => {
    let query: Packet;
    try {
      query = dns.decode(request);
    } catch {
      return undefined;
    }
    const question = query.questions?.[0];
    if (query.type !== 'query' || !question) return undefined;
    const reply = await answer(dns, deps, config, query, question, request);
    if (reply.length <= maxBytes) return reply;
    const short = dns.decode(reply);
    return dns.encode({
      ...short,
      answers: [],
      authorities: [],
      additionals: [],
      flags: (short.flags ?? 0) | truncated,
    });
  };
  const udp = await listenUdp(config, async (message, reply) => {
    const response = await respond(message, udpSizeBytes);
    if (response) reply(response);
  });
  const tcp = await listenTcp(config, message => respond(message, 65535));
  return {
    async [Symbol.asyncDispose]() {
      await Promise.all([
        new Promise<void>(resolve => udp.close(() => resolve())),
        new Promise<void>(resolve => tcp.close(() => resolve())),
      ]);
    },
  };
}

async function answer(
  dns: DnsPacket,
  deps: DnsServerDeps,
  config: DnsServerConfig,
  query: Packet,
  question: Question,
  request: Buffer,
): Promise<Buffer> {
  const name = question.name.toLowerCase();
  const { records, exists } = answerClusterName(deps.view, config.domain, name, question.type);
  if (records === undefined) {
    return (await forward(deps, config, request)) ?? dns.encode(response(query, question, serverFailure, []));
  }
  const cname = records.find(record => record.type === 'CNAME');
  const answers = records.map(record => ({ ...record, class: 'IN' as const }));
  if (cname && question.type !== 'CNAME') {
    const target = { ...question, name: cname.data as string };
    const follow = dns.encode({ type: 'query', id: query.id ?? 0, flags: 1 << 8, questions: [target] });
    const followed = await answer(dns, deps, config, query, target, follow);
    answers.push(...((dns.decode(followed).answers ?? []) as unknown as typeof answers));
  }
  return dns.encode(response(query, question, exists ? 0 : nameError, answers));
}

function response(query: Packet, question: Question, code: number, answers: readonly object[]): Packet {
  const recursionDesired = (query.flags ?? 0) & (1 << 8);
  return {
    type: 'response',
    id: query.id ?? 0,
    flags: authoritative | recursionAvailable | recursionDesired | code,
    questions: [question],
    answers: answers as never,
  };
}

/** The first upstream's answer; undefined when none answers in time. */
async function forward(deps: DnsServerDeps, config: DnsServerConfig, request: Buffer): Promise<Buffer | undefined> {
  for (const upstream of config.upstreams) {
    const reply = await ask(deps.clock, upstream, request);
    if (reply) return reply;
  }
  return undefined;
}

function ask(clock: Clock, upstream: string, request: Buffer): Promise<Buffer | undefined> {
  return new Promise(resolve => {
    const socket = createSocket(upstream.includes(':') ? 'udp6' : 'udp4');
    const finish = (reply: Buffer | undefined): void => {
      timer.cancel();
      socket.close();
      resolve(reply);
    };
    const timer = clock.setTimer(() => finish(undefined), upstreamTimeoutMs);
    socket.once('error', () => finish(undefined));
    socket.on('message', reply => {
      if (reply.length >= 12 && reply.readUInt16BE(0) === request.readUInt16BE(0)) finish(reply);
    });
    socket.connect(53, upstream, () => socket.send(request));
  });
}

function listenUdp(
  config: DnsServerConfig,
  handle: (message: Buffer, reply: (response: Buffer) => void) => Promise<void>,
): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.on('message', (message, peer) => {
    // A peer that is gone makes send fail; it has stopped listening, so there is nobody to tell.
    void handle(message, reply => socket.send(reply, peer.port, peer.address, () => {}));
  });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(config.port, config.address, () => {
      socket.off('error', reject);
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}

/** RFC 1035 4.2.2: every message is preceded by its length in two bytes. */
function listenTcp(config: DnsServerConfig, handle: (message: Buffer) => Promise<Buffer | undefined>): Promise<Server> {
  const server = createServer({ allowHalfOpen: false }, (socket: TcpSocket) => {
    let pending = Buffer.alloc(0);
    socket.on('error', () => socket.destroy());
    socket.setTimeout(10_000, () => socket.destroy());
    socket.on('data', async (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
        const end = 2 + pending.readUInt16BE(0);
        const message = pending.subarray(2, end);
        pending = pending.subarray(end);
        const reply = await handle(message);
        if (!reply) return socket.destroy();
        const length = Buffer.alloc(2);
        length.writeUInt16BE(reply.length);
        socket.write(Buffer.concat([length, reply]));
      }
    });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.port, config.address, () => {
      server.off('error', reject);
      resolve(server);
    });
  });
}
