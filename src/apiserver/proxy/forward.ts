/**
 * A request handed on to a backend: a kubelet, a pod, an endpoint of a Service, another API server. Plain ones as they
 * come in, piece by piece; upgrades (WebSocket, SPDY) as a tunnel of bytes, so that whatever protocol the two ends speak
 * passes through. Upstream: apimachinery pkg/util/proxy/upgradeaware.go.
 *
 * Deviation: backends are spoken to in HTTP/1.1; trailers are not passed on.
 */
import { type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http';
import { type Agent, request as requestHttps } from 'node:https';
import { isIPv6 } from 'node:net';
import { posix } from 'node:path';
import { type Duplex, Readable } from 'node:stream';
import { goNetworkError } from '../admission/dynamic/webhooks/go-errors.ts';
import { header, type ServerRequest, type ServerResponse } from '../http/message.ts';
import { drained } from '../http/sending.ts';
import { type ProxiedHeaders, requestHeaders, responseHeaders } from './headers.ts';
import type { LinkBase } from './links.ts';
import { rewritten } from './rewriting.ts';

/** How the other end's certificate is judged, and what is shown to it. */
export interface BackendTls {
  readonly certPem?: string | undefined;
  readonly keyPem?: string | undefined;
  /** Absent: the system's roots. */
  readonly caPem?: string | undefined;
  /** In whose name its certificate has to be; absent: not looked at. */
  readonly serverName?: string | undefined;
  /** False: any certificate will do. */
  readonly verified: boolean;
}

export interface Backend {
  readonly protocol: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  readonly tls?: BackendTls | undefined;
  /** Keeps connections; absent: one for this request alone. */
  readonly agent?: Agent | undefined;
}

export interface Forwarding {
  readonly backend: Backend;
  /** Path and query, as sent. */
  readonly path: string;
  /** In place of the request's. */
  readonly method?: string;
  /** `Host`, in place of the request's. */
  readonly host?: string;
  /** Set over the request's headers. */
  readonly headers?: ProxiedHeaders;
  /** Rewrites links of the answer. */
  readonly links?: LinkBase;
  /** Redirects become 502. Upstream: --aggregator-reject-forwarding-redirect. */
  readonly rejectRedirects?: boolean;
  /** Ends the request; absent: the client's own. */
  readonly signal?: AbortSignal;
  /** Wall milliseconds, for texts about certificates. */
  readonly nowMs: number;
}

/** The backend gave no answer that could be passed on; the message is upstream's. */
export class ForwardError extends Error {
  override readonly name = 'ForwardError';
  readonly isUpgrade: boolean;
  /** What Go's client says of the same failure. */
  readonly reason: string;

  constructor(what: string, reason: string, isUpgrade: boolean) {
    super(`${what}: ${reason}`);
    this.reason = reason;
    this.isUpgrade = isUpgrade;
  }
}

/** `host:port` as URLs have it. */
export function authorityOf({ host, port }: Pick<Backend, 'host' | 'port'>): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** Resolves with the answer's head; a tunnel runs on by itself and answers `hijacked`. Throws a ForwardError. */
export async function forward(request: ServerRequest, forwarding: Forwarding): Promise<ServerResponse> {
  return request.upgrade ? upgraded(request, forwarding, request.upgrade) : plain(request, forwarding);
}

function outgoingHeaders(request: ServerRequest, { headers, host }: Forwarding): ProxiedHeaders {
  const all = requestHeaders(request);
  return { ...all, ...headers, ...((host ?? request.host) ? { host: (host ?? request.host)! } : {}) };
}

function optionsOf(request: ServerRequest, forwarding: Forwarding, headers: ProxiedHeaders): RequestOptions {
  const { backend, path, method, signal } = forwarding;
  const { tls } = backend;
  return {
    host: backend.host,
    port: backend.port,
    path,
    method: method ?? request.method,
    headers,
    signal: signal ?? request.signal,
    agent: request.upgrade ? false : (backend.agent ?? false),
    ...(tls?.certPem && { cert: tls.certPem, key: tls.keyPem }),
    ...(tls?.caPem && { ca: tls.caPem, allowPartialTrustChain: true }),
    ...(tls?.serverName !== undefined && { servername: tls.serverName }),
    ...(backend.protocol === 'https' && {
      rejectUnauthorized: tls?.verified ?? false,
      ALPNProtocols: ['http/1.1'],
      ...((!tls?.verified || tls.serverName === undefined) && { checkServerIdentity: () => undefined }),
    }),
  };
}

function open(backend: Backend, options: RequestOptions): ReturnType<typeof requestHttp> {
  return backend.protocol === 'https' ? requestHttps(options) : requestHttp(options);
}

async function plain(request: ServerRequest, forwarding: Forwarding): Promise<ServerResponse> {
  const headers = outgoingHeaders(request, forwarding);
  if (forwarding.links) Object.assign(headers, forwardedFrom(forwarding.links, forwarding.path));
  const body = await bodyOf(request, headers);
  const { backend } = forwarding;
  for (let attempt = 0; ; attempt++) {
    try {
      const response = await exchange(open(backend, optionsOf(request, forwarding, headers)), body);
      return await answerOf(request, forwarding, response);
    } catch (error) {
      if (error instanceof ForwardError) throw error;
      // A kept connection that the other end had closed meanwhile: it has read nothing of the request.
      if ((error as { stale?: boolean }).stale && attempt === 0 && !isStream(body)) continue;
      throw new ForwardError('error trying to reach service', reason(error, forwarding), false);
    }
  }
}

function reason(error: unknown, { backend, signal, nowMs }: Forwarding): string {
  if (signal?.aborted && (signal.reason as { name?: string })?.name === 'TimeoutError') {
    return 'context deadline exceeded';
  }
  const { name } = error as Error;
  if (name === 'AbortError') return 'context canceled';
  if (backend.tls?.serverName === undefined && /wrong version number|packet length too long/.test(String(error))) {
    return 'tls: first record does not look like a TLS handshake';
  }
  return goNetworkError(error, new Date(nowMs));
}

function forwardedFrom({ scheme, host, prefix }: LinkBase, path: string): ProxiedHeaders {
  const [own = ''] = path.split('?', 1);
  return {
    'x-forwarded-uri': forwardedUri(prefix, own),
    ...(host !== '' && { 'x-forwarded-host': host }),
    ...(scheme !== '' && { 'x-forwarded-proto': scheme }),
  };
}

function forwardedUri(prefix: string, path: string): string {
  const joined = posix.join(prefix, path);
  return path.endsWith('/') && !joined.endsWith('/') ? `${joined}/` : joined;
}

type Body = AsyncIterable<Uint8Array> | Uint8Array | undefined;

const isStream = (body: Body): body is AsyncIterable<Uint8Array> => body !== undefined && !(body instanceof Uint8Array);

/** What the request carries: as it arrives, or whole where the caller has it whole. */
async function bodyOf(request: ServerRequest, headers: ProxiedHeaders): Promise<Body> {
  const { method, bodyStream } = request;
  const announced = Number(header(request, 'content-length') ?? 0) > 0 || request.headers['transfer-encoding'];
  if (!announced && (method === 'GET' || method === 'HEAD' || method === 'OPTIONS')) return undefined;
  if (bodyStream) return bodyStream.call(request);
  const bytes = await request.body(Number.MAX_SAFE_INTEGER);
  headers['content-length'] = String(bytes.length);
  return bytes;
}

function exchange(outgoing: ReturnType<typeof requestHttp>, body: Body): Promise<IncomingMessage> {
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.on('response', resolve);
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      const stale = outgoing.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
      reject(Object.assign(error, { stale }));
    });
    outgoing.on('upgrade', (_response: IncomingMessage, socket: Duplex) => {
      socket.destroy();
      reject(new Error('net/http: HTTP/1.x transport connection broken: unexpected 101 Switching Protocols'));
    });
  });
  if (isStream(body)) void send(body, outgoing).catch(() => outgoing.destroy());
  else outgoing.end(body);
  return answered;
}

