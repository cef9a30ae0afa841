/**
 * The authorities that vouch for one sort of client, from one or several places, each of which may change while the
 * server runs. Upstream: apiserver pkg/server/dynamiccertificates (CAContentProvider, DynamicFileCAContent).
 */
import { readFileSync } from 'node:fs';
import { type Clock, type Logger, UserError, watchFile } from '#base';
import { type CertificateBundle, parseBundle } from '#pki';
import { readText } from './read-text.ts';

export class CertificateAuthorities {
  readonly #sources = new Map<string, { readonly pem: string; readonly bundle: CertificateBundle }>();
  readonly #listeners = new Set<() => void>();
  readonly #dropped = new Set<string>();

  /** Sets what `source` brings. Throws for what is no bundle, and keeps what was there. True when anything changed. */
  set(source: string, pem: string): boolean {
    if (this.#sources.get(source)?.pem === pem) return false;
    const before = this.bundle;
    this.#sources.set(source, { pem, bundle: parseBundle(pem) });
    for (const { fingerprint256 } of before) this.#dropped.add(fingerprint256);
    for (const { fingerprint256 } of this.bundle) this.#dropped.delete(fingerprint256);
    for (const listener of this.#listeners) listener();
    return true;
  }

  /** Called after each change. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  get bundle(): CertificateBundle {
    return [...this.#sources.values()].flatMap(({ bundle }) => bundle);
  }

  /** SHA-256 fingerprints of those that were trusted once and no source brings any more. */
  get dropped(): ReadonlySet<string> {
    return this.#dropped;
  }

  /** All of them as one PEM text, as clients and extension servers get it; empty when there is none. */
  get pem(): string {
    return [...new Set([...this.#sources.values()].map(({ pem }) => (pem.endsWith('\n') ? pem : `${pem}\n`)))].join('');
  }
}

interface FileDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Adds those of a file and follows it. A file that became unreadable or empty changes nothing. Throws a UserError. */
export function followAuthorityFile(
  authorities: CertificateAuthorities,
  path: string,
  purpose: 'client-ca-bundle' | 'request-header',
  deps: FileDeps,
): void {
  const { clock, logger, signal } = deps;
  try {
    authorities.set(path, readText(path));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UserError(`error loading CA bundle for ${JSON.stringify(`${purpose}::${path}`)}: ${why}`, { cause });
  }
  const onChange = (): void => {
    try {
      if (authorities.set(path, readFileSync(path, 'utf8'))) logger.info('loaded a new CA bundle', { path });
    } catch (error) {
      logger.error('the CA bundle cannot be loaded; the one before stays', { path, error });
    }
  };
  watchFile(path, { clock, signal, onChange });
}
