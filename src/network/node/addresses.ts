/** IPv4 arithmetic and the allocator of pod addresses: one /32 a sandbox, out of the node's pod range. */

/** `10.1.2.3` as a number; NaN when it is no IPv4 address. */
function ipv4ToNumber(text: string): number {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every(part => /^\d{1,3}$/.test(part) && Number(part) < 256)) return Number.NaN;
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** The inverse of {@link ipv4ToNumber}. */
function numberToIpv4(value: number): string {
  return [24, 16, 8, 0].map(shift => (value >>> shift) & 255).join('.');
}

/** First and last address of a range such as `10.64.0.0/24`. Throws a RangeError for anything else. */
function ipv4Range(cidr: string): { readonly first: number; readonly last: number } {
  const [base = '', bits = ''] = cidr.split('/');
  const start = ipv4ToNumber(base);
  const length = Number(bits);
  if (Number.isNaN(start) || !/^\d{1,2}$/.test(bits) || length > 32) throw new RangeError(`not an IPv4 range: ${cidr}`);
  const size = 2 ** (32 - length);
  const first = Math.floor(start / size) * size;
  return { first, last: first + size - 1 };
}

/** The node's own address: the first usable one of its pod range. Pods get the others. */
export function nodeAddressOf(podCidr: string): string {
  return numberToIpv4(ipv4Range(podCidr).first + 1);
}

/** Hands out addresses of one range, round robin so that an address rests before it is used again. */
export interface AddressPool {
  /** The next free address. Throws when all are taken. */
  take(): string;
  /** Marks an address as taken that an earlier run gave out; outside the range it does nothing. */
  keep(address: string): void;
  free(address: string): void;
  readonly used: number;
}

/** All of `podCidr` but its first two addresses (network, node) and its last (broadcast). */
export function createAddressPool(podCidr: string): AddressPool {
  const range = ipv4Range(podCidr);
  const first = range.first + 2;
  const size = Math.max(0, range.last - first);
  const taken = new Set<number>();
  let next = 0;
  return {
    take() {
      for (let tries = 0; tries < size; tries++) {
        const candidate = first + next;
        next = (next + 1) % size;
        if (taken.has(candidate)) continue;
        taken.add(candidate);
        return numberToIpv4(candidate);
      }
      throw new Error(`all ${size} addresses of ${podCidr} are in use`);
    },
    keep(address) {
      const value = ipv4ToNumber(address);
      if (!(value >= first && value < first + size)) return;
      taken.add(value);
      next = (value - first + 1) % size;
    },
    free(address) {
      taken.delete(ipv4ToNumber(address));
    },
    get used() {
      return taken.size;
    },
  };
}