/** Writes as the backend takes it; the source is left open, for the answer goes where it came from. */
async function send(body: AsyncIterable<Uint8Array>, outgoing: ReturnType<typeof requestHttp>): Promise<void> {
  const chunks = body instanceof Readable ? body.iterator({ destroyOnReturn: false }) : body;
  for await (const chunk of chunks) {
    if (outgoing.destroyed) return;
    if (!outgoing.write(chunk)) await drained(outgoing);
  }
  outgoing.end();
}

const refusal = 'the backend attempted to redirect this request, which is not permitted';

async function answerOf(
  request: ServerRequest,
  { links, backend, rejectRedirects }: Forwarding,
  response: IncomingMessage,
): Promise<ServerResponse> {
  const status = response.statusCode ?? 502;
  if (rejectRedirects && status >= 300 && status <= 399 && response.headers.location) {
    response.destroy();
    return { status: 502, headers: {}, body: { kind: 'bytes', bytes: Buffer.from(refusal) } };
  }
  const answer: ServerResponse = {
    status,
    headers: responseHeaders(response),
    body: request.method === 'HEAD' ? { kind: 'empty' } : { kind: 'chunks', chunks: response },
  };
  if (!links) return answer;
  return rewritten(answer, links, { backend: authorityOf(backend), requested: request.host ?? '' });
}

