/**
 * Who asks, as one API server tells another: the header names that upstream's aggregator always uses.
 * Upstream: client-go transport/round_trippers.go SetAuthProxyHeaders.
 */
import type { UserInfo } from '../authentication/user.ts';
import type { ProxiedHeaders } from '../proxy/headers.ts';

const plainByte = /[!#$&'*+\-.^_`|~0-9A-Za-z]/;

/** A key of `extra` as part of a header's name: bytes that a name cannot have, and `%`, in percent form. */
function escapeExtraKey(key: string): string {
  let out = '';
  for (const byte of Buffer.from(key)) {
    const char = String.fromCharCode(byte);
    out += plainByte.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}

export function identityHeaders({ name, uid, groups, extra }: UserInfo): ProxiedHeaders {
  const headers: ProxiedHeaders = { 'x-remote-user': headerText(name) };
  if (uid !== '') headers['x-remote-uid'] = headerText(uid);
  if (groups.length > 0) headers['x-remote-group'] = groups.map(headerText);
  for (const [key, values] of Object.entries(extra)) {
    if (values.length > 0) headers[`x-remote-extra-${escapeExtraKey(key).toLowerCase()}`] = values.map(headerText);
  }
  return headers;
}

/** UTF-8 as Node takes it: one character a byte. Line ends, which would begin another header, are refused by Node. */
function headerText(text: string): string {
  return Buffer.from(text).toString('latin1');
}
