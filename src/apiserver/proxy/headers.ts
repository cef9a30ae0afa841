/**
 * Headers between a client, this server and what it proxies to. Upstream: apimachinery pkg/util/proxy, Go's
 * net/http/httputil/reverseproxy.go.
 */
import type { IncomingMessage } from 'node:http';
import type { ServerRequest } from '../http/message.ts';

export type ProxiedHeaders = Record<string, string | string[]>;

/** Of one connection; never passed on. */
const hopByHop: readonly string[] = [
  'connection',
  'proxy-connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

/** A backend must not open this server's origin to others. */
const crossOrigin = [
  'access-control-allow-credentials',
  'access-control-allow-headers',
  'access-control-allow-methods',
  'access-control-allow-origin',
];

const ours = new Set(['authorization', 'host', 'x-remote-user', 'x-remote-uid', 'x-remote-group']);

/** The client's own words that are for this server and nobody behind it. */
function isOurs(name: string): boolean {
  return ours.has(name) || /^(:|impersonate-|x-remote-extra-)/.test(name);
}

function tokens(value: string | readonly string[] | undefined): string[] {
  return [value ?? []].flat().flatMap(each => each.split(',').map(token => token.trim().toLowerCase()));
}

/** What of a request's headers goes to a backend. */
export function requestHeaders(request: ServerRequest): ProxiedHeaders {
  const upgrade = request.upgrade !== undefined;
  const dropped = new Set([...hopByHop, ...tokens(request.headers['connection'])]);
  const headers: ProxiedHeaders = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value === undefined || isOurs(name) || dropped.has(name)) continue;
    headers[name] = typeof value === 'string' ? value : [...value];
  }
  // All that anybody says in it, and no connection's own.
  if (tokens(request.headers['te']).includes('trailers')) headers['te'] = 'trailers';
  if (upgrade) {
    headers['connection'] = 'Upgrade';
    headers['upgrade'] = String(request.headers['upgrade'] ?? '');
    withoutTokenProtocol(headers);
  }
  const { remoteAddress } = request;
  if (remoteAddress) {
    const before = [headers['x-forwarded-for'] ?? []].flat();
    headers['x-forwarded-for'] = [...before, remoteAddress.replace(/^::ffff:/, '')].join(', ');
  }
  return headers;
}

/** The protocol that a bearer token rides on is ours. */
function withoutTokenProtocol(headers: ProxiedHeaders): void {
  const protocols = headers['sec-websocket-protocol'];
  if (typeof protocols !== 'string') return;
  const kept = protocols.split(',').filter(each => !each.trim().startsWith('base64url.bearer.authorization.k8s.io.'));
  headers['sec-websocket-protocol'] = kept.join(',').trim();
}

/** What of a backend's headers goes to the client; lower-case names, repeated ones apart. */
export function responseHeaders(response: IncomingMessage): ProxiedHeaders {
  const dropped = new Set([...hopByHop, ...crossOrigin, ...tokens(response.headers.connection)]);
  const headers: ProxiedHeaders = {};
  for (const [name, values] of Object.entries(response.headersDistinct)) {
    if (values === undefined || dropped.has(name)) continue;
    headers[name] = values.length === 1 ? values[0]! : values;
  }
  return headers;
}
