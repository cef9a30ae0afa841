/**
 * Requests handed on to a kubelet, a pod or a Service's endpoint: plain ones as they are, upgrades (WebSocket, SPDY) as
 * a tunnel of bytes, so that whatever protocol the two ends speak passes through. Upstream: apimachinery
 * pkg/util/proxy/upgradeaware.go, pkg/kubelet/client.
 */
import { type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Duplex } from 'node:stream';
import { StatusError, serviceUnavailable } from '#apimachinery';
import type { ServerRequest, ServerResponse } from '../http/message.ts';

/** How the API server shows itself to kubelets. */
export interface KubeletClient {
  readonly certPem: string;
  readonly keyPem: string;
  /** Checks the kubelets' certificates; absent: they are not checked, as upstream's default. */
  readonly caPem?: string;
}

export interface TunnelTarget {
  readonly protocol: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  /** With the query. */
  readonly path: string;
  readonly client?: KubeletClient | undefined;
  /** In place of the request's. */
  readonly method?: string;
}

const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'authorization',
  'content-length',
]);

function forwardedHeaders(request: ServerRequest, upgrade: boolean): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value === undefined || name.startsWith(':') || name.startsWith('impersonate-') || hopByHop.has(name)) continue;
    headers[name] = typeof value === 'string' ? value : [...value];
  }
  if (upgrade) {
    headers['connection'] = 'Upgrade';
    headers['upgrade'] = String(request.headers['upgrade'] ?? '');
  }
  if (request.remoteAddress) headers['x-forwarded-for'] = request.remoteAddress;
  return headers;
}

/** The protocol that a bearer token rides on is ours; it is not for the kubelet. */
function withoutTokenProtocol(headers: Record<string, string | string[]>): void {
  const protocols = headers['sec-websocket-protocol'];
  if (typeof protocols !== 'string') return;
  const kept = protocols.split(',').filter(each => !each.trim().startsWith('base64url.bearer.authorization.k8s.io.'));
  headers['sec-websocket-protocol'] = kept.join(',').trim();
}

/** Resolves with the answer's head; a tunnel runs on by itself and answers `hijacked`. Throws 502, 503. */
export async function tunnel(request: ServerRequest, target: TunnelTarget): Promise<ServerResponse> {
  const upgrade = request.upgrade;
  const headers = forwardedHeaders(request, upgrade !== undefined);
  if (upgrade) withoutTokenProtocol(headers);
  const body = upgrade || request.method === 'GET' || request.method === 'HEAD' ? undefined : request.bodyStream?.();
  const bytes = body ? undefined : await bodyOf(request, upgrade !== undefined);
  if (bytes && bytes.length > 0) headers['content-length'] = String(bytes.length);
  const { client } = target;
  const options: RequestOptions = {
    host: target.host,
    port: target.port,
    path: target.path,
    method: target.method ?? request.method,
    headers,
    signal: request.signal,
    agent: false,
    ...(client && { cert: client.certPem, key: client.keyPem, ...(client.caPem && { ca: client.caPem }) }),
    ...(target.protocol === 'https' && {
      rejectUnauthorized: client?.caPem !== undefined,
      checkServerIdentity: () => undefined,
    }),
  };
  const outgoing = target.protocol === 'https' ? requestHttps(options) : requestHttp(options);
  const answered = new Promise<ServerResponse>((resolve, reject) => {
    outgoing.on('error', error => reject(unreachable(target, error)));
    outgoing.on('response', response => resolve(plainAnswer(response)));
    outgoing.on('upgrade', (response: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (!upgrade) {
        socket.destroy();
        return reject(new StatusError({ code: 502, message: 'the backend switched protocols without being asked' }));
      }
      join(upgrade.socket, upgrade.head, response, socket, head);
      resolve({ status: 101, headers: {}, body: { kind: 'hijacked' } });
    });
  });
  if (body) {
    for await (const chunk of body) if (!outgoing.write(chunk)) await drained(outgoing);
  } else if (bytes && bytes.length > 0) outgoing.write(bytes);
  outgoing.end();
  return answered;
}

async function bodyOf(request: ServerRequest, upgrade: boolean): Promise<Uint8Array | undefined> {
  if (upgrade || request.method === 'GET' || request.method === 'HEAD') return undefined;
  return request.body(Number.MAX_SAFE_INTEGER);
}

function drained(stream: NodeJS.WritableStream): Promise<void> {
  return new Promise(resolve => {
    stream.once('drain', resolve);
    stream.once('close', resolve);
  });
}

function unreachable(target: TunnelTarget, error: Error & { code?: string }): StatusError {
  const where = `${target.host}:${target.port}`;
  const reason = error.code === 'ECONNREFUSED' ? 'connect: connection refused' : error.message;
  return serviceUnavailable(`error trying to reach service: dial tcp ${where}: ${reason}`);
}

function plainAnswer(response: IncomingMessage): ServerResponse {
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined && !hopByHop.has(name)) headers[name] = value;
  }
  return { status: response.statusCode ?? 502, headers, body: { kind: 'chunks', chunks: response } };
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
  client.on('error', end);
  backend.on('error', end);
  client.on('close', end);
  backend.on('close', end);
}
