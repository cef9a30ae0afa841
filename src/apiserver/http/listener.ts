/**
 * One TLS port for HTTP/2 and HTTP/1.1, by what the client's ALPN chooses. Turns both into neutral requests and writes
 * neutral responses with regard for slow readers. Upstream: apiserver pkg/server/secure_serving.go.
 */
import type { X509Certificate } from 'node:crypto';
import {
  createServer as createHttp1,
  type ServerResponse as Http1Response,
  type Server as Http1Server,
  type IncomingMessage,
  STATUS_CODES,
} from 'node:http';
import {
  createServer as createHttp2,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { type Duplex, Readable } from 'node:stream';
import { createServer as createTls, type TLSSocket } from 'node:tls';
import { requestEntityTooLarge } from '#apimachinery';
import { systemClock } from '#base';
import { acceptWebSocket, isWebSocketUpgrade, type Upgrade } from '#streaming';
import { PortCertificates, type TlsConfig } from './certificates.ts';
import { framed, shortest } from './framing.ts';
import { sendableHeaders } from './header-values.ts';
import {
  decodePath,
  discard,
  type PresentedCertificates,
  Query,
  type ServerRequest,
  type ServerResponse,
} from './message.ts';

export interface ListenOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly tls: TlsConfig;
  /** Requests at once on one connection of HTTP/2; default 1000. */
  readonly maxConcurrentStreams?: number;
  /** Offers no HTTP/2. */
  readonly http1Only?: boolean;
  /** Others may listen on the same address and port (SO_REUSEPORT). */
  readonly reusePort?: boolean;
  /** Told of every connection that did not get beyond its handshake. */
  readonly onHandshakeError?: () => void;
  /** Told of what went wrong while an answer was sent: a fault of ours, which ends that answer alone. */
  readonly onAnswerError: (error: unknown) => void;
}

export type Entry = (request: ServerRequest) => Promise<ServerResponse>;

/** Writes what the server answers to `request`; `sink`, to which it goes, is closed if that fails. */
type Answer = (
  request: ServerRequest,
  sink: Pick<Sink, 'destroy'>,
  write: (response: ServerResponse) => unknown,
) => void;

export interface Listener extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  /** No new connections; those that there are end when they have no request any more. */
  stopAccepting(): void;
  /** From now on other authorities (PEM) are the ones whose client certificates are accepted. */
  trust(clientCaPem: string): void;
  /**
   * From now on these certificates are shown, and clients' authorities trusted where they are given. Throws, changing
   * nothing, when one does not belong to its key.
   */
  serve(serving: Pick<TlsConfig, 'certPem' | 'keyPem' | 'sni'> & { readonly clientCaPem?: string }): void;
}

/** HTTP/2: enough for informers of a whole cluster on one connection. */
const http2Settings = { maxConcurrentStreams: 1000, initialWindowSize: 1 << 20, maxHeaderListSize: 1 << 20 };
const maxSessionMemoryMb = 64;

/** Opens the port. */
export async function listen(options: ListenOptions, entry: Entry): Promise<Listener> {
  const answer: Answer = (request, sink, write) => {
    const broken = (error: unknown): void => {
      options.onAnswerError(error);
      sink.destroy(error instanceof Error ? error : new Error(String(error)));
    };
    entry(request).then(write).catch(broken);
  };
  const sockets = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  const { maxConcurrentStreams = http2Settings.maxConcurrentStreams, http1Only = false, reusePort = false } = options;
  const h2 = createHttp2({
    settings: { ...http2Settings, maxConcurrentStreams },
    maxSessionMemory: maxSessionMemoryMb,
  });
  h2.on('stream', (stream, headers, _flags, raw) => serveHttp2(stream as ServerHttp2Stream, headers, raw, answer));
  h2.on('session', session => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => {});
  });
  const h1 = createHttp1({
    keepAliveTimeout: 120_000,
    requestTimeout: 0,
    headersTimeout: 32_000,
    maxHeaderSize: 1 << 20,
  });
  let accepting = true;
  h1.on('request', (request, response) => serveHttp1(request, response, answer, () => accepting));
  h1.on('upgrade', (request, socket, head) => serveUpgrade(request, socket, head, answer));
  h1.on('connect', (request, socket) => serveConnect(request, socket, answer));
  h1.on('clientError', (error, socket) => {
    const { code, rawPacket } = error as Error & { code?: string; rawPacket?: Buffer };
    if (code === 'HPE_INVALID_METHOD' && rawPacket && socket.writable) return serveStrange(rawPacket, socket, answer);
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
  });
  const certificates = new PortCertificates(options.tls);
  // Whom a certificate makes of its holder, and whether it is good, is for authentication to say.
  const ALPNProtocols = http1Only ? ['http/1.1'] : ['h2', 'http/1.1'];
  const handshake = { requestCert: true, rejectUnauthorized: false, ALPNProtocols };
  const tls = createTls({ ...certificates.options, ...handshake });
  tls.on('connection', socket => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  tls.on('tlsClientError', () => options.onHandshakeError?.());
  tls.on('secureConnection', socket => dispatch(socket, h1, h2));
  await new Promise<void>((resolve, reject) => {
    tls.once('error', reject);
    tls.listen({ port: options.port, host: options.host, reusePort }, () => {
      tls.off('error', reject);
      resolve();
    });
  });
  const { port } = tls.address() as AddressInfo;
  const host = options.host;
  const { promise: closed, resolve: onClosed } = Promise.withResolvers<void>();
  const stopAccepting = (): void => {
    if (!accepting) return;
    accepting = false;
    tls.close(() => onClosed());
    // Tells the other side (GOAWAY), and lets what is under way come to its end.
    for (const session of sessions) session.close();
    h1.closeIdleConnections();
  };
  return {
    host,
    port,
    url: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    trust: clientCaPem => certificates.replace(tls, { clientCaPem }),
    serve: serving => certificates.replace(tls, serving),
    stopAccepting,
    async [Symbol.asyncDispose]() {
      stopAccepting();
      await settled(closed);
      destroy(h1, h2, sockets, sessions);
      await closed;
    },
  };
}