const maxRefusalBytes = 1 << 20;

async function upgraded(
  request: ServerRequest,
  forwarding: Forwarding,
  { socket: client, head: clientHead }: NonNullable<ServerRequest['upgrade']>,
): Promise<ServerResponse> {
  const options = optionsOf(request, forwarding, outgoingHeaders(request, forwarding));
  const outgoing = open(forwarding.backend, options);
  const answered = new Promise<ServerResponse>((resolve, reject) => {
    outgoing.on('error', error => {
      reject(new ForwardError('error dialing backend', reason(error, forwarding), true));
    });
    outgoing.on('response', response => {
      const status = response.statusCode ?? 502;
      if (status >= 400) return resolve(refused(response, status));
      response.destroy();
      reject(new ForwardError('invalid upgrade response', `status code ${status}`, true));
    });
    outgoing.on('upgrade', (response: IncomingMessage, socket: Duplex, head: Buffer) => {
      join(client, clientHead, response, socket, head);
      resolve({ status: 101, headers: {}, body: { kind: 'hijacked' } });
    });
  });
  outgoing.end();
  return answered;
}

/** What the backend said instead of switching protocols. */
async function refused(response: IncomingMessage, status: number): Promise<ServerResponse> {
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of response as AsyncIterable<Buffer>) {
      if ((size += part.length) > maxRefusalBytes) break;
      parts.push(part);
    }
  } catch {
    // What came is passed on.
  }
  return { status, headers: responseHeaders(response), body: { kind: 'bytes', bytes: Buffer.concat(parts) } };
}

/** Sends the backend's 101 to the client and then every byte either way, until one side ends. */
function join(
  client: Duplex,
  clientHead: Uint8Array,
  response: IncomingMessage,
  backend: Duplex,
  backendHead: Buffer,
): void {
  const lines: string[] = ['HTTP/1.1 101 Switching Protocols'];
  for (let i = 0; i < response.rawHeaders.length; i += 2) {
    lines.push(`${response.rawHeaders[i]}: ${response.rawHeaders[i + 1]}`);
  }
  client.write(`${lines.join('\r\n')}\r\n\r\n`);
  if (backendHead.length > 0) client.write(backendHead);
  if (clientHead.length > 0) backend.write(clientHead);
  client.pipe(backend);
  backend.pipe(client);
  const end = (): void => {
    client.destroy();
    backend.destroy();
  };
  for (const side of [client, backend]) {
    side.on('error', end);
    side.on('close', end);
  }
}
