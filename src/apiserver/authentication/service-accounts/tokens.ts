/**
 * Tokens of ServiceAccounts as the server issues them: made for a pod, a secret, a node or nobody in particular.
 * Upstream: pkg/serviceaccount/{claims,jwt}.go.
 */
import type { Pod, Secret, ServiceAccount } from '#api/types';
import type { Clock, Random } from '#base';
import type { TokenKeys } from '#pki';
import { serviceAccountUserName } from '../user.ts';
import type { PrivateClaims, Reference } from './bound.ts';

export interface TokenBinding {
  readonly pod?: Pod;
  readonly secret?: Secret;
  readonly node?: { readonly name: string; readonly uid?: string };
}

export interface TokenIssue extends TokenBinding {
  readonly account: ServiceAccount;
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
  /** Seconds after which a client that still uses the token is to be warned. */
  readonly warnAfterSeconds?: number;
}

export interface ServiceAccountTokensDeps {
  readonly keys: TokenKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly issuer: string;
  /** Audiences that stand for this server. */
  readonly audiences: readonly string[];
  /** `--service-account-max-token-expiration`, 0: none. */
  readonly maxExpirationSeconds: number;
  /** Of a token that is made to hold longer than was asked for. */
  readonly maxExtendedSeconds: number;
  /** `--service-account-extend-token-expiration`. */
  readonly extendsExpiration: boolean;
  /** `--service-account-jwks-uri`; absent: this server's own address. */
  readonly jwksUri?: string | undefined;
}

const reference = (object: { metadata: { name?: string; uid?: string } }): Reference => ({
  name: object.metadata.name ?? '',
  uid: object.metadata.uid ?? '',
});

export class ServiceAccountTokens {
  readonly #deps: ServiceAccountTokensDeps;

  constructor(deps: ServiceAccountTokensDeps) {
    this.#deps = deps;
  }

  get keys(): TokenKeys {
    return this.#deps.keys;
  }

  get issuer(): string {
    return this.#deps.issuer;
  }

  get audiences(): readonly string[] {
    return this.#deps.audiences;
  }

  get maxExpirationSeconds(): number {
    return this.#deps.maxExpirationSeconds;
  }

  get maxExtendedSeconds(): number {
    return this.#deps.maxExtendedSeconds;
  }

  get extendsExpiration(): boolean {
    return this.#deps.extendsExpiration;
  }

  get jwksUri(): string | undefined {
    return this.#deps.jwksUri;
  }

  /** The token, and its `jti`, by which audit finds what was done with it. */
  async issue(request: TokenIssue): Promise<{ readonly token: string; readonly id: string }> {
    const { clock, random, keys, issuer } = this.#deps;
    const now = Math.floor(clock.now() / 1000);
    const { namespace = '', name = '' } = request.account.metadata;
    const own: PrivateClaims = {
      namespace,
      ...(request.node && { node: request.node }),
      ...(request.pod && { pod: reference(request.pod) }),
      ...(request.secret && { secret: reference(request.secret) }),
      serviceaccount: reference(request.account),
      ...(request.warnAfterSeconds !== undefined && { warnafter: now + request.warnAfterSeconds }),
    };
    const id = random.uuid();
    const claims = {
      aud: request.audiences,
      exp: now + request.expirationSeconds,
      iat: now,
      iss: issuer,
      jti: id,
      'kubernetes.io': own,
      nbf: now,
      sub: serviceAccountUserName(namespace, name),
    };
    const token = keys.signElsewhere ? await keys.signElsewhere(claims) : keys.sign(claims);
    return { token, id };
  }
}
