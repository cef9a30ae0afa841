/** The HTTP side of a protocol upgrade. Upstream: k8s.io/streaming pkg/httpstream/{httpstream.go,spdy/upgrade.go}. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';

/** What Node gives to an `upgrade` listener. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

const versionHeader = 'X-Stream-Protocol-Version';
const acceptedHeader = 'X-Accepted-Stream-Protocol-Versions';

export function isWebSocketUpgrade({ headers }: IncomingMessage): boolean {
  return (headers.upgrade ?? '').toLowerCase() === 'websocket';
}

export function isSpdyUpgrade({ headers }: IncomingMessage): boolean {
  return (headers.upgrade ?? '').toLowerCase() === 'spdy/3.1';
}

/** Answers an upgrade that is not made with a text, and closes. */
export function refuseUpgrade(
  { socket }: Upgrade,
  status: number,
  message: string,
  headers: readonly string[] = [],
): void {
  const body = Buffer.from(message);
  const lines = [
    `HTTP/1.1 ${status} ${message.split('\n')[0]}`,
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${body.length}`,
    'Connection: close',
    ...headers,
  ];
  socket.on('error', () => {});
  socket.end(`${lines.join('\r\n')}\r\n\r\n${message}`);
}

/** As the client listed them, in its order, over however many headers. */
function offeredProtocols(request: IncomingMessage): string[] {
  const raw = request.headers[versionHeader.toLowerCase()];
  return (Array.isArray(raw) ? raw : [raw ?? '']).flatMap(value => value.split(',')).flatMap(each => each.trim() || []);
}

/**
 * Switches to SPDY/3.1 with the first of the client's protocols that is supported; undefined, and refused, when there
 * is none. A client that offers none gets ''.
 */
export function acceptSpdy(upgrade: Upgrade, supported: readonly string[]): string | undefined {
  const offered = offeredProtocols(upgrade.request);
  const protocol = offered.length === 0 ? '' : offered.find(each => supported.includes(each));
  if (protocol === undefined) {
    const text = `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${supported.join(' ')}]`;
    refuseUpgrade(
      upgrade,
      403,
      text,
      supported.map(each => `${acceptedHeader}: ${each}`),
    );
    return undefined;
  }
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: SPDY/3.1'];
  if (protocol) lines.push(`${versionHeader}: ${protocol}`);
  upgrade.socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  return protocol;
}

const maxMessageBytes = 64 * 2 ** 20;

export interface AcceptedSocket {
  readonly socket: WebSocket;
  /** What was agreed on; '' when the client offered nothing. */
  readonly protocol: string;
}

/**
 * Switches to WebSocket with the first supported of the client's subprotocols. The library is not shown their names:
 * it would refuse `SPDY/3.1+portforward.k8s.io`, whose slash is no token by RFC 6455.
 */
export function acceptWebSocket(upgrade: Upgrade, supported: readonly string[]): Promise<AcceptedSocket | undefined> {
  const { 'sec-websocket-protocol': offer = '', ...headers } = upgrade.request.headers;
  const offered = offer.split(',').flatMap(each => each.trim() || []);
  const protocol = offered.find(each => supported.includes(each));
  if (offered.length > 0 && protocol === undefined) {
    refuseUpgrade(upgrade, 403, 'unable to upgrade websocket connection: no supported protocol');
    return Promise.resolve(undefined);
  }
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
  });
  server.on('headers', lines => {
    if (protocol) lines.push(`Sec-WebSocket-Protocol: ${protocol}`);
  });
  const request = Object.create(upgrade.request, { headers: { value: headers } }) as IncomingMessage;
  return new Promise(resolve => {
    upgrade.socket.once('close', () => resolve(undefined));
    server.handleUpgrade(request, upgrade.socket, upgrade.head, socket =>
      resolve({ socket, protocol: protocol ?? '' }),
    );
  });
}
