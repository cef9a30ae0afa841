/**
 * Leases for keys with a ttl, shared by keys put at about the same time, because a lease costs etcd more than a key.
 * A key may live longer than asked for by up to a twentieth, at most a minute. Upstream: storage/etcd3/lease_manager.go.
 */
import type { Clock } from '#base';
import type { EtcdClient } from './etcd-client.ts';
import { methods } from './messages.ts';

interface Shared {
  readonly lease: Promise<number>;
  readonly untilMs: number;
  keys: number;
}

const maxShare = 0.05;
const maxShareSeconds = 60;
const maxKeys = 1000;

/** See the file header. */
export class Leases {
  readonly #client: EtcdClient;
  readonly #clock: Clock;
  readonly #byTtl = new Map<number, Shared>();

  constructor(client: EtcdClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** The id of a lease that lasts at least `ttlSeconds` from now. */
  async leaseFor(ttlSeconds: number): Promise<number> {
    const now = this.#clock.monotonicMs();
    const known = this.#byTtl.get(ttlSeconds);
    if (known && now < known.untilMs && known.keys < maxKeys) {
      known.keys++;
      return known.lease;
    }
    const shareSeconds = Math.min(maxShareSeconds, ttlSeconds * maxShare);
    const lease = this.#grant(Math.ceil(ttlSeconds + shareSeconds));
    this.#byTtl.set(ttlSeconds, { lease, untilMs: now + shareSeconds * 1000, keys: 1 });
    lease.catch(() => this.#byTtl.delete(ttlSeconds));
    return lease;
  }

  /** Ids are chosen here: etcd's own need 63 bits. */
  async #grant(ttl: number): Promise<number> {
    const id = 1 + Number(crypto.getRandomValues(new BigUint64Array(1))[0]! % BigInt(Number.MAX_SAFE_INTEGER - 1));
    await this.#client.call(methods.leaseGrant, { ttl, id });
    return id;
  }
}
