/**
 * Addresses and their ranges. Upstream: k8s.io/apiserver pkg/cel/library/{ip,cidr}.go, pkg/cel/{ip,cidr}.go.
 */
import { goQuote } from '../../field.ts';
import { type IpAddress, isIPv4Mapped, maskIp } from '../../validation/ip.ts';
import { fn, type Library, method, overload } from '../check/declarations.ts';
import { opaque, type Type, types } from '../check/types.ts';
import { CelError, noSuchOverload, ObjectValue, type Value } from '../values/value.ts';
import { AddressError, addressText, type Prefix, parseAddress, parsePrefix } from './address.ts';

export const ipType: Type = opaque('net.IP');
export const cidrType: Type = opaque('net.CIDR');
const { bool, int, string } = types;

const sameBytes = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0;

class Ip extends ObjectValue {
  readonly type: Type = ipType;
  readonly address: IpAddress;

  constructor(address: IpAddress) {
    super();
    this.address = address;
  }

  get bytes(): Uint8Array {
    return this.address.bytes;
  }

  get isIPv4(): boolean {
    return this.bytes.length === 4;
  }

  override get costSize(): number {
    return this.bytes.length;
  }

  equals(other: ObjectValue): boolean {
    return other instanceof Ip && sameBytes(this.bytes, other.bytes);
  }

  override toString(): string {
    return addressText(this.address);
  }
}

class Cidr extends ObjectValue {
  readonly type: Type = cidrType;
  readonly prefix: Prefix;

  constructor(prefix: Prefix) {
    super();
    this.prefix = prefix;
  }

  override get costSize(): number {
    return Math.ceil(this.prefix.bits / 8);
  }

  equals(other: ObjectValue): boolean {
    if (!(other instanceof Cidr) || this.prefix.bits !== other.prefix.bits) return false;
    return sameBytes(this.prefix.address.bytes, other.prefix.address.bytes);
  }

  contains(address: IpAddress): boolean {
    const own = this.prefix.address;
    if (own.bytes.length !== address.bytes.length) return false;
    return sameBytes(masked(own, this.prefix.bits), masked(address, this.prefix.bits));
  }

  override toString(): string {
    return `${addressText(this.prefix.address)}/${this.prefix.bits}`;
  }
}

const masked = (address: IpAddress, prefix: number): Uint8Array =>
  maskIp({ address, prefix, leadingZeros: false }).bytes;

/** What a parser gives; its own errors become values. */
function attempt<R extends Value>(parse: () => R): R | CelError {
  try {
    return parse();
  } catch (error) {
    if (error instanceof AddressError) return new CelError(error.message);
    throw error;
  }
}

const parseIpValue = (text: string): Ip | CelError =>
  attempt(() => {
    let zoned: ReturnType<typeof parseAddress>;
    try {
      zoned = parseAddress(text);
    } catch (error) {
      if (!(error instanceof AddressError)) throw error;
      throw new AddressError(`IP Address ${goQuote(text)} parse error during conversion from string: ${error.message}`);
    }
    const quoted = goQuote(text);
    if (zoned.zone !== '') throw new AddressError(`IP address ${quoted} with zone value is not allowed`);
    if (isIPv4Mapped(zoned.address)) throw new AddressError(`IPv4-mapped IPv6 address ${quoted} is not allowed`);
    return new Ip(zoned.address);
  });

const prefixFault = 'network address parse error during conversion from string: ';

const parseCidrValue = (text: string): Cidr | CelError =>
  attempt(() => {
    let prefix: Prefix;
    try {
      prefix = parsePrefix(text);
    } catch (error) {
      if (!(error instanceof AddressError)) throw error;
      throw new AddressError(`${prefixFault}${prefixFault}${error.message}`);
    }
    if (isIPv4Mapped(prefix.address)) {
      throw new AddressError(`${prefixFault}IPv4-mapped IPv6 address ${goQuote(text)} is not allowed`);
    }
    return new Cidr(prefix);
  });

const test = (id: string, holds: (bytes: Uint8Array, ip: Ip) => boolean) =>
  method(id, [ipType], bool, (ip: Ip) => holds(ip.bytes, ip));

const isUnspecified = (bytes: Uint8Array): boolean => bytes.every(byte => byte === 0);
const isLoopback = (bytes: Uint8Array): boolean =>
  bytes.length === 4 ? bytes[0] === 127 : bytes.every((byte, index) => byte === (index === 15 ? 1 : 0));
