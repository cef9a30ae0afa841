/**
 * IP addresses and CIDRs: parsing as upstream's older code does (leading zeros pass), strict checks, canonical text.
 * Upstream: apimachinery pkg/util/validation/ip.go, k8s.io/utils/net.
 */
import { type FieldError, type FieldPath, goQuote, invalidValue } from '../field.ts';

/** Bytes of an address, 4 or 16 long; an IPv4-mapped IPv6 address is 16 long but counts as IPv4. */
export interface IpAddress {
  readonly bytes: Uint8Array;
  /** Written with colons. */
  readonly colons: boolean;
  /** Strict parsers refuse it: zeros lead an octet, or a group has more than four digits. */
  readonly leadingZeros: boolean;
}

export interface Cidr {
  readonly address: IpAddress;
  readonly prefix: number;
  /** The prefix length has leading zeros. */
  readonly leadingZeros: boolean;
}

function parseOctets(text: string): { bytes: number[]; leadingZeros: boolean } | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every(part => /^[0-9]{1,10}$/.test(part) && Number(part) <= 255)) return undefined;
  return { bytes: parts.map(Number), leadingZeros: parts.some(part => part.length > 1 && part[0] === '0') };
}

/** Parses an address; undefined when it is none, by the older, lenient rules. */
export function parseIp(text: string): IpAddress | undefined {
  if (!text.includes(':')) {
    const octets = parseOctets(text);
    return octets && { bytes: Uint8Array.from(octets.bytes), colons: false, leadingZeros: octets.leadingZeros };
  }
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  let leadingZeros = false;
  const groups = (half: string): number[] | undefined => {
    if (half === '') return [];
    const out: number[] = [];
    const parts = half.split(':');
    for (const [i, part] of parts.entries()) {
      if (part.includes('.')) {
        const octets = i === parts.length - 1 ? parseOctets(part) : undefined;
        if (octets === undefined) return undefined;
        leadingZeros ||= octets.leadingZeros;
        out.push(...octets.bytes);
      } else {
        if (!/^[0-9a-fA-F]{1,8}$/.test(part)) return undefined;
        const value = Number.parseInt(part, 16);
        if (value > 0xffff) return undefined;
        leadingZeros ||= part.length > 4;
        out.push(value >> 8, value & 255);
      }
    }
    return out;
  };
  const head = groups(halves[0]!);
  const tail = groups(halves[1] ?? '');
  if (head === undefined || tail === undefined || (halves.length === 2 && halves[0]!.includes('.'))) return undefined;
  const length = head.length + tail.length;
  if (halves.length === 1 ? length !== 16 : length > 14) return undefined;
  const bytes = new Uint8Array(16);
  bytes.set(head, 0);
  bytes.set(tail, 16 - tail.length);
  return { bytes, colons: true, leadingZeros };
}

/** An IPv4 address written as IPv6, `::ffff:1.2.3.4`. */
export function isIPv4Mapped({ bytes }: IpAddress): boolean {
  return bytes.length === 16 && bytes[10] === 255 && bytes[11] === 255 && bytes.subarray(0, 10).every(b => b === 0);
}

/** True for IPv4 and for IPv4-mapped addresses, as Go's To4. */
export function isIPv4(address: IpAddress): boolean {
  return address.bytes.length === 4 || isIPv4Mapped(address);
}

/** The canonical text: dotted for IPv4 and what is mapped, RFC 5952 for IPv6. */
export function formatIp(address: IpAddress): string {
  const { bytes } = address;
  if (isIPv4(address)) return [...bytes.subarray(-4)].join('.');
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! << 8) | bytes[2 * i + 1]!);
  let begin = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let j = i;
    while (j < 8 && groups[j] === 0) j++;
    if (j - i > length) {
      begin = i;
      length = j - i;
    }
  }
  const hex = (part: readonly number[]): string => part.map(group => group.toString(16)).join(':');
  return begin < 0 ? hex(groups) : `${hex(groups.slice(0, begin))}::${hex(groups.slice(begin + length))}`;
}

/** Parses `address/prefix`; undefined when it is none. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const address = parseIp(text.slice(0, slash));
  const tail = text.slice(slash + 1);
  if (address === undefined || !/^[0-9]{1,8}$/.test(tail)) return undefined;
  const prefix = Number(tail);
  if (prefix > (address.colons ? 128 : 32)) return undefined;
  return { address, prefix, leadingZeros: tail.length > 1 && tail[0] === '0' };
}

/** The first address of the range. */
export function maskIp({ address, prefix }: Cidr): IpAddress {
  const bytes = address.bytes.map((byte, i) => {
    const bits = Math.min(8, Math.max(0, prefix - 8 * i));
    return byte & (0xff << (8 - bits));
  });
  return { ...address, bytes };
}

/** The canonical text of the range, with the bits beyond the prefix cleared. */
export function formatCidr(cidr: Cidr): string {
  const masked = maskIp(cidr);
  const mapped = isIPv4Mapped(masked) && cidr.prefix >= 96;
  return `${formatIp(masked)}/${mapped ? cidr.prefix - 96 : cidr.prefix}`;
}

