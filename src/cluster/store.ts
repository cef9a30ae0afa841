/** Opens a cluster's store: one of its own in the state directory, or an etcd cluster. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock, UserError } from '#base';
import { openEtcdStore, openMemoryStore, openSqliteStore, StorageError, type Store } from '#storage';
import { type ClusterConfig, writeConfig } from './config.ts';
import type { EtcdSettings } from './flags/settings.ts';
import type { StateDir } from './state-dir.ts';

export interface StoreOptions {
  readonly dir: StateDir;
  readonly config: ClusterConfig;
  readonly etcd: EtcdSettings | undefined;
}

/** `onFatal` is told when the store can no longer be relied on. Throws a UserError for what its user can mend. */
export async function openStore(options: StoreOptions, onFatal: (error: Error) => void): Promise<Store> {
  const { dir, config, etcd } = options;
  if (etcd) return openEtcd(dir, config, etcd);
  if (config.store === 'etcd') {
    throw new UserError(`The store of "${dir.name}" is an etcd cluster, and no member of it was given.`, {
      remedy: 'Give --etcd-servers, or begin a store of its own: --store sqlite',
    });
  }
  if (config.store === 'memory') return openMemoryStore({ clock: systemClock });
  return openSqlite(dir, onFatal);
}

/** That it is etcd is kept, so that a start without the flag does not show an empty cluster. */
async function openEtcd(dir: StateDir, config: ClusterConfig, { endpoints, files }: EtcdSettings): Promise<Store> {
  const { ca, cert, key } = files;
  const tls = () => ({
    ...(ca && { ca: readFileSync(ca) }),
    ...(cert && { cert: readFileSync(cert) }),
    ...(key && { key: readFileSync(key) }),
  });
  try {
    const store = await openEtcdStore({ endpoints, clock: systemClock, ...((ca || cert) && { tls }) });
    if (config.store !== 'etcd') writeConfig(dir, { ...config, store: 'etcd' });
    return store;
  } catch (cause) {
    if (!(cause instanceof StorageError)) throw cause;
    throw new UserError(`No member of etcd answers (${endpoints.join(', ')}): ${cause.message}`, { cause });
  }
}

async function openSqlite(dir: StateDir, onFatal: (error: Error) => void): Promise<Store> {
  const path = join(dir.store, 'store.db');
  try {
    return await openSqliteStore({ path, clock: systemClock, onFatal });
  } catch (cause) {
    if (!(cause instanceof StorageError)) throw cause;
    const remedies: Partial<Record<StorageError['code'], string>> = {
      locked: `Another server uses it; stop that one: kobune down --name ${dir.name}`,
      damaged: `Nothing was changed; look at it with: sqlite3 -readonly ${path} "pragma integrity_check"`,
      newer: 'Use the newer program that wrote it.',
    };
    const remedy = remedies[cause.code];
    const [why] = cause.message.split('\n');
    throw new UserError(`The store cannot be opened: ${why}.`, { ...(remedy && { remedy }), cause });
  }
}
