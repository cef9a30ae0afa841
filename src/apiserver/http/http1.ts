/**
 * HTTP/1.1 and 1.0 on connections that a TLS port hands over: Node's parser, with Go's judgement of what it lets through
 * and of what it does not. Requests of a connection are answered one after the other. Upstream: Go's net/http server.go.
 * Deviation: of what Node's parser does not read, only an unusual first line is answered as upstream does (and without a
 * body); header lines that end in a bare LF or are folded, the same `Content-Length` twice or beside
 * `Transfer-Encoding`, `PRI *` and trailers with spaces in their names are refused. What it passes over is not
 * refused: empty lines before a request, several spaces in its first line.
 * Deviation: HTTP/1.0 connections that are kept are answered as HTTP/1.1.
 */
import {
  createServer,
  type ServerResponse as Http1Response,
  type Server as Http1Server,
  type IncomingMessage,
  METHODS,
} from 'node:http';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { StatusError } from '#apimachinery';
import { acceptWebSocket, isWebSocketUpgrade, type Upgrade } from '#streaming';
import { framed, shortest } from './framing.ts';
import { sendableHeaders } from './header-values.ts';
import {
  chunkProblem,
  expectationOf,
  type Head,
  malformed,
  type Refusal,
  readHead,
  readTarget,
  refusalOf,
  refusalText,
  tooLarge,
} from './http1-rules.ts';
import { discard, type ServerRequest, type ServerResponse } from './message.ts';
import { clientGone, neutral } from './neutral.ts';
import { type Answer, drained, pump, writeRaw } from './sending.ts';

/** As upstream: what a head may have, and some more that its reader takes at once. */
const maxHeadBytes = (1 << 20) + 4096;
/** How many requests of a connection may wait for the answer before them; then nothing more is read. */
const maxWaiting = 100;
/** How much of a body that nobody wanted is read, so that the connection may be used again. */
const maxUnreadBytes = 256 << 10;

export interface Http1Options {
  readonly answer: Answer;
  /** Connections may be used again. */
  keepsAlive(): boolean;
}

/** The request of a connection that was read last, and its answer. */
interface Exchange {
  readonly incoming: IncomingMessage;
  readonly outgoing: Http1Response;
  /** How many were not answered when it came. */
  readonly before: number;
  /** What is wrong with its body. */
  problem?: Error;
}

/** Takes connections by its event `connection`; listens on no port itself. */
export function createHttp1Server(options: Http1Options): Http1Server {
  const server = createServer({
    keepAliveTimeout: 120_000,
    requestTimeout: 0,
    headersTimeout: 32_000,
    maxHeaderSize: maxHeadBytes,
    requireHostHeader: false,
    // A body is not for whom the connection is handed to: such a request is an ordinary one.
    shouldUpgradeCallback: incoming => !hasBody(incoming),
  });
  server.maxHeadersCount = 0;
  const connections = new Http1Connections(options);
  const serve = (incoming: IncomingMessage, outgoing: Http1Response): void => connections.serve(incoming, outgoing);
  for (const event of ['request', 'checkContinue', 'checkExpectation'] as const) server.on(event, serve);
  server.on('upgrade', (incoming, socket, head) => serveUpgrade(incoming, socket, head, options.answer));
  server.on('connect', (incoming, socket) => serveConnect(incoming, socket, options.answer));
  server.on('clientError', (error, socket) => connections.misread(error as ParserError, socket));
  return server;
}

interface ParserError extends Error {
  readonly code?: string;
  readonly reason?: string;
  readonly rawPacket?: Buffer;
  readonly bytesParsed?: number;
}

/** First lines with these are read again, by upstream's rules. */
const unusual: readonly (string | undefined)[] = ['HPE_INVALID_METHOD', 'HPE_INVALID_VERSION', 'HPE_INVALID_URL'];

class Http1Connections {
  readonly #options: Http1Options;
  readonly #last = new WeakMap<Duplex, Exchange>();
  /** Of which nothing more is answered. */
  readonly #over = new WeakSet<Duplex>();

  constructor(options: Http1Options) {
    this.#options = options;
  }

