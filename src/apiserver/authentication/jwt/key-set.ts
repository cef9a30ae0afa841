/**
 * The public keys of a provider, fetched when a token needs one that is not known, kept as long as the provider says,
 * and used beyond that while it does not answer. Upstream: coreos/go-oidc jwks.go.
 * Deviation: keys of kinds that no signature is verified with are skipped; upstream refuses the whole set.
 */
import { createPublicKey, type KeyObject, type webcrypto } from 'node:crypto';
import type { Clock } from '#base';
import { type CompactJws, signatureProblem } from '#pki';
import type { Fetched, ProviderClient } from './provider-client.ts';

/** Keys that expire so soon are fetched anew for a token that none of them verifies. */
const expiryMarginMs = 30_000;

interface Key {
  readonly id: string;
  readonly key: KeyObject;
}

export interface KeySetObserver {
  /** A fetch of the keys ended; `text` is what was got when it was good. */
  fetched(text: string | undefined): void;
}

export class RemoteKeySet {
  readonly #url: string;
  readonly #client: ProviderClient;
  readonly #clock: Clock;
  readonly #observer: KeySetObserver;
  #keys: readonly Key[] = [];
  #expiryMs = 0;
  #fetching: Promise<readonly Key[]> | undefined;

  constructor(url: string, client: ProviderClient, clock: Clock, observer: KeySetObserver) {
    this.#url = url;
    this.#client = client;
    this.#clock = clock;
    this.#observer = observer;
  }

  /** Resolves when one of the keys signed it. Throws an Error that says why not. */
  async verify(jws: CompactJws): Promise<void> {
    if (isSignedByAny(this.#keys, jws)) return;
    // Whoever sends tokens with made-up key ids must not make us ask the provider for each.
    if (this.#clock.now() + expiryMarginMs <= this.#expiryMs) throw new Error(notSigned);
    if (!isSignedByAny(await this.#fetch(), jws)) throw new Error(notSigned);
  }

  /** One fetch at a time, for all who wait. */
  #fetch(): Promise<readonly Key[]> {
    this.#fetching ??= this.#update().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #update(): Promise<readonly Key[]> {
    let fetched: Fetched;
    try {
      fetched = await this.#client.get(this.#url);
    } catch (cause) {
      this.#observer.fetched(undefined);
      throw new Error(`fetching keys oidc: get keys failed ${(cause as Error).message}`, { cause });
    }
    const { status, statusText, body } = fetched;
    if (status !== 200) {
      this.#observer.fetched(undefined);
      throw new Error(`fetching keys oidc: get keys failed: ${statusText} ${body}`);
    }
    const keys = parseKeys(body);
    this.#observer.fetched(keys && body);
    if (!keys) throw new Error(`fetching keys oidc: failed to decode keys: ${decodingProblem(fetched)} ${body}`);
    this.#keys = keys;
    this.#expiryMs = expiryOf(fetched, this.#clock.now());
    return keys;
  }
}

const notSigned = 'failed to verify id token signature';

const isSignedByAny = (keys: readonly Key[], jws: CompactJws): boolean =>
  keys.some(({ id, key }) => (jws.keyId === '' || jws.keyId === id) && signatureProblem(jws, key) === undefined);

const decodingProblem = ({ contentType }: Fetched): string =>
  /^application\/json\b/i.test(contentType)
    ? 'got Content-Type = application/json, but could not unmarshal as JSON'
    : `expected Content-Type = application/json, got ${JSON.stringify(contentType)}`;

/** Keys of kinds that we do not verify with are left out; undefined for what is no set of keys. */
function parseKeys(text: string): readonly Key[] | undefined {
  let keys: unknown;
  try {
    keys = (JSON.parse(text) as { keys?: unknown } | null)?.keys ?? [];
  } catch {
    return undefined;
  }
  if (!Array.isArray(keys)) return undefined;
  return keys.flatMap((jwk: webcrypto.JsonWebKey & { kid?: string }) => {
    if (jwk?.kty !== 'RSA' && jwk?.kty !== 'EC') return [];
    try {
      // Of a private key its public half.
      const { kty, n, e, crv, x, y } = jwk;
      const half = kty === 'RSA' ? { kty, n, e } : { kty, crv, x, y };
      return [{ id: jwk.kid ?? '', key: createPublicKey({ key: half as webcrypto.JsonWebKey, format: 'jwk' }) }];
    } catch {
      return [];
    }
  });
}

/** RFC 9111 5.2, as a shared cache reads it; at once where nothing is said. */
function expiryOf({ cacheControl, expires }: Fetched, nowMs: number): number {
  const directives = cacheControl
    .toLowerCase()
    .split(',')
    .map(each => each.trim());
  if (directives.some(each => /^(no-store|no-cache|private)\b/.test(each))) return nowMs;
  for (const name of ['s-maxage', 'max-age']) {
    const seconds = directives.find(each => each.startsWith(`${name}=`))?.slice(name.length + 1);
    if (seconds !== undefined && /^\d+$/.test(seconds)) return nowMs + Number(seconds) * 1000;
  }
  return Math.max(nowMs, Date.parse(expires) || 0);
}
