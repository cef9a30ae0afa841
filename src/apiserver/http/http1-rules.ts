/**
 * What of an HTTP/1 request is refused before any handler sees it, and in which words; what of its target and its
 * expectations counts. Upstream: Go's net/http (server.go readRequest and serve, request.go, transfer.go, textproto).
 */
import { METHODS, STATUS_CODES } from 'node:http';

/** An answer without any of our headers, after which the connection ends. */
export interface Refusal {
  /** Code and text, as in the first line. */
  readonly status: string;
  readonly body: string;
}

function refusal(code: number, detail = ''): Refusal {
  const status = `${code} ${STATUS_CODES[code]}${detail && `: ${detail}`}`;
  return { status, body: status };
}

export const malformed: Refusal = refusal(400);
export const tooLarge: Refusal = refusal(431);
const invalidHeaderName: Refusal = refusal(400, 'invalid header name');
const unsupportedEncoding: Refusal = { ...refusal(501), body: 'Unsupported transfer encoding' };

/** The bytes of a refusal. */
export function refusalText({ status, body }: Refusal): string {
  return `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${body}`;
}

/** Of a request, what stands before its body. */
export interface Head {
  readonly method: string;
  readonly target: string;
  /** Such as `1.1`. */
  readonly version: string;
  /** Names and values by turns. */
  readonly rawHeaders: readonly string[];
}

/** Why a request is not answered by any handler; undefined where it is. */
export function refusalOf({ method, target, version, rawHeaders }: Head): Refusal | undefined {
  // A first line that names no version comes as 0.9, without headers.
  if (version === '0.9' && rawHeaders.length === 0) return malformed;
  if (!readTarget(method, target)) return malformed;
  const hosts = valuesOf(rawHeaders, 'host');
  if (hosts.length > 1) return malformed;
  const isAtLeast11 = version >= '1.1';
  const encodings = valuesOf(rawHeaders, 'transfer-encoding');
  if (isAtLeast11 && encodings.length > 0) {
    if (encodings.length > 1 || encodings[0]!.toLowerCase() !== 'chunked') return unsupportedEncoding;
    if (valuesOf(rawHeaders, 'trailer').some(value => value.split(',').some(isFraming))) return malformed;
  }
  if (!version.startsWith('1.')) return refusal(505, 'unsupported protocol version');
  if (isAtLeast11 && hosts.length === 0 && method !== 'CONNECT') return refusal(400, 'missing required Host header');
  return hosts[0] === undefined || validHost.test(hosts[0]) ? undefined : refusal(400, 'malformed Host header');
}

/** Upstream: golang.org/x/net/http/httpguts, validHostByte. */
const validHost = /^[!$%&'()*+,\-.:;=[\]_~0-9A-Za-z]*$/;

/** What cannot stand behind a body. */
const isFraming = (name: string): boolean => /^(?:transfer-encoding|trailer|content-length)$/i.test(trimBlanks(name));

/** Spaces and tabs taken off. By index: a pattern that ends in `[ \t]+$` takes hours over a head of nothing but blanks. */
function trimBlanks(text: string): string {
  const isBlank = (at: number): boolean => text[at] === ' ' || text[at] === '\t';
  let [from, to] = [0, text.length];
  while (from < to && isBlank(from)) from++;
  while (to > from && isBlank(to - 1)) to--;
  return text.slice(from, to);
}

function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const each = rawHeaders[at]!;
    if (each.length === name.length && each.toLowerCase() === name) values.push(rawHeaders[at + 1]!);
  }
  return values;
}

/** What a request asks for. */
export interface Target {
  /** Path and query; the path is empty where the target is a host alone. */
  readonly url: string;
  /** Named by the target itself, in place of the header's. */
  readonly host?: string;
}

const absolute = /^([A-Za-z][A-Za-z0-9+.-]*):(?:\/\/([^/?]*))?(.*)$/s;

