/**
 * Forwarding of ports of a pod: over SPDY, over SPDY tunnelled in a WebSocket, and by the older channel protocol.
 * Upstream: k8s.io/cri-streaming pkg/streaming/portforward, apiserver's tunnelling of SPDY.
 */
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createWebSocketStream } from 'ws';
import { Channels, channelProtocols } from './channels.ts';
import { SpdyConnection, type SpdyStream } from './spdy-connection.ts';
import {
  acceptSpdy,
  acceptWebSocket,
  isSpdyUpgrade,
  isWebSocketUpgrade,
  refuseUpgrade,
  type Upgrade,
} from './upgrade.ts';

/** Connects to a port of the pod; an error's message goes to the client. */
export type OpenPort = (port: number) => Promise<Duplex>;

export interface PortForwardTarget {
  readonly open: OpenPort;
  /** As `<namespace>_<name>, uid <uid>`, for messages. */
  readonly pod: string;
  readonly uid: string;
}

const portForwardProtocol = 'portforward.k8s.io';
export const tunnelProtocol = 'SPDY/3.1+portforward.k8s.io';

/** Resolves when the client is gone; never rejects. */
export async function servePortForward(upgrade: Upgrade, target: PortForwardTarget): Promise<void> {
  upgrade.socket.on('error', () => {});
  if (isWebSocketUpgrade(upgrade.request)) {
    const offered = upgrade.request.headers['sec-websocket-protocol'] ?? '';
    if (offered.includes(tunnelProtocol)) await serveTunnel(upgrade, target);
    else await serveChannels(upgrade, target);
  } else if (isSpdyUpgrade(upgrade.request)) {
    if (acceptSpdy(upgrade, [portForwardProtocol]) === undefined) return;
    await serveSpdy(upgrade.socket, upgrade.head, target);
  } else refuseUpgrade(upgrade, 400, 'unable to upgrade: missing upgrade headers in request');
}

async function serveTunnel(upgrade: Upgrade, target: PortForwardTarget): Promise<void> {
  const accepted = await acceptWebSocket(upgrade, [tunnelProtocol]);
  if (!accepted) return;
  const stream = createWebSocketStream(accepted.socket);
  stream.on('error', () => {});
  await serveSpdy(stream, undefined, target);
}

interface Pair {
  data?: SpdyStream;
  error?: SpdyStream;
}

async function serveSpdy(transport: Duplex, head: Buffer | undefined, target: PortForwardTarget): Promise<void> {
  const pairs = new Map<string, Pair>();
  const connection = new SpdyConnection(transport, {
    side: 'server',
    ...(head && { head }),
    onStream(stream) {
      const type = stream.headers['streamtype'];
      const port = portOf(stream.headers['port']);
      if ((type !== 'data' && type !== 'error') || port === undefined) {
        stream.destroy();
        return;
      }
      // Older clients send no request id: their streams come in pairs of consecutive odd numbers, error first.
      const request = stream.headers['requestid'] || String(type === 'error' ? stream.id : stream.id - 2);
      const pair = pairs.get(request) ?? {};
      if (pair[type]) {
        stream.destroy();
        return;
      }
      pair[type] = stream;
      pairs.set(request, pair);
      if (!pair.data || !pair.error) return;
      pairs.delete(request);
      void forward(pair.data, pair.error, port, target);
    },
  });
  await connection.closed;
}

function portOf(text: string | undefined): number | undefined {
  const port = Number(text);
  return /^\d+$/.test(text ?? '') && port > 0 && port < 65_536 ? port : undefined;
}

/** Both streams are done with when this resolves; it never rejects. */
async function forward(
  data: Duplex,
  error: Duplex,
  port: number,
  { open, pod, uid }: PortForwardTarget,
): Promise<void> {
  let remote: Duplex;
  try {
    remote = await open(port);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    error.end(`error forwarding port ${port} to pod ${pod}, uid ${uid}: ${why}`);
    data.destroy();
    return;
  }
  error.resume();
  // The client's end may come first (a request that is half-closed); the pod's end ends both.
  const inward = pipeline(data, remote).catch(() => {});
  await pipeline(remote, data, { end: true }).catch(() => {});
  data.end();
  error.end();
  await Promise.race([inward, new Promise(resolve => data.once('close', resolve))]);
  remote.destroy();
}

const channelForward = [channelProtocols.v4, channelProtocols.v4Base64, channelProtocols.binary] as const;

/** Two channels a port, data and error, each begun with the port as two bytes, the lower first. */
async function serveChannels(upgrade: Upgrade, target: PortForwardTarget): Promise<void> {
  const query = new URL(upgrade.request.url ?? '/', 'http://localhost').searchParams;
  const texts = query
    .getAll('port')
    .concat(query.getAll('ports'))
    .flatMap(value => value.split(','));
  const ports = texts.map(portOf);
  if (ports.length === 0 || ports.includes(undefined)) {
    const message = ports.length === 0 ? 'query parameter "port" is required' : `unable to parse "${texts}" as a port`;
    refuseUpgrade(upgrade, 400, message);
    return;
  }
  const accepted = await acceptWebSocket(upgrade, channelForward);
  if (!accepted) return;
  const channels = new Channels(accepted, ports.length * 2);
  await Promise.all(
    ports.map(async (port, index) => {
      const data = channels.get(index * 2);
      const error = channels.get(index * 2 + 1);
      const head = Buffer.alloc(2);
      head.writeUInt16LE(port!);
      data.write(head);
      error.write(head);
      await forward(data, error, port!, target);
    }),
  );
  channels.close();
}
