/**
 * Addresses as Go's netip reads them, with its words for what is wrong. Upstream: Go net/netip.
 */
import { goQuote } from '../../field.ts';
import { formatIp, type IpAddress, parseIp } from '../../validation/ip.ts';

/** Why a text is no address. */
export class AddressError extends Error {}

const failed = (text: string, message: string, at?: string): AddressError =>
  new AddressError(
    `ParseAddr(${goQuote(text)}): ${message}${at === undefined || at === '' ? '' : ` (at ${goQuote(at)})`}`,
  );

/** An address and its zone. */
export interface ZonedAddress {
  readonly address: IpAddress;
  readonly zone: string;
}

/** Parses an address. Throws an AddressError. */
export function parseAddress(text: string): ZonedAddress {
  const kind = /[.:%]/.exec(text)?.[0];
  if (kind === undefined) throw failed(text, 'unable to parse IP');
  if (kind === '%') throw failed(text, 'missing IPv6 address');
  if (kind === '.') {
    checkIPv4(text, text);
    return { address: parsed(text, text), zone: '' };
  }
  const percent = text.indexOf('%');
  const zone = percent < 0 ? '' : text.slice(percent + 1);
  if (percent >= 0 && zone === '') throw failed(text, 'zone must be a non-empty string');
  const body = percent < 0 ? text : text.slice(0, percent);
  checkIPv6(text, body);
  return { address: parsed(text, body), zone };
}

function parsed(text: string, body: string): IpAddress {
  const address = parseIp(body);
  if (address === undefined) throw failed(text, 'unable to parse IP');
  return address;
}

/** Checks four numbers that end `text`. */
function checkIPv4(text: string, body: string): void {
  let [value, digits, points] = [0, 0, 0];
  for (let at = 0; at < body.length; at++) {
    const character = body[at] as string;
    if (/[0-9]/.test(character)) {
      if (digits === 1 && value === 0) throw failed(text, 'IPv4 field has octet with leading zero');
      value = value * 10 + Number(character);
      digits++;
      if (value > 255) throw failed(text, 'IPv4 field has value >255');
    } else if (character === '.') {
      if (at === 0 || at === body.length - 1 || body[at - 1] === '.') {
        throw failed(text, 'IPv4 field must have at least one digit', body.slice(at));
      }
      if (points === 3) throw failed(text, 'IPv4 address too long');
      [value, digits, points] = [0, 0, points + 1];
    } else throw failed(text, 'unexpected character', body.slice(at));
  }
  if (points < 3) throw failed(text, 'IPv4 address too short');
}

function checkIPv6(text: string, body: string): void {
  let rest = body;
  let ellipsis = -1;
  if (rest.startsWith('::')) {
    ellipsis = 0;
    rest = rest.slice(2);
    if (rest === '') return;
  }
  let filled = 0;
  while (filled < 16) {
    const group = checkGroup(text, rest);
    if (rest[group.length] === '.') {
      if (ellipsis < 0 && filled !== 12) {
        throw failed(text, 'embedded IPv4 address must replace the final 2 fields of the address', rest);
      }
      if (filled + 4 > 16) {
        throw failed(text, 'too many hex fields to fit an embedded IPv4 at the end of the address', rest);
      }
      checkIPv4(text, rest);
      rest = '';
      filled += 4;
      break;
    }
    filled += 2;
    rest = rest.slice(group.length);
    if (rest === '') break;
    if (rest[0] !== ':') throw failed(text, 'unexpected character, want colon', rest);
    if (rest.length === 1) throw failed(text, 'colon must be followed by more characters', rest);
    rest = rest.slice(1);
    if (rest[0] !== ':') continue;
    if (ellipsis >= 0) throw failed(text, 'multiple :: in address', rest);
    ellipsis = filled;
    rest = rest.slice(1);
    if (rest === '') break;
  }
  if (rest !== '') throw failed(text, 'trailing garbage after address', rest);
  if (filled < 16 && ellipsis < 0) throw failed(text, 'address string too short');
  if (filled >= 16 && ellipsis >= 0) throw failed(text, 'the :: must expand to at least one field of zeros');
}

function checkGroup(text: string, rest: string): string {
  const group = /^[0-9a-fA-F]*/.exec(rest)?.[0] ?? '';
  if (group.length > 4) throw failed(text, 'each group must have 4 or less digits', rest);
  if (group === '') throw failed(text, 'each colon-separated field must have at least one digit', rest);
  return group;
}

/** A range of addresses, as it was written: bits beyond the prefix are kept. */
export interface Prefix {
  readonly address: IpAddress;
  readonly bits: number;
}

/** Parses `address/bits`. Throws an AddressError. */
export function parsePrefix(text: string): Prefix {
  const refused = (message: string): AddressError =>
    new AddressError(`netip.ParsePrefix(${goQuote(text)}): ${message}`);
  const slash = text.lastIndexOf('/');
  if (slash < 0) throw refused("no '/'");
  let zoned: ZonedAddress;
  try {
    zoned = parseAddress(text.slice(0, slash));
  } catch (error) {
    throw error instanceof AddressError ? refused(error.message) : error;
  }
  if (zoned.zone !== '') throw refused('IPv6 zones cannot be present in a prefix');
  const written = text.slice(slash + 1);
  if (!/^[+-]?[0-9]+$/.test(written) || (written.length > 1 && !/^[1-9]/.test(written))) {
    throw refused(`bad bits after slash: ${goQuote(written)}`);
  }
  const bits = Number(written);
  if (bits > zoned.address.bytes.length * 8) throw refused('prefix length out of range');
  return { address: zoned.address, bits };
}

/** The canonical text, mapped addresses as IPv6. */
export const addressText = (address: IpAddress): string => formatIp(address);