function dispatch(socket: TLSSocket, h1: Http1Server, h2: Http2Server): void {
  socket.on('error', () => {});
  socket.setNoDelay(true);
  (socket.alpnProtocol === 'h2' ? h2 : h1).emit('connection', socket);
}

/** How long connections may take to end by themselves: what is still open then are tunnels, logs and broken clients. */
const lingerMs = 2000;

async function settled(closed: Promise<void>): Promise<void> {
  const over = Promise.withResolvers<void>();
  const timer = systemClock.setTimer(() => over.resolve(), lingerMs);
  await Promise.race([closed, over.promise]);
  timer.cancel();
}

function destroy(h1: Http1Server, h2: Http2Server, sockets: Set<Socket>, sessions: Set<ServerHttp2Session>): void {
  for (const session of sessions) session.destroy();
  h1.closeAllConnections();
  h2.removeAllListeners('stream');
  for (const socket of sockets) socket.destroy();
}

/** By connection: reading a certificate is dear, and a connection has one for ever. */
const certificates = new WeakMap<object, { readonly presented: PresentedCertificates | undefined }>();

/** Longest chain that is looked at. */
const maxChain = 10;

function presentedCertificates(socket: TLSSocket): PresentedCertificates | undefined {
  const known = certificates.get(socket);
  if (known) return known.presented;
  const leaf = socket.getPeerX509Certificate();
  const intermediates: X509Certificate[] = [];
  for (let next = leaf?.issuerCertificate; next && intermediates.length < maxChain; next = next.issuerCertificate) {
    intermediates.push(next);
  }
  // A message or a code, whatever the types say.
  const problem = socket.authorized ? undefined : String(socket.authorizationError ?? 'not verified');
  const presented = leaf && { leaf, intermediates, ...(problem !== undefined && { problem }) };
  certificates.set(socket, { presented });
  return presented;
}

interface Raw {
  readonly method: string;
  readonly url: string;
  readonly headers: ServerRequest['headers'];
  readonly rawHeaders?: readonly string[];
  readonly host: string | undefined;
  readonly socket: TLSSocket;
  readonly signal: AbortSignal;
  readonly source: AsyncIterable<Uint8Array>;
}

function neutral(raw: Raw): ServerRequest {
  const at = raw.url.indexOf('?');
  const path = at < 0 ? raw.url : raw.url.slice(0, at);
  const presented = presentedCertificates(raw.socket);
  let body: Promise<Uint8Array> | undefined;
  return {
    method: raw.method,
    path: decodePath(path),
    url: raw.url,
    query: at < 0 ? Query.empty : Query.parse(raw.url.slice(at + 1)),
    headers: raw.headers,
    ...(raw.rawHeaders && { rawHeaders: raw.rawHeaders }),
    body: maxBytes => (body ??= readAll(raw.source, maxBytes)),
    bodyStream: () => raw.source,
    signal: raw.signal,
    connection: raw.socket,
    ...(presented && { certificates: presented }),
    ...(raw.socket.remoteAddress && { remoteAddress: raw.socket.remoteAddress }),
    ...(raw.host && { host: raw.host }),
  };
}

/** Events rather than an iterator, which costs as much as reading a small body does. */
function readAll(source: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  if (!(source instanceof Readable)) return Promise.resolve(new Uint8Array());
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let size = 0;
    source.on('data', (part: Buffer) => {
      size += part.length;
      if (size > maxBytes) {
        source.pause();
        reject(requestEntityTooLarge(`limit is ${maxBytes}`));
      } else parts.push(part);
    });
    source.once('end', () => resolve(parts.length === 1 ? parts[0]! : Buffer.concat(parts)));
    source.once('error', reject);
    source.once('close', () => reject(clientGone));
    if (source.readableEnded || source.destroyed) resolve(new Uint8Array());
  });
}

