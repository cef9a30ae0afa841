/**
 * The cluster's certificates, authorities and token keys while the server runs: looked at every hour and when their files
 * change, made anew before they end, taken over when somebody else replaced the files; who uses one is told. Upstream: apiserver pkg/server/dynamiccertificates,
 * client-go util/certificate/certificate_manager.go.
 */
import { join } from 'node:path';
import { type Clock, type Logger, watchFile } from '#base';
import { followingTokenKeys, type TokenKeys, type TrustBundle } from '#pki';
import type { Lifetimes } from './authority-files.ts';
import { type ClusterPki, ensurePki, type PkiNames } from './pki-files.ts';

export interface PkiKeeperDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default: years. */
  readonly lifetimes?: Lifetimes;
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

  /** The authorities by which the cluster's servers are believed. */
  get rootCa(): TrustBundle {
    const pem = (): string => this.#current.trustedPem;
    return {
      get pem() {
        return pem();
      },
      onChange: listener =>
        this.onChange((now, before) => {
          if (now.trustedPem !== before.trustedPem) listener();
        }),
    };
  }

  /** The keys of ServiceAccounts' tokens, as they are replaced. */
  get tokenKeys(): TokenKeys {
    return followingTokenKeys(() => this.#current.tokenKeys);
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
    const { clock, logger, lifetimes } = this.#deps;
    try {
      const now = await ensurePki(this.#dir, this.#names, clock.now(), { ...(lifetimes && { lifetimes }) });
      for (const name of changed(now, this.#current)) logger.info('what the cluster holds was replaced', { name });
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

const pairs = [
  'authority',
  'apiServer',
  'apiServerKubeletClient',
  'kubeletServer',
  'frontProxy',
  'frontProxyClient',
  'admin',
] as const;

/** Names of what differs. */
export function changed(now: ClusterPki, before: ClusterPki): string[] {
  const keyIds = ({ tokenKeys }: ClusterPki): string => tokenKeys.jwks.map(({ kid }) => kid).join();
  return [
    ...pairs.filter(name => now[name].certPem !== before[name].certPem || now[name].keyPem !== before[name].keyPem),
    ...(['trustedPem', 'frontProxyTrustedPem'] as const).filter(name => now[name] !== before[name]),
    ...(keyIds(now) === keyIds(before) ? [] : ['tokenKeys']),
  ];
}

/** Loads or makes the keys in `dir` and keeps them until disposed. */
export async function keepPki(deps: PkiKeeperDeps, dir: string, names: PkiNames): Promise<PkiKeeper> {
  const { clock, lifetimes } = deps;
  const current = await ensurePki(dir, names, clock.now(), { mends: true, ...(lifetimes && { lifetimes }) });
  return new PkiKeeper(deps, dir, names, current);
}
