/**
 * The HTTPS transport: HTTP/2 where the server offers it, HTTP/1.1 otherwise, with client certificates or bearer
 * tokens. One HTTP/2 session carries all requests; a broken one is replaced by the next request.
 */
import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2, constants } from 'node:http2';
import { Agent, type RequestOptions, request as requestHttp1 } from 'node:https';
import type { Readable } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { type Json, type Status, StatusError } from '#apimachinery';
import type { ApiRequest, ApiResponse, Transport } from './transport.ts';
import { decodeWatch } from './watch-decoder.ts';

/** How to reach a server and who to be. Certificates and keys are PEM. */
export interface HttpsTransportConfig {
  /** As `https://127.0.0.1:6443`, with a path prefix if there is one. */
  readonly server: string;
  readonly caPem?: string;
  readonly certPem?: string;
  readonly keyPem?: string;
  readonly token?: string;
  /** Read anew for every request, because kubelets rotate it. */
  readonly tokenFile?: string;
  /** Name to check the server's certificate against, when not the URL's. */
  readonly serverName?: string;
  readonly insecureSkipTlsVerify?: boolean;
  readonly userAgent?: string;
  /** Impersonation headers. */
  readonly impersonate?: { readonly user: string; readonly groups?: readonly string[] };
}

/** A transport to any Kubernetes API server. Connects at the first request. */
export function createHttpsTransport(config: HttpsTransportConfig): Transport {
  const url = new URL(config.server);
  const prefix = url.pathname.replace(/\/$/, '');
  const tls = {
    ...(config.caPem && { ca: config.caPem, allowPartialTrustChain: true }),
    ...(config.certPem && { cert: config.certPem, key: config.keyPem }),
    ...(config.serverName && { servername: config.serverName }),
    rejectUnauthorized: !config.insecureSkipTlsVerify,
  };
  const agent = new Agent({ keepAlive: true, ...tls });
  let session: Promise<ClientHttp2Session | undefined> | undefined;

  const openSession = async (): Promise<ClientHttp2Session | undefined> => {
    const socket = await connectSocket(url, tls);
    if (socket.alpnProtocol !== 'h2') {
      socket.destroy();
      return undefined;
    }
    const opened = connectHttp2(url.origin, {
      createConnection: () => socket,
      settings: { initialWindowSize: 4 * 1024 * 1024, maxConcurrentStreams: 10_000 },
    });
    opened.setLocalWindowSize?.(16 * 1024 * 1024);
    opened.on('error', () => {});
    opened.unref();
    return opened;
  };
  const currentSession = (): Promise<ClientHttp2Session | undefined> => {
    if (session) return session;
    const opening = openSession();
    // The next request opens another one; this one may end long after that has.
    const forget = (): void => {
      if (session === opening) session = undefined;
    };
    opening.then(opened => opened?.once('close', forget).once('goaway', forget), forget);
    return (session = opening);
  };
  const headersOf = (request: ApiRequest, body: Buffer | undefined): Record<string, string | string[]> => {
    const token = config.tokenFile ? readFileSync(config.tokenFile, 'utf8').trim() : config.token;
    return {
      accept: 'application/json, */*',
      'user-agent': config.userAgent ?? 'kobune',
      ...(token && { authorization: `Bearer ${token}` }),
      ...(config.impersonate && {
        'impersonate-user': config.impersonate.user,
        ...(config.impersonate.groups && { 'impersonate-group': [...config.impersonate.groups] }),
      }),
      ...(body && { 'content-type': 'application/json', 'content-length': String(body.length) }),
      ...request.headers,
    };
  };

  return {
    description: config.server,
    async request(request) {
      request.signal?.throwIfAborted();
      const path = prefix + pathOf(request);
      const body = bodyOf(request);
      const headers = headersOf(request, body);
      const http2 = await orAborted(currentSession(), request.signal);
      const head = http2
        ? await overHttp2(http2, request, path, headers, body)
        : await overHttp1({ agent, url, tls }, request, path, headers, body);
      return respond(head);
    },
    async [Symbol.asyncDispose]() {
      agent.destroy();
      const open = await session?.catch(() => undefined);
      if (open && !open.destroyed) open.destroy();
    },
  };
}

/** What `work` gives, but not later than the signal aborts; `work` goes on, for others may wait for it. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** Path with query, encoded. */
export function pathOf(request: Pick<ApiRequest, 'path' | 'query'>): string {
  if (!request.query || request.query.length === 0) return request.path;
  const query = request.query.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  return `${request.path}?${query.join('&')}`;
}