/** One for all: where a client went away has no stack of interest. */
const clientGone: Error = Object.freeze(new Error('the client went away'));

type Http2Headers = Record<string, string | string[] | undefined>;

function serveHttp2(stream: ServerHttp2Stream, incoming: object, rawHeaders: readonly string[], answer: Answer): void {
  const headers = incoming as Http2Headers;
  const gone = new AbortController();
  stream.on('close', () => gone.abort(clientGone));
  // A reset without an error closes a stream only when its body is read, which of a GET nobody does.
  stream.on('aborted', () => stream.destroy());
  stream.on('error', () => {});
  const request = neutral({
    method: String(headers[':method']),
    url: String(headers[':path']),
    headers,
    rawHeaders,
    host: headers[':authority'] as string | undefined,
    socket: stream.session!.socket as TLSSocket,
    signal: gone.signal,
    source: stream as AsyncIterable<Uint8Array>,
  });
  answer(request, stream, async plain => {
    const response = await framed(request.method, plain, shortest.http2);
    if (stream.destroyed) return discard(response);
    const { 'transfer-encoding': _chunked, connection, ...rest } = sendableHeaders(response.headers);
    // Of this version there is no such header: the connection is told instead, and ends after its last stream.
    if (connection === 'close') stream.session?.close();
    const { body } = response;
    if (body.kind === 'empty') return stream.respond({ ':status': response.status, ...rest }, { endStream: true });
    if (body.kind === 'bytes') {
      stream.respond({ ':status': response.status, ...rest });
      return void stream.end(body.bytes);
    }
    if (body.kind === 'hijacked') return;
    stream.respond({ ':status': response.status, ...rest });
    return pump(body, stream);
  });
}

/** `keepsAlive`: the connection may be used again. */
function serveHttp1(
  incoming: IncomingMessage,
  outgoing: Http1Response,
  answer: Answer,
  keepsAlive: () => boolean,
): void {
  const gone = new AbortController();
  const { socket } = incoming;
  // Node tells the end of a connection to the answer that is being sent, not to those that wait behind it.
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
  outgoing.on('error', () => {});
  const request = neutral({
    method: incoming.method ?? 'GET',
    url: incoming.url ?? '/',
    headers: incoming.headers,
    rawHeaders: incoming.rawHeaders,
    host: incoming.headers.host,
    socket: incoming.socket as TLSSocket,
    signal: gone.signal,
    source: incoming,
  });
  answer(request, outgoing, async plain => {
    const response = await framed(request.method, plain, shortest.http1);
    if (outgoing.destroyed) return discard(response);
    const { body } = response;
    if (body.kind === 'hijacked') return;
    const { 'transfer-encoding': _chunked, ...headers } = sendableHeaders(response.headers);
    if ((!incoming.complete && response.status >= 400) || !keepsAlive()) headers['connection'] = 'close';
    // Connections of HTTP/1.1 stay; Go does not say so.
    else if (incoming.httpVersion === '1.1' && outgoing.shouldKeepAlive) outgoing.removeHeader('connection');
    if (response.status === 416) outgoing.statusMessage = 'Requested Range Not Satisfiable';
    outgoing.writeHead(response.status, headers);
    if (body.kind === 'empty') return void outgoing.end();
    if (body.kind === 'bytes') return void outgoing.end(body.bytes);
    outgoing.flushHeaders();
    return pump(body, outgoing);
  });
}

function serveUpgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer, answer: Answer): void {
  const gone = new AbortController();
  socket.on('close', () => gone.abort(clientGone));
  socket.on('error', () => {});
  const request: ServerRequest = {
    ...neutral({
      method: incoming.method ?? 'GET',
      url: incoming.url ?? '/',
      headers: incoming.headers,
      rawHeaders: incoming.rawHeaders,
      host: incoming.headers.host,
      socket: incoming.socket as TLSSocket,
      signal: gone.signal,
      source: nothing(),
    }),
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
    if (socket.writableNeedDrain) await new Promise<void>(resolve => onceDrained(socket, resolve));
  }
  client.close();
}

/** A method like any other here: there is no tunnel, whatever the client asks to be led to. */
function serveConnect({ url = '', headers, socket: tls }: IncomingMessage, socket: Duplex, answer: Answer): void {
  const gone = new AbortController();
  socket.on('close', () => gone.abort(clientGone));
  socket.on('error', () => {});
  const common = { method: 'CONNECT', headers, host: headers.host, signal: gone.signal, source: nothing() };
  const path = url.startsWith('/') ? url : '/';
  answer(neutral({ ...common, url: path, socket: tls as TLSSocket }), socket, response => writeRaw(response, socket));
}