const isMulticast = (bytes: Uint8Array): boolean =>
  bytes.length === 4 ? ((bytes[0] as number) & 0xf0) === 0xe0 : bytes[0] === 0xff;
const isLinkLocalMulticast = (bytes: Uint8Array): boolean =>
  bytes.length === 4
    ? bytes[0] === 224 && bytes[1] === 0 && bytes[2] === 0
    : bytes[0] === 0xff && ((bytes[1] as number) & 0x0f) === 2;
const isLinkLocalUnicast = (bytes: Uint8Array): boolean =>
  bytes.length === 4
    ? bytes[0] === 169 && bytes[1] === 254
    : bytes[0] === 0xfe && ((bytes[1] as number) & 0xc0) === 0x80;
const isGlobalUnicast = (bytes: Uint8Array): boolean =>
  !isUnspecified(bytes) &&
  !isLoopback(bytes) &&
  !isMulticast(bytes) &&
  !isLinkLocalUnicast(bytes) &&
  !(bytes.length === 4 && bytes.every(byte => byte === 255));

const containsIp = (cidr: Cidr, ip: Ip | CelError): Value =>
  ip instanceof CelError ? noSuchOverload : cidr.contains(ip.address);

function containsCidr(cidr: Cidr, other: Cidr | CelError): Value {
  if (other instanceof CelError) return other;
  return cidr.prefix.bits <= other.prefix.bits && cidr.contains(other.prefix.address);
}

export const networkLibrary: Library = [
  fn(
    'ip',
    overload('string_to_ip', [string], ipType, parseIpValue),
    method('cidr_ip', [cidrType], ipType, (cidr: Cidr) => new Ip(cidr.prefix.address)),
  ),
  fn(
    'family',
    method('ip_family', [ipType], int, (ip: Ip) => (ip.isIPv4 ? 4n : 6n)),
  ),
  fn(
    'ip.isCanonical',
    overload('ip_is_canonical', [string], bool, (text: string) => {
      const ip = parseIpValue(text);
      return ip instanceof CelError ? ip : ip.toString() === text;
    }),
  ),
  fn('isUnspecified', test('ip_is_unspecified', isUnspecified)),
  fn('isLoopback', test('ip_is_loopback', isLoopback)),
  fn('isLinkLocalMulticast', test('ip_is_link_local_multicast', isLinkLocalMulticast)),
  fn('isLinkLocalUnicast', test('ip_is_link_local_unicast', isLinkLocalUnicast)),
  fn('isGlobalUnicast', test('ip_is_global_unicast', isGlobalUnicast)),
  fn(
    'isIP',
    overload('is_ip', [string], bool, (text: string) => parseIpValue(text) instanceof Ip),
  ),
  fn(
    'string',
    overload('ip_to_string', [ipType], string, String),
    overload('cidr_to_string', [cidrType], string, String),
  ),
  fn('cidr', overload('string_to_cidr', [string], cidrType, parseCidrValue)),
  fn(
    'containsIP',
    method('cidr_contains_ip_string', [cidrType, string], bool, (cidr: Cidr, text: string) =>
      containsIp(cidr, parseIpValue(text)),
    ),
    method('cidr_contains_ip_ip', [cidrType, ipType], bool, containsIp),
  ),
  fn(
    'containsCIDR',
    method('cidr_contains_cidr_string', [cidrType, string], bool, (cidr: Cidr, text: string) =>
      containsCidr(cidr, parseCidrValue(text)),
    ),
    method('cidr_contains_cidr', [cidrType, cidrType], bool, containsCidr),
  ),
  fn(
    'prefixLength',
    method('cidr_prefix_length', [cidrType], int, (cidr: Cidr) => BigInt(cidr.prefix.bits)),
  ),
  fn(
    'masked',
    method('cidr_masked', [cidrType], cidrType, ({ prefix }: Cidr) => {
      const address = { ...prefix.address, bytes: masked(prefix.address, prefix.bits) };
      return new Cidr({ address, bits: prefix.bits });
    }),
  ),
  fn(
    'isCIDR',
    overload('is_cidr', [string], bool, (text: string) => parseCidrValue(text) instanceof Cidr),
  ),
];
