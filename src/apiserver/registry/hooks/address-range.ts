/** Addresses of a Service range by number. Upstream: pkg/registry/core/service/ipallocator. */
import { formatIp, parseCidr, parseIp } from '#apimachinery';
import { type Family, familyOf } from './service-families.ts';

const toNumber = (bytes: Uint8Array): bigint => bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

/** The largest part of an IPv6 range that is used, as upstream. */
const maxBits = 64n;

export class AddressRange {
  readonly cidr: string;
  readonly family: Family;
  readonly #base: bigint;
  readonly #size: bigint;
  readonly #length: number;

  constructor(cidr: string) {
    const parsed = parseCidr(cidr);
    if (!parsed) throw new RangeError(`${cidr} is no address range`);
    this.cidr = cidr;
    this.family = familyOf(cidr);
    const { bytes } = parsed.address;
    this.#length = this.family === 'IPv4' ? 4 : 16;
    const own = bytes.subarray(bytes.length - this.#length);
    const hostBits = BigInt(this.#length * 8 - parsed.prefix);
    this.#size = 1n << (hostBits > maxBits ? maxBits : hostBits);
    this.#base = (toNumber(own) >> hostBits) << hostBits;
  }

  contains(address: string): boolean {
    const parsed = parseIp(address);
    if (!parsed || familyOf(address) !== this.family) return false;
    const offset = toNumber(parsed.bytes.subarray(parsed.bytes.length - this.#length)) - this.#base;
    // The network's own address and, in IPv4, the broadcast one are nobody's.
    return offset > 0n && offset < this.#size - (this.family === 'IPv4' ? 1n : 0n);
  }

  /** All usable addresses from a random one on; those above the static band first, as upstream gives them out. */
  *candidates(random: () => number): Generator<string> {
    const usable = this.#size - (this.family === 'IPv4' ? 2n : 1n);
    const band = staticBand(this.#size);
    const upper = usable - band;
    const start = BigInt(Math.floor(random() * Number(upper)));
    for (let i = 0n; i < upper; i++) yield this.#at(1n + band + ((start + i) % upper));
    for (let i = 0n; i < band; i++) yield this.#at(1n + i);
  }

  #at(offset: bigint): string {
    let value = this.#base + offset;
    const bytes = new Uint8Array(this.#length);
    for (let at = this.#length - 1; at >= 0; at--) {
      bytes[at] = Number(value & 0xffn);
      value >>= 8n;
    }
    return formatIp({ bytes, colons: this.family === 'IPv6', leadingZeros: false });
  }
}

/** How many addresses at the start are kept for those who name one. Upstream: calculateRangeOffset. */
function staticBand(size: bigint): bigint {
  if (size <= 16n) return 0n;
  const part = size / 16n;
  return part < 16n ? 16n : part > 256n ? 256n : part;
}
