/**
 * What a token turned out to be is remembered for a short while, and asked for once however many requests bring it.
 * Keys are keyed hashes, so that no token stays in memory. Upstream: apiserver pkg/authentication/token/cache.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { type Clock, LruMap } from '#base';
import { type Authenticated, type AuthenticationContext, Refused, type TokenAuthenticator } from './authenticator.ts';
import type { TokenCacheMetrics } from './metrics.ts';

export interface TokenCacheOptions {
  readonly clock: Clock;
  /** How long a token that is good is remembered; 0: not at all. */
  readonly successTtlMs: number;
  /** The same for one that is not. */
  readonly failureTtlMs: number;
  /** Refusals are remembered too, not only that nobody knew the token. */
  readonly cacheErrors: boolean;
  readonly metrics?: TokenCacheMetrics;
}

/** Everything that an authenticator answered or said; several requests may get the same. */
interface Outcome {
  readonly found?: Authenticated | undefined;
  readonly refused?: Refused;
  readonly warnings: readonly string[];
  readonly annotations: ReadonlyMap<string, string>;
}

interface Entry {
  readonly outcome: Outcome;
  readonly untilMs: number;
}

const maxEntries = 32 * 1024;
/** A lookup that several wait for is not the request's of any, and ends by itself. */
const lookupTimeoutMs = 30_000;

export function cachedTokens(delegate: TokenAuthenticator, options: TokenCacheOptions): TokenAuthenticator {
  return new TokenCache(delegate, options);
}

class TokenCache implements TokenAuthenticator {
  readonly #delegate: TokenAuthenticator;
  readonly #options: TokenCacheOptions;
  readonly #secret = randomBytes(32);
  readonly #entries = new LruMap<string, Entry>(maxEntries);
  readonly #running = new Map<string, Promise<Outcome>>();

  constructor(delegate: TokenAuthenticator, options: TokenCacheOptions) {
    this.#delegate = delegate;
    this.#options = options;
  }

  async authenticate(token: string, context: AuthenticationContext): Promise<Authenticated | undefined> {
    const done = this.#options.metrics?.authenticating();
    const key = this.#key(token, context.audiences ?? []);
    let outcome = this.#get(key);
    if (outcome) done?.('hit');
    else {
      const unblocked = this.#options.metrics?.blocking();
      try {
        outcome = await this.#fetch(key, token, context.audiences);
      } finally {
        unblocked?.();
        done?.('miss');
      }
    }
    if (outcome.refused) throw outcome.refused;
    if (!outcome.found) return undefined;
    for (const text of outcome.warnings) context.warn?.(text);
    for (const [name, value] of outcome.annotations) context.annotate?.(name, value);
    return outcome.found;
  }

  #key(token: string, audiences: readonly string[]): string {
    return createHmac('sha256', this.#secret)
      .update(JSON.stringify([token, ...audiences]))
      .digest('base64');
  }

  #get(key: string): Outcome | undefined {
    const entry = this.#entries.get(key);
    if (entry && entry.untilMs > this.#options.clock.now()) return entry.outcome;
    this.#entries.delete(key);
    return undefined;
  }

  #set(key: string, outcome: Outcome): void {
    const { clock, successTtlMs, failureTtlMs, cacheErrors } = this.#options;
    if (outcome.refused && !cacheErrors) return;
    const ttlMs = outcome.found ? successTtlMs : failureTtlMs;
    if (ttlMs <= 0) return;
    this.#entries.set(key, { outcome, untilMs: clock.now() + ttlMs });
  }

  #fetch(key: string, token: string, audiences: readonly string[] | undefined): Promise<Outcome> {
    let running = this.#running.get(key);
    if (!running) {
      running = this.#ask(token, audiences)
        .then(outcome => {
          this.#set(key, outcome);
          return outcome;
        })
        .finally(() => this.#running.delete(key));
      this.#running.set(key, running);
    }
    return running;
  }

  async #ask(token: string, audiences: readonly string[] | undefined): Promise<Outcome> {
    const warnings: string[] = [];
    const annotations = new Map<string, string>();
    const context: AuthenticationContext = {
      ...(audiences && { audiences }),
      warn: text => void warnings.push(text),
      annotate: (name, value) => void annotations.set(name, value),
    };
    const fetched = this.#options.metrics?.fetching();
    try {
      const found = await this.#inTime(this.#delegate.authenticate(token, context));
      fetched?.('ok');
      return { found, warnings, annotations };
    } catch (error) {
      fetched?.('error');
      if (!(error instanceof Refused)) throw error;
      return { refused: error, warnings, annotations };
    }
  }

  async #inTime<T>(work: Promise<T>): Promise<T> {
    const late = Promise.withResolvers<never>();
    const timer = this.#options.clock.setTimer(
      () => late.reject(new Refused('context deadline exceeded')),
      lookupTimeoutMs,
    );
    try {
      return await Promise.race([work, late.promise]);
    } finally {
      timer.cancel();
    }
  }
}
