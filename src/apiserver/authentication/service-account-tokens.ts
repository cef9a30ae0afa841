/**
 * Tokens of ServiceAccounts: made for a pod, a secret, a node or nobody in particular, and believed only while what
 * they are bound to exists. Upstream: pkg/serviceaccount/{claims,jwt}.go.
 */
import type { Pod, Secret, ServiceAccount } from '#api/types';
import { parseTimeMs } from '#apimachinery';
import type { Clock, Random } from '#base';
import type { TokenClaims, TokenKeys } from '#pki';
import type { Lookup } from '../admission/lookup.ts';
import { type TokenAuthenticator, TokenRefused } from './authenticator.ts';
import { serviceAccountGroups, serviceAccountUserName, user } from './user.ts';

interface Reference {
  readonly name: string;
  readonly uid: string;
}

interface PrivateClaims {
  readonly namespace: string;
  readonly serviceaccount: Reference;
  readonly pod?: Reference;
  readonly secret?: Reference;
  readonly node?: { readonly name: string; readonly uid?: string };
  readonly warnafter?: number;
}

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
  readonly lookup: Lookup;
  readonly issuer: string;
  /** Audiences that stand for this server. */
  readonly audiences: readonly string[];
}

/** Clocks of signer and verifier may differ by so much. */
const leewaySeconds = 60;

const reference = (object: { metadata: { name?: string; uid?: string } }): Reference => ({
  name: object.metadata.name ?? '',
  uid: object.metadata.uid ?? '',
});

export class ServiceAccountTokens implements TokenAuthenticator {
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

  issue(request: TokenIssue): string {
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
    return keys.sign({
      aud: request.audiences,
      exp: now + request.expirationSeconds,
      iat: now,
      iss: issuer,
      jti: random.uuid(),
      'kubernetes.io': own,
      nbf: now,
      sub: serviceAccountUserName(namespace, name),
    });
  }

  async authenticate(token: string): ReturnType<TokenAuthenticator['authenticate']> {
    const { keys, issuer } = this.#deps;
    const claims = keys.verify(token);
    if (!claims || claims['iss'] !== issuer || !this.#inTime(claims)) return undefined;
    const own = claims['kubernetes.io'] as PrivateClaims | undefined;
    if (!own?.serviceaccount) return undefined;
    if (!(await this.#stillBound(own))) throw new TokenRefused('service account token has been invalidated');
    const { namespace, serviceaccount, pod, node } = own;
    const extra: Record<string, string[]> = { 'authentication.kubernetes.io/credential-id': [`JTI=${claims['jti']}`] };
    if (node) {
      extra['authentication.kubernetes.io/node-name'] = [node.name];
      if (node.uid) extra['authentication.kubernetes.io/node-uid'] = [node.uid];
    }
    if (pod) {
      extra['authentication.kubernetes.io/pod-name'] = [pod.name];
      extra['authentication.kubernetes.io/pod-uid'] = [pod.uid];
    }
    const groups = serviceAccountGroups(namespace);
    const name = serviceAccountUserName(namespace, serviceaccount.name);
    const audiences = [claims['aud'] ?? []].flat() as string[];
    return { user: user(name, groups, { uid: serviceaccount.uid, extra }), audiences };
  }

  #inTime(claims: TokenClaims): boolean {
    const now = this.#deps.clock.now() / 1000;
    const { exp, nbf } = claims as { exp?: unknown; nbf?: unknown };
    if (typeof exp !== 'number' || now > exp + leewaySeconds) return false;
    return typeof nbf !== 'number' || now >= nbf - leewaySeconds;
  }

  async #stillBound({ namespace, serviceaccount, pod, secret, node }: PrivateClaims): Promise<boolean> {
    if (!(await this.#lives('serviceaccounts', namespace, serviceaccount))) return false;
    if (pod && !(await this.#lives('pods', namespace, pod))) return false;
    if (secret && !(await this.#lives('secrets', namespace, secret))) return false;
    if (!node?.uid || pod) return true;
    return this.#lives('nodes', '', { name: node.name, uid: node.uid });
  }

  /** There, the same one, and not long deleted: a dying object's token holds for another minute. */
  async #lives(resource: string, namespace: string, { name, uid }: Reference): Promise<boolean> {
    const found = await this.#deps.lookup.get('', resource, namespace, name);
    if (!found || found.metadata.uid !== uid) return false;
    const gone = found.metadata.deletionTimestamp;
    return !gone || parseTimeMs(gone) + leewaySeconds * 1000 > this.#deps.clock.now();
  }
}

/** Believes tokens that are meant for this server: the way in as a bearer. */
export function forAudiences(tokens: TokenAuthenticator, audiences: readonly string[]): TokenAuthenticator {
  return {
    async authenticate(token) {
      const found = await tokens.authenticate(token);
      if (!found) return undefined;
      return found.audiences?.some(each => audiences.includes(each)) ? found : undefined;
    },
  };
}
