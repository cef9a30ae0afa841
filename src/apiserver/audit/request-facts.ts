/**
 * What an audit event says of where a request came from. Upstream: apiserver pkg/audit/request.go, apimachinery
 * pkg/util/net/http.go SourceIPs, Go's net/url EscapedPath.
 */
import { formatIp, parseIp } from '#apimachinery';
import { header, type ServerRequest } from '../http/message.ts';

const maxUserAgent = 1024;
/** Callers within this process have no address of their own. */
const inProcessAddress = '127.0.0.1';

/**
 * Whom the request passed on its way here: as the headers say, who may say anything, and last the connection's other
 * end.
 */
export function sourceIPs(request: ServerRequest): string[] {
  const ips: string[] = [];
  for (const text of (header(request, 'x-forwarded-for') ?? '').split(',')) {
    const ip = canonicalIp(text.trim());
    if (ip !== undefined) ips.push(ip);
  }
  const real = canonicalIp(header(request, 'x-real-ip') ?? '');
  if (real !== undefined && !ips.includes(real)) ips.push(real);
  const remote = canonicalIp(request.user ? inProcessAddress : (request.remoteAddress ?? ''));
  if (remote !== undefined && ips.at(-1) !== remote) ips.push(remote);
  return ips;
}

function canonicalIp(text: string): string | undefined {
  if (text === inProcessAddress) return text;
  const ip = text === '' ? undefined : parseIp(text);
  return ip && formatIp(ip);
}

/** Node reads headers as Latin 1, clients mean UTF-8. */
export function headerText(text: string): string {
  return /^[\x00-\x7f]*$/.test(text) ? text : Buffer.from(text, 'latin1').toString();
}

export function userAgent(request: ServerRequest): string {
  const text = headerText(header(request, 'user-agent') ?? '');
  return text.length > maxUserAgent ? `${text.slice(0, maxUserAgent)}...TRUNCATED` : text;
}

/** What Go leaves in a path as it was sent, if there is nothing else in it. */
const plainPath = /^(?:[\w.~!$&'()*+,;=:@/[\]-]|%[0-9A-Fa-f]{2})*$/;

/** The URI as Go writes it again: a path with what does not belong there is escaped. */
export function requestUri(request: ServerRequest): string {
  const at = request.url.indexOf('?');
  const path = at < 0 ? request.url : request.url.slice(0, at);
  if (plainPath.test(path)) return request.url;
  const escaped = path.replace(/%[0-9A-Fa-f]{2}|[^\w.~$&+,/:;=@-]/g, each =>
    each.length === 3 && each[0] === '%' ? each : encodeURIComponent(headerText(each)),
  );
  return at < 0 ? escaped : escaped + request.url.slice(at);
}