/** A request whose method Node's parser does not know: answered, most likely refused, as any other, without its body. */
function serveStrange(packet: Buffer, socket: Duplex, answer: Answer): void {
  const [head = ''] = packet.toString('latin1').split('\r\n\r\n');
  const [first = '', ...lines] = head.split('\r\n');
  const [, method, url] = /^([!#$%&'*+.^_`|~\w-]{1,32}) (\/\S*) HTTP\/1\.[01]$/.exec(first) ?? [];
  if (!method || !url) return void socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const at = line.indexOf(':');
    if (at > 0) headers[line.slice(0, at).toLowerCase()] = line.slice(at + 1).trim();
  }
  const gone = new AbortController();
  socket.on('close', () => gone.abort(clientGone));
  socket.on('error', () => {});
  const tls = socket as TLSSocket;
  const request = { method, url, headers, host: headers['host'], socket: tls, signal: gone.signal, source: nothing() };
  answer(neutral(request), socket, response => writeRaw(response, socket));
}

/** An answer on a connection that speaks no HTTP of Node's any more; it ends with it. */
function writeRaw(response: ServerResponse, socket: Duplex): void | Promise<void> {
  const { body } = response;
  if (body.kind === 'hijacked') return;
  if (socket.destroyed) return discard(response);
  // Nobody reads it any more; its end is only seen by who does.
  socket.resume();
  const { 'content-length': _length, 'transfer-encoding': _chunked, ...headers } = sendableHeaders(response.headers);
  const lines = Object.entries(headers).flatMap(([name, value]) => [value].flat().map(each => `${name}: ${each}\r\n`));
  const whole = body.kind === 'bytes' ? body.bytes : new Uint8Array();
  if (body.kind === 'bytes' || body.kind === 'empty') lines.push(`content-length: ${whole.length}\r\n`);
  socket.write(
    `HTTP/1.1 ${response.status} ${STATUS_CODES[response.status] ?? ''}\r\n${lines.join('')}connection: close\r\n\r\n`,
    'latin1',
  );
  if (body.kind === 'bytes' || body.kind === 'empty') return void socket.end(whole);
  return pump(body, socket);
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

interface Sink {
  write(chunk: Uint8Array, written?: (error: Error | null | undefined) => void): boolean;
  end(): void;
  destroy(error?: Error): unknown;
  once(event: 'drain' | 'close', fn: () => void): unknown;
  off(event: 'drain' | 'close', fn: () => void): unknown;
  readonly destroyed: boolean;
}

/** True for what a connection to a backend ends with when either side goes away. */
function isBrokenConnection(error: unknown): boolean {
  const { code, name, syscall } = error as NodeJS.ErrnoException;
  return name === 'AbortError' || syscall !== undefined || /^(ECONN|EPIPE|ERR_STREAM_|HPE_)/.test(code ?? '');
}

/**
 * Writes as the reader takes it: waits for drain, ends when the other side is gone. A body that breaks off (a kubelet or
 * a proxied pod went away) breaks the answer off too, so that its reader does not take it for whole.
 */
async function pump(
  body: Exclude<ServerResponse['body'], { kind: 'empty' | 'bytes' | 'hijacked' }>,
  sink: Sink,
): Promise<void> {
  try {
    if (body.kind === 'chunks') {
      for await (const chunk of body.chunks) if (!(await send(sink, chunk, body.sent))) return;
    } else {
      for await (const events of body.events) {
        const frames = events.map(event => event.frame());
        const bytes = frames.length === 1 ? frames[0]! : Buffer.concat(frames);
        if (events.length > 0) body.sent?.(events.length, bytes.length);
        if (!(await send(sink, bytes))) return;
      }
    }
  } catch (error) {
    if (!isBrokenConnection(error)) throw error;
    return void sink.destroy(error as Error);
  }
  if (!sink.destroyed) sink.end();
}

/** `sent` is told of the chunk when all of it is with the kernel. */
async function send(sink: Sink, chunk: Uint8Array, sent?: (chunk: Uint8Array) => void): Promise<boolean> {
  if (sink.destroyed) return false;
  // Of what fails, parts may still be on their way.
  const written = sent && ((error: Error | null | undefined) => error || sent(chunk));
  if (sink.write(chunk, written)) return true;
  await new Promise<void>(resolve => onceDrained(sink, resolve));
  return !sink.destroyed;
}

/** Calls back when there is room again, or when there never will be. */
function onceDrained(sink: Pick<Sink, 'once' | 'off'>, then: () => void): void {
  const done = (): void => {
    sink.off('drain', done);
    sink.off('close', done);
    then();
  };
  sink.once('drain', done);
  sink.once('close', done);
}
