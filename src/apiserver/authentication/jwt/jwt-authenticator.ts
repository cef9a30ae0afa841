/**
 * The tokens of one issuer: verified, mapped to a user, and checked by the rules of the configuration. The issuer's
 * keys are looked for in the background, so that a provider may run on the very cluster that it serves.
 * Upstream: plugin/pkg/authenticator/token/oidc/oidc.go.
 */
import type { Clock, Logger } from '#base';
import { type Authenticated, Refused, type TokenAuthenticator } from '../authenticator.ts';
import type { JwtAuthenticatorConfiguration } from './configuration.ts';
import { DistributedClaims } from './distributed-claims.ts';
import { discoverVerifier, type IdTokenVerifier } from './id-token-verifier.ts';
import { mappedUser } from './mapping.ts';
import type { JwtMetrics } from './metrics.ts';
import { ProviderClient } from './provider-client.ts';
import { untrustedIssuer } from './untrusted-issuer.ts';
import type { AuthenticatorExpressions } from './validate.ts';

const retryMs = 10_000;

export interface JwtAuthenticatorDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: JwtMetrics;
  /** Ends what runs in the background; the authenticator is not to be used after. */
  readonly signal: AbortSignal;
}

export interface JwtAuthenticatorOptions {
  readonly configuration: JwtAuthenticatorConfiguration;
  readonly expressions: AuthenticatorExpressions;
  /** What tokens may be signed with. */
  readonly algorithms: readonly string[];
}

export class JwtAuthenticator implements TokenAuthenticator {
  readonly #deps: JwtAuthenticatorDeps;
  readonly #options: JwtAuthenticatorOptions;
  readonly #client: ProviderClient;
  readonly #distributed: DistributedClaims | undefined;
  #verifier: IdTokenVerifier | undefined;
  #problem: string;
  /** Resolves when the first look for the issuer's keys has ended, well or not. */
  readonly tried: Promise<void>;

  constructor(deps: JwtAuthenticatorDeps, options: JwtAuthenticatorOptions) {
    const { issuer, claimMappings } = options.configuration;
    this.#deps = deps;
    this.#options = options;
    this.#client = new ProviderClient(issuer.certificateAuthority, deps.clock, deps.signal);
    this.#problem = `oidc: authenticator for issuer ${JSON.stringify(issuer.url)} is not initialized`;
    const { claim } = claimMappings.groups;
    if (claim !== '') {
      const { audiences } = issuer;
      const { algorithms } = options;
      this.#distributed = new DistributedClaims({
        ...deps,
        claim,
        audiences,
        algorithms,
        client: this.#client,
        retryMs,
      });
    }
    this.tried = this.#discover();
    void this.tried.then(() => this.#retry());
  }

  /** Why tokens cannot be verified; undefined when they can. */
  get problem(): string | undefined {
    if (this.#verifier) return undefined;
    const issuer = JSON.stringify(this.#options.configuration.issuer.url);
    return `oidc: authenticator for issuer ${issuer} is not healthy: ${this.#problem}`;
  }

  async #discover(): Promise<void> {
    const { clock, logger, metrics } = this.#deps;
    const { url: issuer, discoveryUrl, audiences } = this.#options.configuration.issuer;
    const { algorithms } = this.#options;
    const observer = {
      fetched: (keys: string | undefined) => {
        if (!this.#deps.signal.aborted) metrics.fetchedKeys(issuer, keys);
      },
    };
    const client = this.#client;
    try {
      this.#verifier = await discoverVerifier({ issuer, discoveryUrl, audiences, algorithms, client, clock, observer });
    } catch (error) {
      this.#problem = (error as Error).message;
      if (!this.#deps.signal.aborted) logger.warn('oidc: initializing the authenticator failed', { issuer, error });
    }
  }

  async #retry(): Promise<void> {
    const { clock, signal } = this.#deps;
    while (!this.#verifier && !signal.aborted) {
      await clock.sleep(retryMs, signal).catch(() => {});
      if (!signal.aborted) await this.#discover();
    }
  }

  async authenticate(token: string): Promise<Authenticated | undefined> {
    const { clock, metrics } = this.#deps;
    const { url } = this.#options.configuration.issuer;
    if (untrustedIssuer(token) !== url) return undefined;
    const start = clock.monotonicMs();
    let result: 'success' | 'failure' = 'failure';
    try {
      const found = await this.#authenticate(token);
      result = 'success';
      return found;
    } finally {
      metrics.authenticated(url, result, (clock.monotonicMs() - start) / 1000);
    }
  }

  async #authenticate(token: string): Promise<Authenticated> {
    if (!this.#verifier) throw new Refused('oidc: authenticator not initialized');
    const verified = await prefixed('oidc: verify token: ', () => this.#verifier!.verify(token));
    const expanding = 'oidc: could not expand distributed claims: ';
    const distributed = this.#distributed;
    const claims = distributed ? await prefixed(expanding, () => distributed.expand(verified)) : verified;
    return { user: mappedUser(claims, this.#options) };
  }
}

/** The same refusals, each with where they come from. */
async function prefixed<T>(prefix: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    throw new Refused(prefix + error.message);
  }
}