  serve(incoming: IncomingMessage, outgoing: Http1Response): void {
    const { socket } = incoming;
    const before = this.#last.get(socket);
    const exchange: Exchange = {
      incoming,
      outgoing,
      before: before && !before.outgoing.closed ? before.before + 1 : 0,
    };
    this.#last.set(socket, exchange);
    if (exchange.before > maxWaiting) socket.pause();
    outgoing.on('error', () => {});
    incoming.on('error', () => {});
    this.#after(before, socket, () => {
      if (exchange.before > maxWaiting) socket.resume();
      this.#serve(exchange);
    });
  }

  /** When the answer before is sent, if there is one; never on a connection that has ended. */
  #after(before: Exchange | undefined, socket: Duplex, then: () => void): void {
    const go = (): void => {
      if (socket.writable && !this.#over.has(socket)) then();
    };
    if (!before || before.outgoing.closed) go();
    else before.outgoing.once('close', go);
  }

  #refuse(socket: Duplex, refusal: Refusal): void {
    this.#over.add(socket);
    socket.end(refusalText(refusal), 'latin1');
  }

  #serve(exchange: Exchange): void {
    const { incoming, outgoing } = exchange;
    const { socket } = incoming;
    const head = headOf(incoming);
    const refused = refusalOf(head);
    if (refused) return void this.#refuse(socket, refused);
    if (head.target === '*' && head.method === 'OPTIONS') return void outgoing.end();
    const expected = expectationOf(head, hasBody(incoming));
    if (expected === 'failed') {
      return void outgoing.writeHead(417, { connection: 'close', 'content-length': '0' }).end();
    }
    const gone = new AbortController();
    const torn = (): void => {
      if (gone.signal.aborted) return;
      outgoing.destroy();
      outgoing.emit('close');
    };
    socket.once('close', torn);
    outgoing.on('close', () => {
      socket.off('close', torn);
      gone.abort(clientGone);
    });
    let isUnsaid = expected === 'continue';
    const reads = (): void => {
      if (isUnsaid) outgoing.writeContinue();
      isUnsaid = false;
    };
    const common = { signal: gone.signal, source: incoming, problem: () => exchange.problem, reads };
    const request = neutral({ ...partsOf(incoming, head), ...common });
    // Once it ends with its answer, what else comes on the connection is not read.
    const endsAfter = head.version === '1.0' && !outgoing.shouldKeepAlive;
    if (endsAfter) this.#over.add(socket);
    this.#options.answer(request, endsAfter ? socket : outgoing, async plain => {
      const response = await framed(request.method, plain, shortest.http1);
      const isClosing = endsAfter || isUnsaid || !this.#options.keepsAlive() || !outgoing.shouldKeepAlive;
      const isRead =
        isClosing || response.body.kind === 'hijacked' || (await isReadToItsEnd(exchange, response.status));
      if (endsAfter) return writeRaw(response, socket, { version: '1.0', isHead: request.method === 'HEAD' });
      return send(response, exchange, isRead && !isClosing);
    });
  }

  /** What Node's parser could not read. */
  misread(error: ParserError, socket: Duplex): void {
    const { code, rawPacket = Buffer.alloc(0), bytesParsed = 0 } = error;
    if (!socket.writable || !code?.startsWith('HPE_')) return void socket.destroy();
    if (code === 'HPE_CLOSED_CONNECTION' || this.#over.has(socket)) return;
    const last = this.#last.get(socket);
    if (last && !last.incoming.complete) {
      last.problem ??= new StatusError({ code: 500, message: chunkProblem(error) });
      return void last.incoming.emit('error', last.problem);
    }
    // A packet begins with a request where there was none before it, or whose answer is long sent.
    const isFirst = !last || last.outgoing.closed;
    this.#after(last, socket, () => {
      if (code === 'HPE_HEADER_OVERFLOW') return this.#refuse(socket, tooLarge);
      const head = isFirst ? readHead(rawPacket) : malformed;
      if (!('target' in head)) return this.#refuse(socket, head);
      const isUnusual = unusual.includes(code) && bytesParsed <= rawPacket.indexOf('\r\n');
      // Of a method that it knows the parser would not have said so: the packet does not begin with it.
      const isTorn = code === 'HPE_INVALID_METHOD' && METHODS.includes(head.method);
      if (!isUnusual || isTorn) return this.#refuse(socket, malformed);
      this.#over.add(socket);
      serveStrange(head, socket, this.#options.answer);
    });
  }
}

/** Sends an answer by Node's means. */
function send(response: ServerResponse, { incoming, outgoing }: Exchange, keepsAlive: boolean): void | Promise<void> {
  if (outgoing.destroyed) return discard(response);
  const { body } = response;
  if (body.kind === 'hijacked') return;
  const { 'transfer-encoding': _chunked, ...headers } = sendableHeaders(response.headers);
  if (!keepsAlive) headers['connection'] = 'close';
  // Connections of HTTP/1.1 stay; Go does not say so.
  else if (incoming.httpVersion === '1.1') outgoing.removeHeader('connection');
  if (response.status === 416) outgoing.statusMessage = 'Requested Range Not Satisfiable';
  outgoing.writeHead(response.status, headers);
  if (body.kind === 'empty') return void outgoing.end();
  if (body.kind === 'bytes') return void outgoing.end(body.bytes);
  outgoing.flushHeaders();
  return pump(body, outgoing);
}

