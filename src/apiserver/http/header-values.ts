/**
 * Header values as they may be sent. A text that Node would refuse must never end the program: a user's own words come
 * back in warnings and in the answers of proxied servers. Upstream: Go's net/http, which sends the bytes of a text and
 * spaces for line ends.
 */
import type { ServerResponse } from './message.ts';

type HeaderValue = ServerResponse['headers'][string];

/** Anything but printable ASCII. */
const special = /[^\t\x20-\x7e]/;
/** What no header may hold, as Go's writer of headers has spaces for line ends. */
const refused = /[\x00-\x08\x0a-\x1f\x7f]/g;

/** A text as UTF-8 in the form in which Node takes bytes: one character each. */
export function utf8Header(text: string): string {
  return special.test(text) ? Buffer.from(text).toString('latin1') : text;
}

/** A value that Node sends: characters that are no bytes become those of their UTF-8. */
function sendable(value: string): string {
  if (!special.test(value)) return value;
  const bytes = /[^\x00-\xff]/.test(value) ? utf8Header(value) : value;
  return bytes.replace(refused, ' ');
}

/** The headers, each of them such that it can be sent. */
export function sendableHeaders(headers: ServerResponse['headers']): ServerResponse['headers'] {
  const out: Record<string, HeaderValue> = {};
  for (const [name, value] of Object.entries(headers)) {
    out[name] = Array.isArray(value) ? value.map(sendable) : typeof value === 'string' ? sendable(value) : value;
  }
  return out;
}
