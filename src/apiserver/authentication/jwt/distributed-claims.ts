/**
 * Groups that a token does not hold, but says where to get: from an endpoint that answers with another signed token,
 * of any issuer for the same audiences. OpenID Connect Core 5.6.2. Upstream: plugin/pkg/authenticator/token/oidc/oidc.go
 * (claimResolver).
 */
import type { Clock } from '#base';
import type { TokenClaims } from '#pki';
import { Refused } from '../authenticator.ts';
import { discoverVerifier, type IdTokenVerifier } from './id-token-verifier.ts';
import type { ProviderClient } from './provider-client.ts';
import { untrustedIssuer } from './untrusted-issuer.ts';

export interface ResolverOptions {
  /** The claim that may be elsewhere. */
  readonly claim: string;
  readonly audiences: readonly string[];
  readonly algorithms: readonly string[];
  readonly client: ProviderClient;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Between attempts to find an issuer's keys. */
  readonly retryMs: number;
}

interface Endpoint {
  readonly endpoint?: string;
  readonly access_token?: string;
}

export class DistributedClaims {
  readonly #options: ResolverOptions;
  /** By issuer; undefined while its keys are looked for. */
  readonly #verifiers = new Map<string, { found?: IdTokenVerifier }>();

  constructor(options: ResolverOptions) {
    this.#options = options;
  }

  /** The claims with the one that is elsewhere, if it is. Throws a Refused. */
  async expand(claims: TokenClaims): Promise<TokenClaims> {
    const { claim } = this.#options;
    const names = claims['_claim_names'] as Readonly<Record<string, unknown>> | undefined;
    if (Object.hasOwn(claims, claim) || names === undefined) return claims;
    const sources = claims['_claim_sources'] as Readonly<Record<string, Endpoint | undefined>> | undefined;
    if (sources === undefined) throw new Refused('oidc: no claim sources');
    const source = Object.hasOwn(names, claim) ? names[claim] : undefined;
    if (typeof source !== 'string') return claims;
    const endpoint = Object.hasOwn(sources, source) ? sources[source] : undefined;
    if (!endpoint) {
      throw new Refused(`id token _claim_names contained a source ${source} missing in _claims_sources`);
    }
    // Without an endpoint it is an aggregated claim, which nobody asks for.
    return endpoint.endpoint ? { ...claims, [claim]: await this.#resolve(endpoint.endpoint, endpoint) } : claims;
  }

  async #resolve(url: string, { access_token: accessToken }: Endpoint): Promise<unknown> {
    const { claim } = this.#options;
    const token = await this.#fetch(url, accessToken);
    const issuer = untrustedIssuer(token);
    if (issuer === undefined) {
      throw new Refused(`getting untrusted issuer from endpoint ${url} failed for claim ${JSON.stringify(claim)}`);
    }
    const verifier = this.#verifier(issuer);
    if (!verifier) {
      const why = `verifier not initialized for issuer: ${JSON.stringify(issuer)}`;
      throw new Refused(`verifying untrusted issuer ${issuer} failed: ${why}`);
    }
    let claims: TokenClaims;
    try {
      claims = await verifier.verify(token);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      throw new Refused(`verify distributed claim token: ${error.message}`);
    }
    if (Object.hasOwn(claims, claim)) return claims[claim];
    const where = `jwt returned by distributed claim endpoint ${JSON.stringify(url)}`;
    throw new Refused(`${where} did not contain claim: ${claim}`);
  }

  async #fetch(url: string, accessToken: string | undefined): Promise<string> {
    const { claim, client } = this.#options;
    let why: string;
    try {
      const answer = await client.get(url, accessToken ? { authorization: `Bearer ${accessToken}` } : {});
      if (answer.status >= 200 && answer.status <= 226) return answer.body;
      why = `error while getting distributed claim JWT: ${answer.statusText}`;
    } catch (error) {
      why = (error as Error).message;
    }
    throw new Refused(`while getting distributed claim ${JSON.stringify(claim)}: ${why}`);
  }

  /** Looked for in the background from the first time on that a token names the issuer. */
  #verifier(issuer: string): IdTokenVerifier | undefined {
    let known = this.#verifiers.get(issuer);
    if (!known) {
      known = {};
      this.#verifiers.set(issuer, known);
      void this.#search(issuer, known);
    }
    return known.found;
  }

  async #search(issuer: string, known: { found?: IdTokenVerifier }): Promise<void> {
    const { clock, signal, retryMs } = this.#options;
    const observer = { fetched: () => {} };
    while (!signal.aborted) {
      try {
        known.found = await discoverVerifier({ ...this.#options, issuer, discoveryUrl: '', observer });
        return;
      } catch {
        await clock.sleep(retryMs, signal).catch(() => {});
      }
    }
  }
}