/** Reads what nobody read of a body, unless it is too much of it, or somebody is about to. */
function isReadToItsEnd({ incoming, problem }: Exchange, status: number): boolean | Promise<boolean> {
  if (problem) return false;
  if (incoming.complete || !hasBody(incoming)) return true;
  if (incoming.destroyed) return false;
  // It is on its way to another server, which has answered already.
  if (incoming.listenerCount('readable') > 0) return status < 400;
  return new Promise(resolve => {
    let size = 0;
    incoming.on('data', (part: Buffer) => {
      size += part.length;
      if (size <= maxUnreadBytes) return;
      incoming.pause();
      resolve(false);
    });
    incoming.once('end', () => resolve(true));
    for (const event of ['error', 'close'] as const) incoming.once(event, () => resolve(false));
    // Whoever had enough of it has paused it.
    incoming.resume();
  });
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

function headOf({ method = 'GET', url = '/', httpVersion, rawHeaders }: IncomingMessage): Head {
  return { method, target: url, version: httpVersion, rawHeaders };
}

function partsOf(incoming: IncomingMessage, { method, target, rawHeaders }: Head) {
  const { url, host = incoming.headers.host } = readTarget(method, target)!;
  return { method, url, host, headers: incoming.headers, rawHeaders, socket: incoming.socket as TLSSocket };
}

/** Aborted when the connection ends. */
function untilClosed(socket: Duplex): AbortSignal {
  const gone = new AbortController();
  socket.on('close', () => gone.abort(clientGone));
  socket.on('error', () => {});
  return gone.signal;
}

function serveUpgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer, answer: Answer): void {
  const refused = refusalOf(headOf(incoming));
  if (refused) return void socket.end(refusalText(refused));
  const common = { signal: untilClosed(socket), source: nothing() };
  const request: ServerRequest = {
    ...neutral({ ...partsOf(incoming, headOf(incoming)), ...common }),
    upgrade: { socket, head },
  };
  answer(request, socket, response => {
    const watched = response.body.kind === 'watch' && isWebSocketUpgrade(incoming);
    return watched ? serveWatch(response, { request: incoming, socket, head }) : writeRaw(response, socket);
  });
}

/**
 * A watch over WebSocket: each event is a message, text unless it is protobuf; what the client says is not heard.
 * Upstream: apiserver pkg/endpoints/handlers/watch.go HandleWS, whose library asks for an origin.
 */
async function serveWatch(response: ServerResponse, upgrade: Upgrade): Promise<void> {
  const { request, socket } = upgrade;
  if (!request.headers.origin) {
    discard(response);
    return void socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
  }
  const accepted = await acceptWebSocket(upgrade, [request.headers['sec-websocket-protocol'] ?? '']);
  if (!accepted || response.body.kind !== 'watch') return discard(response);
  const { socket: client } = accepted;
  client.on('error', () => {});
  const binary = String(response.headers['content-type']).includes('protobuf');
  for await (const events of response.body.events) {
    for (const event of events) client.send(event.frame(), { binary });
    if (client.readyState !== client.OPEN) break;
    if (socket.writableNeedDrain) await drained(socket);
  }
  client.close();
}

/** A method like any other here: there is no tunnel, whatever the client asks to be led to. */
function serveConnect(incoming: IncomingMessage, socket: Duplex, answer: Answer): void {
  const head = headOf(incoming);
  const refused = refusalOf(head);
  if (refused) return void socket.end(refusalText(refused));
  const common = { signal: untilClosed(socket), source: nothing() };
  answer(neutral({ ...partsOf(incoming, head), ...common }), socket, response => writeRaw(response, socket));
}

/** A request with a first line that Node's parser does not know: answered as any other, without its body. */
function serveStrange({ method, target, rawHeaders }: Head, socket: Duplex, answer: Answer): void {
  const headers: Record<string, string> = {};
  for (let at = 0; at < rawHeaders.length; at += 2) headers[rawHeaders[at]!.toLowerCase()] ??= rawHeaders[at + 1]!;
  const { url, host = headers['host'] } = readTarget(method, target)!;
  const escaped = url.replace(/[\x80-\xff]/g, byte => `%${byte.charCodeAt(0).toString(16)}`);
  const common = { method, url: escaped, headers, rawHeaders, host, signal: untilClosed(socket), source: nothing() };
  answer(neutral({ ...common, socket: socket as TLSSocket }), socket, response => writeRaw(response, socket));
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
