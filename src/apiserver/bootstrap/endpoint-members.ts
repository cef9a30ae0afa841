/**
 * How the API servers of one store know of each other: by keys that each renews and that expire without it, or, as long
 * ago, by what stands in the Endpoints, where a fixed number of servers push each other out. Upstream:
 * pkg/controlplane/reconcilers/{lease,instancecount}.go.
 */
import { prefixEnd, type Store } from '#storage';

export const endpointReconcilerTypes = ['master-count', 'lease', 'none'] as const;
export type EndpointReconcilerType = (typeof endpointReconcilerTypes)[number];

/** This server among the others. */
export interface EndpointMembers {
  /** Counts this server in, or goes on doing so; answers the addresses of all. */
  join(): Promise<readonly string[]>;
  /** Takes it out; answers those of the others. */
  leave(): Promise<readonly string[]>;
}

/** Seconds for which a server counts after its last word. */
const ttlSeconds = 15;

/** By keys under `prefix`. */
export function leaseMembers(store: Store, prefix: string, own: string): EndpointMembers {
  const key = prefix + own;
  const members = async (): Promise<string[]> => {
    const { kvs } = await store.range({ start: prefix, end: prefixEnd(prefix), keysOnly: true });
    return kvs.map(each => each.key.slice(prefix.length));
  };
  return {
    async join() {
      const lease = { kind: 'Endpoints', apiVersion: 'v1', metadata: {}, subsets: [{ addresses: [{ ip: own }] }] };
      await store.txn([], [{ type: 'put', key, value: Buffer.from(JSON.stringify(lease)), ttlSeconds }]);
      return members();
    },
    async leave() {
      await store.txn([], [{ type: 'delete', key }]);
      return members();
    },
  };
}

/** By the addresses that were `written`, of which there are to be `count`. */
export function masterCountMembers(
  written: () => Promise<readonly string[]>,
  own: string,
  count: number,
): EndpointMembers {
  return {
    join: async () => withOwn(await written(), own, count),
    leave: async () => (await written()).filter(each => each !== own),
  };
}

/**
 * The addresses with this one. Too many: those after it in the order of text go first, from the end round to the
 * beginning, so that servers that all do so come to agree.
 */
export function withOwn(written: readonly string[], own: string, count: number): string[] {
  if (written.includes(own) && written.length <= count) return [...written];
  const addresses = [...new Set([...written, own])].sort();
  while (addresses.length > count) addresses.splice((addresses.indexOf(own) + 1) % addresses.length, 1);
  return addresses;
}
