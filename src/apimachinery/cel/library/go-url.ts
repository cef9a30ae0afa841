/**
 * URLs as Go's net/url reads them, with its words for what is wrong. Upstream: Go net/url (Parse, ParseRequestURI).
 */
import { goQuote } from '../../field.ts';
import { AddressError, parseAddress } from './address.ts';

/** Why a text is no URL. */
export class UrlError extends Error {}

/** The parts of a URL that expressions can ask for. */
export interface GoUrl {
  readonly scheme: string;
  /** With the port, escapes decoded. */
  readonly host: string;
  readonly escapedPath: string;
  readonly rawQuery: string;
  readonly fragment: string;
  /** All of it as it was written, which is what equality goes by. */
  readonly text: string;
}

/** Parses an absolute URI or path, as ParseRequestURI and then Parse do. Throws a UrlError with Go's text. */
export function parseUrl(text: string): GoUrl {
  try {
    read(text, true);
    const hash = text.indexOf('#');
    if (hash < 0) return { ...read(text, false), fragment: '', text };
    const fragment = decode(text.slice(hash + 1), 'fragment');
    return { ...read(text.slice(0, hash), false), fragment, text };
  } catch (error) {
    if (error instanceof UrlError) throw new UrlError(`parse ${goQuote(text)}: ${error.message}`);
    throw error;
  }
}

/** `ofRequest`: as in a request, where two slashes at the start begin a path, not a host. */
function read(text: string, ofRequest: boolean): Omit<GoUrl, 'fragment' | 'text'> {
  if (/[\u0000-\u001f\u007f]/.test(text)) throw new UrlError('net/url: invalid control character in URL');
  if (text === '') throw new UrlError('empty url');
  if (text === '*') return { scheme: '', host: '', escapedPath: '*', rawQuery: '' };
  if (text.startsWith(':')) throw new UrlError('missing protocol scheme');
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(text)?.[1] ?? '';
  const behind = scheme === '' ? text : text.slice(scheme.length + 1);
  const question = behind.indexOf('?');
  let rest = question < 0 ? behind : behind.slice(0, question);
  const rawQuery = question < 0 ? '' : behind.slice(question + 1);
  if (!rest.startsWith('/')) {
    if (scheme === '') throw new UrlError('invalid URI for request');
    return { scheme: scheme.toLowerCase(), host: '', escapedPath: '', rawQuery };
  }
  let host = '';
  const mayHaveHost = scheme !== '' || (!ofRequest && !rest.startsWith('///'));
  if (mayHaveHost && rest.startsWith('//')) {
    const slash = rest.indexOf('/', 2);
    const authority = slash < 0 ? rest.slice(2) : rest.slice(2, slash);
    rest = slash < 0 ? '' : rest.slice(slash);
    host = readAuthority(scheme.toLowerCase(), authority);
  }
  return { scheme: scheme.toLowerCase(), host, escapedPath: escapedPath(rest), rawQuery };
}

function readAuthority(scheme: string, authority: string): string {
  const at = authority.lastIndexOf('@');
  const host = readHost(scheme, authority.slice(at + 1));
  if (at < 0) return host;
  const user = authority.slice(0, at);
  if (!/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(user)) throw new UrlError('net/url: invalid userinfo');
  decode(user, 'user');
  return host;
}

const isPort = (text: string): boolean => /^(?::[0-9]*)?$/.test(text);

function readHost(scheme: string, host: string): string {
  const bracket = host.lastIndexOf('[');
  if (bracket > 0) throw new UrlError('invalid IP-literal');
  if (bracket === 0) return readLiteral(host);
  const first = host.indexOf(':');
  if (first >= 0) {
    const strict = scheme === 'http' || scheme === 'https';
    const port = host.slice(strict ? first : host.lastIndexOf(':'));
    if (!isPort(port)) throw new UrlError(`invalid port ${goQuote(port)} after host`);
  }
  return decode(host, 'host');
}

/** An address in brackets, perhaps with a zone. */
function readLiteral(host: string): string {
  const close = host.lastIndexOf(']');
  if (close < 0) throw new UrlError("missing ']' in host");
  const port = host.slice(close + 1);
  if (!isPort(port)) throw new UrlError(`invalid port ${goQuote(port)} after host`);
  const name = host.slice(1, close);
  const zone = name.indexOf('%25');
  const plain =
    zone < 0 ? decode(name, 'host') : decode(name.slice(0, zone), 'host') + decode(name.slice(zone), 'zone');
  try {
    if (!parseAddress(plain).address.colons) throw new UrlError('invalid IP-literal');
  } catch (error) {
    throw error instanceof AddressError ? new UrlError(`invalid host: ${error.message}`) : error;
  }
  return `[${plain}]${port}`;
}

type Mode = 'host' | 'zone' | 'path' | 'user' | 'query' | 'fragment';
const hostCharacter = /^[A-Za-z0-9\-_.~!$&'()*+,;=:[\]<>"]$/;

/** Decodes %xx. Throws a UrlError for escapes and characters that a mode refuses. */
function decode(text: string, mode: Mode): string {
  const inHost = mode === 'host' || mode === 'zone';
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string;
    if (character !== '%') {
      if (inHost && character < '\u0080' && !hostCharacter.test(character)) {
        throw new UrlError(`invalid character ${goQuote(character)} in host name`);
      }
      continue;
    }
    const escape_ = text.slice(at, at + 3);
    const invalid = new UrlError(`invalid URL escape ${goQuote(escape_)}`);
    if (!/^%[0-9a-fA-F]{2}$/.test(escape_)) throw invalid;
    const value = Number.parseInt(escape_.slice(1), 16);
    if (mode === 'host' && value < 0x80 && escape_ !== '%25') throw invalid;
    const allowed = escape_ === '%25' || value === 0x20 || hostCharacter.test(String.fromCharCode(value));
    if (mode === 'zone' && !allowed) throw invalid;
    at += 2;
  }
  const spaced = mode === 'query' ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  const bytes = Buffer.from(spaced).toString('latin1');
  const decoded = bytes.replace(/%([0-9a-fA-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(decoded, 'latin1').toString('utf8');
}

/** The path as written if it is valid so, else as Go would write it. */
function escapedPath(path: string): string {
  const plain = decode(path, 'path');
  if (/^[A-Za-z0-9\-_.~!$&'()*+,;=:@[\]%/]*$/.test(path)) return path;
  const bytes = [...Buffer.from(plain)];
  return bytes
    .map(byte => {
      const character = String.fromCharCode(byte);
      if (/^[A-Za-z0-9\-_.~$&+,/:;=@]$/.test(character)) return character;
      return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}

/** Host and port apart. */
export function hostAndPort(host: string): { hostname: string; port: string } {
  const colon = host.lastIndexOf(':');
  const hasPort = colon >= 0 && isPort(host.slice(colon));
  const name = hasPort ? host.slice(0, colon) : host;
  const bare = name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name;
  return { hostname: bare, port: hasPort ? host.slice(colon + 1) : '' };
}

/** The parameters of a query, in order; malformed ones are left out. */
export function queryParameters(rawQuery: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const part of rawQuery.split('&')) {
    if (part === '' || part.includes(';')) continue;
    const equals = part.indexOf('=');
    try {
      const key = decode(equals < 0 ? part : part.slice(0, equals), 'query');
      const value = equals < 0 ? '' : decode(part.slice(equals + 1), 'query');
      found.set(key, [...(found.get(key) ?? []), value]);
    } catch (error) {
      if (!(error instanceof UrlError)) throw error;
    }
  }
  return found;
}