function bodyOf({ body }: ApiRequest): Buffer | undefined {
  if (body === undefined) return undefined;
  return body instanceof Uint8Array
    ? Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    : Buffer.from(JSON.stringify(body));
}

interface Head {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly stream: Readable;
}

function connectSocket(url: URL, tls: object): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: Number(url.port || 443),
      ALPNProtocols: ['h2', 'http/1.1'],
      ...tls,
    });
    socket.once('error', cause => reject(new Error(`cannot connect to ${url.origin}: ${cause.message}`, { cause })));
    socket.once('secureConnect', () => {
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}

function overHttp2(
  session: ClientHttp2Session,
  request: ApiRequest,
  path: string,
  headers: Record<string, string | string[]>,
  body: Buffer | undefined,
): Promise<Head> {
  return new Promise((resolve, reject) => {
    session.ref();
    const stream: ClientHttp2Stream = session.request(
      { ...headers, ':method': request.method, ':path': path },
      { endStream: body === undefined },
    );
    const onAbort = (): void => stream.close(constants.NGHTTP2_CANCEL);
    request.signal?.addEventListener('abort', onAbort, { once: true });
    stream.once('response', responseHeaders => {
      const { ':status': status = 0, ...rest } = responseHeaders;
      resolve({ status, headers: rest as Record<string, string>, stream });
    });
    stream.once('error', cause => reject(new Error(`${request.method} ${path}: ${cause.message}`, { cause })));
    stream.once('close', () => {
      request.signal?.removeEventListener('abort', onAbort);
      reject(
        request.signal?.aborted ? request.signal.reason : new Error(`${request.method} ${path}: connection closed`),
      );
    });
    if (body) stream.end(body);
  });
}

function overHttp1(
  { agent, url, tls }: { agent: Agent; url: URL; tls: object },
  request: ApiRequest,
  path: string,
  headers: Record<string, string | string[]>,
  body: Buffer | undefined,
): Promise<Head> {
  return new Promise((resolve, reject) => {
    const options: RequestOptions = {
      agent,
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: Number(url.port || 443),
      method: request.method,
      path,
      headers,
      ...(request.signal && { signal: request.signal }),
      ...tls,
    };
    const outgoing = requestHttp1(options, incoming => {
      resolve({
        status: incoming.statusCode ?? 0,
        headers: incoming.headers as Record<string, string>,
        stream: incoming,
      });
    });
    outgoing.once('error', cause => {
      reject(
        request.signal?.aborted
          ? request.signal.reason
          : new Error(`${request.method} ${path}: ${cause.message}`, { cause }),
      );
    });
    outgoing.end(body);
  });
}

async function respond(head: Head): Promise<ApiResponse> {
  if (head.status >= 400) throw statusErrorOf(head.status, await collect(head.stream));
  return {
    status: head.status,
    headers: head.headers,
    json: async () => JSON.parse((await collect(head.stream)).toString('utf8')) as Json,
    bytes: () => head.stream,
    events: () => decodeWatch(head.stream),
  };
}

/**
 * The whole body. A server may reset a stream with NO_ERROR as soon as it has answered (RFC 9113 8.1), which Node's
 * iterator takes for a premature close; what arrived until then is whole.
 */
function collect(stream: Readable): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    stream.on('data', chunk => chunks.push(chunk as Buffer));
    stream.once('end', () => resolve(Buffer.concat(chunks)));
    stream.once('error', reject);
    stream.once('close', () => {
      if ((stream as Partial<ClientHttp2Stream>).rstCode === constants.NGHTTP2_NO_ERROR) resolve(Buffer.concat(chunks));
      else reject(new Error('the connection was closed before the answer was complete'));
    });
  });
}

/** The StatusError that a body holds, or one made of code and text. Upstream: client-go rest/request.go. */
export function statusErrorOf(code: number, body: Buffer): StatusError {
  const text = body.toString('utf8');
  try {
    const status = JSON.parse(text) as Status;
    if (status.kind === 'Status') return new StatusError(status);
  } catch {
    // Not JSON: a proxy's page or a plain text answer.
  }
  const reasons = {
    401: 'Unauthorized',
    403: 'Forbidden',
    404: 'NotFound',
    409: 'Conflict',
    429: 'TooManyRequests',
  } as const;
  const reason = reasons[code as keyof typeof reasons] ?? 'InternalError';
  return new StatusError({ code, reason, message: text.trim().slice(0, 2048) || `the server answered ${code}` });
}
