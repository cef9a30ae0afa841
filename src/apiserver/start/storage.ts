/** The first stage of a start: the kinds, the store with what wraps its values, and the caches over it. */
import { rulesOf } from '#api/rules';
import { type Store, startCompactor, startWatchCache } from '#storage';
import { type Encryption, encryptionOptions, startEncryption } from '../encryption/encryption.ts';
import { servedBy } from '../features/api-enablement.ts';
import { Caches } from '../registry/caches.ts';
import { ObjectStore } from '../registry/object-store.ts';
import { StoreMetrics } from '../registry/store-metrics.ts';
import { Scheme } from '../scheme/scheme.ts';
import { withStoredValues } from '../serialization/stored-values.ts';
import type { Start } from './start.ts';

export interface Storage extends AsyncDisposable {
  readonly scheme: Scheme;
  readonly encryption: Encryption;
  /** With values as they are meant, whatever the engine holds. */
  readonly store: Store;
  readonly caches: Caches;
  readonly objects: ObjectStore;
}

export async function startStorage({ deps, config, hooks, features, signal }: Start): Promise<Storage> {
  const scheme = new Scheme(config.keyPrefix, rulesOf, servedBy(config.runtimeConfig, features));
  const encryption = await startEncryption({ ...deps, scheme }, encryptionOptions(config), signal);
  const store = withStoredValues(encryption.over(deps.store), scheme, config.storageMediaType);
  const watchCache = await startWatchCache({ ...deps, store }, { prefix: `${config.keyPrefix}/` });
  const compactor = startCompactor({ ...deps, intervalMs: config.compactionIntervalMs });
  const objects = new ObjectStore(store, new StoreMetrics(deps.metrics, deps.clock));
  await hooks.run('storage-readiness', () => store.currentRevision());
  return {
    scheme,
    encryption,
    store,
    caches: new Caches(watchCache),
    objects,
    async [Symbol.asyncDispose]() {
      compactor[Symbol.dispose]();
      await watchCache[Symbol.asyncDispose]();
    },
  };
}
