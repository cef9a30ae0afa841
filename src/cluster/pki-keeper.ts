/**
 * The cluster's certificates while the server runs: looked at every hour and when their files change, made anew a month
 * before they end, taken over when somebody else replaced the files; who shows one is told. Upstream: apiserver pkg/server/dynamiccertificates,
 * client-go util/certificate/certificate_manager.go.
 */
import { join } from 'node:path';
import { type Clock, type Logger, watchFile } from '#base';
import { type ClusterPki, ensurePki, type PkiNames } from './pki-files.ts';

export interface PkiKeeperDeps {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Told of what is shown from now on; throwing leaves the one before in use until the next look. */
export type PkiListener = (now: ClusterPki, before: ClusterPki) => void;

const lookMs = 3600_000;

/** See the file header; made by {@link keepPki}. */
export class PkiKeeper implements Disposable {
  readonly #deps: PkiKeeperDeps;
  readonly #dir: string;
  readonly #names: PkiNames;
  readonly #listeners: Array<{ readonly tell: PkiListener; shown: ClusterPki }> = [];
  readonly #stopping = new AbortController();
  #current: ClusterPki;
  #looking: Promise<void> | undefined;

  constructor(deps: PkiKeeperDeps, dir: string, names: PkiNames, current: ClusterPki) {
    this.#deps = deps;
    this.#dir = dir;
    this.#names = names;
    this.#current = current;
    // All of them stand in one directory.
    const { clock } = deps;
    const { signal } = this.#stopping;
    watchFile(join(dir, 'apiserver.crt'), { clock, signal, periodMs: lookMs, onChange: () => this.look() });
  }

  /** What is on disk, as of the last look. */
  get current(): ClusterPki {
    return this.#current;
  }

  onChange(tell: PkiListener): void {
    this.#listeners.push({ tell, shown: this.#current });
  }

  /** Looks now; resolves when everybody has been told. Never rejects. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  [Symbol.dispose](): void {
    this.#stopping.abort();
  }

  async #look(): Promise<void> {
    const { clock, logger } = this.#deps;
    try {
      const now = await ensurePki(this.#dir, this.#names, clock.now());
      for (const name of changed(now, this.#current)) logger.info('a certificate was replaced', { name });
      this.#current = now;
    } catch (error) {
      logger.error("the cluster's certificates cannot be read; those before stay", { error });
      return;
    }
    for (const listener of this.#listeners) {
      if (changed(this.#current, listener.shown).length === 0) continue;
      try {
        listener.tell(this.#current, listener.shown);
        listener.shown = this.#current;
      } catch (error) {
        logger.error('a certificate cannot be shown; the one before stays', { error });
      }
    }
  }
}

const pairs = ['apiServer', 'apiServerKubeletClient', 'kubeletServer', 'frontProxyClient', 'admin'] as const;

/** Names of the pairs that differ. */
export function changed(now: ClusterPki, before: ClusterPki): string[] {
  return pairs.filter(name => now[name].certPem !== before[name].certPem || now[name].keyPem !== before[name].keyPem);
}

/** Loads or makes the keys in `dir` and keeps them until disposed. */
export async function keepPki(deps: PkiKeeperDeps, dir: string, names: PkiNames): Promise<PkiKeeper> {
  return new PkiKeeper(deps, dir, names, await ensurePki(dir, names, deps.clock.now()));
}
