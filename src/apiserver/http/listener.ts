/**
 * One TLS port for HTTP/2 and HTTP/1.1, by what the client's ALPN chooses. Turns both into neutral requests and writes
 * neutral responses with regard for slow readers. Upstream: apiserver pkg/server/secure_serving.go.
 * Deviation: over HTTP/2 a header may have 64 KiB, upstream's a mebibyte; a target that is no path, an authority that is
 * none, and a length that the body does not have end their stream before anybody answers.
 */
import type { Server as Http1Server } from 'node:http';
import {
  constants,
  createServer as createHttp2,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { createServer as createTls, type TLSSocket } from 'node:tls';
import { systemClock } from '#base';
import { PortCertificates, type TlsConfig } from './certificates.ts';
import { framed, shortest } from './framing.ts';
import { sendableHeaders } from './header-values.ts';
import { createHttp1Server } from './http1.ts';
import { readTarget } from './http1-rules.ts';
import { discard, type ServerRequest, type ServerResponse } from './message.ts';
import { clientGone, neutral } from './neutral.ts';
import { type Answer, pump } from './sending.ts';

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
/** Of a head, whose size is bounded by itself: whom somebody acts for may be told in hundreds of headers. */
const maxHeaders = 16_384;

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
    maxHeaderListPairs: maxHeaders,
  });
  h2.on('stream', (stream, headers, _flags, raw) => serveHttp2(stream as ServerHttp2Stream, headers, raw, answer));
  h2.on('session', session => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => {});
  });
  let accepting = true;
  const h1 = createHttp1Server({ answer, keepsAlive: () => accepting });
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

type Http2Headers = Record<string, string | string[] | undefined>;

function serveHttp2(stream: ServerHttp2Stream, incoming: object, rawHeaders: readonly string[], answer: Answer): void {
  const headers = incoming as Http2Headers;
  stream.on('error', () => {});
  const method = String(headers[':method']);
  const target = readTarget(method, String(headers[':path'] ?? ''));
  if (!target) return void stream.close(constants.NGHTTP2_PROTOCOL_ERROR);
  if (target.url === '*' && method === 'OPTIONS') {
    return void stream.respond({ ':status': 200, 'content-length': '0' }, { endStream: true });
  }
  const gone = new AbortController();
  stream.on('close', () => gone.abort(clientGone));
  // A reset without an error closes a stream only when its body is read, which of a GET nobody does.
  stream.on('aborted', () => stream.destroy());
  const request = neutral({
    method,
    url: target.url,
    headers,
    rawHeaders,
    host: target.host ?? (headers[':authority'] as string | undefined),
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
