/**
 * What the API's ports show: the cluster's own certificate or that of an operator's files, and those for further names;
 * replaced on every port when it is renewed or its files change.
 */
import type { Listener, TlsConfig } from '#apiserver';
import { type Clock, type Logger, watchFile } from '#base';
import type { ServingSettings } from '../flags/settings.ts';
import type { PkiKeeper } from '../pki-keeper.ts';
import { pathsOf, readServingFiles, type ServingPairs } from './serving-files.ts';

export interface ServingDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pki: PkiKeeper;
  readonly signal: AbortSignal;
}

const none: ServingSettings = { files: { sni: [] } };

/** See the file header. */
export class Serving {
  readonly #deps: ServingDeps;
  readonly #settings: ServingSettings;
  readonly #listeners: Listener[] = [];
  #pairs: ServingPairs;

  /** Throws a UserError for files that cannot be used. */
  constructor(deps: ServingDeps, settings: ServingSettings = none) {
    this.#deps = deps;
    this.#settings = settings;
    this.#pairs = readServingFiles(settings.files);
    deps.pki.onChange(() => this.#show());
    for (const path of pathsOf(settings.files))
      watchFile(path, { clock: deps.clock, signal: deps.signal, onChange: () => this.#reload() });
  }

  /** For a new port. */
  get tls(): TlsConfig {
    const { minVersion, ciphers, curves } = this.#settings;
    return {
      ...this.#shown,
      ...(minVersion && { minVersion }),
      ...(ciphers && { ciphers }),
      ...(curves && { curves }),
    };
  }

  /** Keeps a port's certificates up to date from now on. */
  add(listener: Listener): void {
    this.#listeners.push(listener);
  }

  get #shown(): Pick<TlsConfig, 'certPem' | 'keyPem' | 'sni' | 'clientCaPem'> {
    const { apiServer, trustedPem } = this.#deps.pki.current;
    const { certPem, keyPem } = this.#pairs.pair ?? apiServer;
    return { certPem, keyPem, sni: this.#pairs.sni, clientCaPem: trustedPem };
  }

  #show(): void {
    for (const listener of this.#listeners) listener.serve(this.#shown);
  }

  /** Half-written files, a certificate without its key: what is shown stays until they fit together. */
  #reload(): void {
    const { logger } = this.#deps;
    try {
      const next = readServingFiles(this.#settings.files);
      if (JSON.stringify(next) === JSON.stringify(this.#pairs)) return;
      this.#pairs = next;
      this.#show();
      logger.info('loaded new serving certificates', { paths: pathsOf(this.#settings.files) });
    } catch (error) {
      logger.error('serving certificates cannot be loaded; those before stay', { error });
    }
  }
}
