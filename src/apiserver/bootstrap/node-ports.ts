/**
 * Node ports that Services have without this server having given them out: those of a store that an upstream server
 * wrote, which keeps them in a bitmap. They are taken, so that nobody gets them a second time. Upstream:
 * pkg/registry/core/service/portallocator/controller/repair.go.
 */
import type { Service } from '#api/types';
import type { Clock, Logger } from '#base';
import type { Store } from '#storage';
import type { Caches } from '../registry/caches.ts';
import { heldPorts, nodePortKey, nodePortValue } from '../registry/hooks/service.ts';
import type { Scheme } from '../scheme/scheme.ts';

export interface NodePortDeps {
  readonly store: Store;
  readonly scheme: Scheme;
  readonly caches: Caches;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Upstream's interval. */
const periodMs = 3 * 60_000;

/** Takes them now, and again every three minutes until `signal` aborts. */
export async function keepNodePorts(deps: NodePortDeps, keyPrefix: string, signal: AbortSignal): Promise<void> {
  const { clock, logger } = deps;
  await takeNodePorts(deps, keyPrefix, signal);
  const ticker = clock.setTicker(() => {
    takeNodePorts(deps, keyPrefix, signal).catch(error => {
      if (!signal.aborted) logger.warn('node ports were not looked through', { error });
    });
  }, periodMs);
  signal.addEventListener('abort', () => ticker.cancel(), { once: true });
}

/** Takes every port of a Service that is not taken. A Service that changes meanwhile keeps its own books. */
async function takeNodePorts(
  { store, scheme, caches }: Pick<NodePortDeps, 'store' | 'scheme' | 'caches'>,
  keyPrefix: string,
  signal: AbortSignal,
): Promise<void> {
  const services = caches.of(scheme.find('', 'v1', 'services')!);
  await services.fresh(signal);
  for (const item of services.list().items) {
    const service = item.object as unknown as Service;
    for (const port of heldPorts(service)) {
      const key = nodePortKey(keyPrefix, port);
      if ((await store.get(key)).kv) continue;
      const preconditions = [
        { key, modRevision: 0 },
        { key: item.key, modRevision: item.modRevision },
      ];
      await store.txn(preconditions, [{ type: 'put', key, value: nodePortValue(service.metadata) }]);
    }
  }
}