const sameBytes = (a: IpAddress, b: IpAddress): boolean => a.bytes.every((byte, i) => byte === b.bytes[i]);

/** A field of old, where a canonical form is not asked for; `validOld` are values that passed before. */
export function isValidIPForLegacyField(
  path: FieldPath,
  value: string,
  validOld: readonly string[] = [],
): FieldError[] {
  if (validOld.includes(value)) return [];
  const address = parseIp(value);
  if (address === undefined) {
    return [invalidValue(path, value, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')];
  }
  const errors: FieldError[] = [];
  if (address.leadingZeros) errors.push(invalidValue(path, value, 'must not have leading 0s'));
  else if (isIPv4Mapped(address)) {
    errors.push(invalidValue(path, value, 'must not be an IPv4-mapped IPv6 address'));
  }
  return errors;
}

export function isValidIP(path: FieldPath, value: string): FieldError[] {
  const errors = isValidIPForLegacyField(path, value);
  if (errors.length > 0) return errors;
  const canonical = formatIp(parseIp(value)!);
  if (value === canonical) return [];
  return [invalidValue(path, value, `must be in canonical form (${goQuote(canonical)})`)];
}

export function isValidCIDRForLegacyField(
  path: FieldPath,
  value: string,
  validOld: readonly string[] = [],
): FieldError[] {
  if (validOld.includes(value)) return [];
  const cidr = parseCidr(value);
  if (cidr === undefined) {
    return [invalidValue(path, value, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)')];
  }
  if (cidr.leadingZeros || cidr.address.leadingZeros) {
    return [invalidValue(path, value, 'must not have leading 0s in IP or prefix length')];
  }
  if (isIPv4Mapped(cidr.address)) {
    return [invalidValue(path, value, 'must not have an IPv4-mapped IPv6 address')];
  }
  if (!sameBytes(cidr.address, maskIp(cidr))) {
    return [invalidValue(path, value, 'must not have bits set beyond the prefix length')];
  }
  return [];
}

export function isValidCIDR(path: FieldPath, value: string): FieldError[] {
  const errors = isValidCIDRForLegacyField(path, value);
  if (errors.length > 0) return errors;
  const canonical = formatCidr(parseCidr(value)!);
  if (value === canonical) return [];
  return [invalidValue(path, value, `must be in canonical form (${goQuote(canonical)})`)];
}

/** An address with the length of its subnet, in canonical form. */
export function isValidInterfaceAddress(path: FieldPath, value: string): FieldError[] {
  const cidr = parseCidr(value);
  if (cidr === undefined) {
    const text = 'must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)';
    return [invalidValue(path, value, text)];
  }
  const size = isIPv4(cidr.address) && cidr.prefix > 32 ? cidr.prefix - 96 : cidr.prefix;
  const canonical = `${formatIp(cidr.address)}/${size}`;
  if (value === canonical) return [];
  return [invalidValue(path, value, `must be in canonical form (${goQuote(canonical)})`)];
}

/** Warnings for an address in a legacy field that is valid but not standard. */
export function warningsForIP(path: FieldPath, value: string): string[] {
  const address = parseIp(value);
  if (address === undefined) return [];
  const canonical = formatIp(address);
  if (address.leadingZeros || isIPv4Mapped(address)) {
    return [`${path}: non-standard IP address ${goQuote(value)} is invalid: use ${goQuote(canonical)}`];
  }
  if (!address.colons || canonical === value) return [];
  return [`${path}: IPv6 address ${goQuote(value)} should be in RFC 5952 canonical format (${goQuote(canonical)})`];
}

/** Warnings for a CIDR in a legacy field that is valid but not standard. */
export function warningsForCIDR(path: FieldPath, value: string): string[] {
  const cidr = parseCidr(value);
  if (cidr === undefined) return [];
  const warnings: string[] = [];
  const canonical = formatCidr(cidr);
  if (!sameBytes(cidr.address, maskIp(cidr))) {
    const single = `${formatIp(cidr.address)}/${cidr.address.colons ? 128 : 32}`;
    const text = `is ambiguous in this context (should be ${goQuote(canonical)} or ${goQuote(single)}?)`;
    warnings.push(`${path}: CIDR value ${goQuote(value)} ${text}`);
  }
  if (cidr.leadingZeros || cidr.address.leadingZeros || isIPv4Mapped(cidr.address)) {
    warnings.push(`${path}: non-standard CIDR value ${goQuote(value)} is invalid: use ${goQuote(canonical)}`);
  }
  if (warnings.length === 0 && cidr.address.colons && canonical !== value) {
    const text = `should be in RFC 5952 canonical format (${goQuote(canonical)})`;
    warnings.push(`${path}: IPv6 CIDR value ${goQuote(value)} ${text}`);
  }
  return warnings;
}
