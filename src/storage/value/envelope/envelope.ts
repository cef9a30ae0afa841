/**
 * The provider `kms` v2: values under a seed that only the KMS plug-in can decrypt. Writing never asks the plug-in, which
 * encrypted the present seed beforehand; reading asks once for each seed met. Upstream: apiserver
 * pkg/storage/value/encrypt/envelope/kmsv2/{envelope,cache}.go.
 */
import { formatTime } from '#apimachinery';
import type { Clock, Random } from '#base';
import { gcmTransformer, seededGcmTransformer } from '../aes.ts';
import { type EnvelopeMetrics, hashOf, type TransformationMetrics } from '../metrics.ts';
import type { Opened, Transformer, ValueContext } from '../transformer.ts';
import { cacheKey, decodeEncrypted, encodeEncrypted, type KeySource, keySourceTypes } from './encrypted-object.ts';
import type { KmsService } from './kms-service.ts';

export interface EnvelopeDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: EnvelopeMetrics;
  readonly transformations: TransformationMetrics;
}

/** The seed that is written with at present. */
export interface EnvelopeState {
  readonly source: KeySource;
  readonly transformer: Transformer;
  /** Until then it may be written with, by the clock. Reading has no end. */
  readonly expiresMs: number;
}

const cacheTtlMs = 24 * 3600_000;

/** @param state the seed to write with; throws while there is none. */
export function envelopeTransformer(
  deps: EnvelopeDeps,
  service: KmsService,
  providerName: string,
  state: () => EnvelopeState,
): Transformer {
  const { clock, metrics } = deps;
  const cache = new SeedCache(clock, size => metrics.cached(providerName, size));

  const fetched = async (source: KeySource): Promise<Transformer> => {
    deps.transformations.missed();
    let key: Uint8Array;
    try {
      key = await service.decrypt(deps.random.uuid(), source);
    } catch (cause) {
      throw new Error(`failed to decrypt DEK, error: ${(cause as Error).message}`, { cause });
    }
    const made = source.type === keySourceTypes.seed ? seededGcmTransformer(key) : gcmTransformer(checkedKey(key));
    cache.set(cacheKey(source), made);
    return made;
  };

  return {
    seal(value, at) {
      const { source, transformer, expiresMs } = state();
      const nowMs = clock.now();
      if (nowMs > expiresMs)
        throw new Error(
          `encryptedDEKSource with keyID hash ${JSON.stringify(hashOf(source.keyId))} expired at ${formatTime(expiresMs)} (current time is ${formatTime(nowMs)})`,
        );
      cache.set(cacheKey(source), transformer);
      const data = transformer.seal(value, at);
      metrics.keyUsed('to_storage', providerName, source.keyId);
      return encodeEncrypted({ ...source, data });
    },
    open(stored, at) {
      const object = decodeEncrypted(stored);
      const current = state().source;
      const known = cache.get(cacheKey(object));
      const opened = (transformer: Transformer): Opened | Promise<Opened> => {
        metrics.keyUsed('from_storage', providerName, object.keyId);
        return openedBy(transformer, object.data, at, object.keyId !== current.keyId || object.type !== current.type);
      };
      return known ? opened(known) : fetched(object).then(opened);
    },
  };
}

function openedBy(transformer: Transformer, data: Uint8Array, at: ValueContext, stale: boolean): Opened {
  // The forms under an envelope open at once.
  const { value } = transformer.open(data, at) as Opened;
  return { value, stale };
}

function checkedKey(key: Uint8Array): Uint8Array {
  if (![16, 24, 32].includes(key.length)) throw new Error(`crypto/aes: invalid key size ${key.length}`);
  return key;
}

/** Decrypted seeds; each stays for a day after it was last written with or fetched. */
class SeedCache {
  readonly #clock: Clock;
  readonly #onSize: (size: number) => void;
  readonly #entries = new Map<string, { readonly transformer: Transformer; readonly untilMs: number }>();

  constructor(clock: Clock, onSize: (size: number) => void) {
    this.#clock = clock;
    this.#onSize = onSize;
  }

  get(key: string): Transformer | undefined {
    const found = this.#entries.get(key);
    return found && found.untilMs > this.#clock.now() ? found.transformer : undefined;
  }

  set(key: string, transformer: Transformer): void {
    const nowMs = this.#clock.now();
    // The oldest stand first, since setting moves an entry to the end.
    this.#entries.delete(key);
    this.#entries.set(key, { transformer, untilMs: nowMs + cacheTtlMs });
    for (const [old, { untilMs }] of this.#entries) {
      if (untilMs > nowMs) break;
      this.#entries.delete(old);
    }
    this.#onSize(this.#entries.size);
  }
}