/** Undefined: it is not one. Upstream: net/url ParseRequestURI. */
export function readTarget(method: string, target: string): Target | undefined {
  if (target.startsWith('/')) return hasBadEscape(target) ? undefined : { url: target };
  if (target === '*') return { url: target };
  if (method === 'CONNECT') return target === '' ? undefined : { url: '', host: target };
  const [, scheme, host, rest = ''] = absolute.exec(target) ?? [];
  if (scheme === undefined) return undefined;
  if (host === undefined) return rest.startsWith('/') ? readTarget(method, rest) : { url: '' };
  if (!/^(?:[^:[\]%]*|\[[^\]%]*\])(?::\d*)?$/.test(host) || hasBadEscape(rest)) return undefined;
  return { url: rest, host };
}

/** Of the path alone: what is wrong in a query is left out of it. */
function hasBadEscape(url: string): boolean {
  const bad = url.search(/%(?![0-9a-fA-F]{2})/);
  if (bad < 0) return false;
  const query = url.indexOf('?');
  return query < 0 || bad < query;
}

/** What comes of the header `Expect`: `continue` wants to be told before the body is sent. */
export function expectationOf({ version, rawHeaders }: Head, hasBody: boolean): 'none' | 'continue' | 'failed' {
  const [expected = ''] = valuesOf(rawHeaders, 'expect');
  if (expected === '') return 'none';
  if (!expected.split(/[ \t,]+/).some(token => token.toLowerCase() === '100-continue')) return 'failed';
  return version >= '1.1' && hasBody ? 'continue' : 'none';
}

const hasLength = (rawHeaders: readonly string[]): boolean =>
  valuesOf(rawHeaders, 'content-length').some(value => value !== '0');

const token = /^[!#$%&'*+.^_`|~\w-]+$/;

/**
 * The head with which a packet begins, where Node's parser could not read it: its first line may be unusual (any
 * method, HTTP/1.2, bytes beyond ASCII in the target), the rest has to be plain. Nothing that has a body is taken.
 */
export function readHead(packet: Buffer): Head | Refusal {
  const text = packet.toString('latin1');
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return malformed;
  const [first = '', ...lines] = text.slice(0, end).split('\r\n');
  const [, method = '', target = '', version = ''] = /^([^ ]*) ([^ ]*) HTTP\/(\d\.\d)$/.exec(first) ?? [];
  if (!token.test(method) || /[\x00-\x1f\x7f]/.test(target)) return malformed;
  const rawHeaders: string[] = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    const [name, value] = [line.slice(0, Math.max(0, colon)), trimBlanks(line.slice(colon + 1))];
    if (!token.test(name.replaceAll(' ', '')) || name.startsWith(' ') || /[\x00-\x08\x0a-\x1f\x7f]/.test(value)) {
      return malformed;
    }
    rawHeaders.push(name, value);
  }
  const head = { method, target, version, rawHeaders };
  const refused = refusalOf(head);
  if (refused) return refused;
  if (lines.some(line => line.slice(0, line.indexOf(':')).includes(' '))) return invalidHeaderName;
  const hasBody = valuesOf(rawHeaders, 'transfer-encoding').length > 0 || hasLength(rawHeaders);
  // What no handler knows is refused by all, whatever else it has.
  return hasBody && METHODS.includes(method) ? malformed : head;
}

/** What a handler that reads a body in pieces is told of a mistake in it, by what Node's parser says of it. */
export function chunkProblem({ code, reason = '' }: { readonly code?: string; readonly reason?: string }): string {
  if (code === 'HPE_INVALID_CHUNK_SIZE') {
    return reason.includes('overflow') ? 'http chunk length too large' : 'invalid byte in chunk length';
  }
  if (code === 'HPE_INVALID_EOF_STATE') return 'unexpected EOF';
  return reason.includes('after chunk size') ? 'chunked line ends with bare LF' : 'malformed chunked encoding';
}
