/**
 * Tokens of TokenRequest: believed in their time, and only while the account and what they are bound to exist, as the
 * same objects. One that is being deleted holds for another minute. Upstream: pkg/serviceaccount/claims.go.
 */
import { type KubeObject, notFound, parseTimeMs } from '#apimachinery';
import type { Clock } from '#base';
import type { TokenClaims } from '#pki';
import type { Lookup } from '../../admission/lookup.ts';
import { type AuthenticationContext, Refused } from '../authenticator.ts';
import { serviceAccountGroups, serviceAccountUserName, user } from '../user.ts';
import type { ServiceAccountMetrics } from './metrics.ts';
import type { ClaimsValidator } from './token-authenticator.ts';

export interface Reference {
  readonly name: string;
  readonly uid: string;
}

/** What stands under `kubernetes.io` in the claims. */
export interface PrivateClaims {
  readonly namespace: string;
  readonly serviceaccount: Reference;
  readonly pod?: Reference;
  readonly secret?: Reference;
  readonly node?: { readonly name: string; readonly uid?: string };
  readonly warnafter?: number;
}

export interface BoundDeps {
  readonly lookup: Lookup;
  readonly clock: Clock;
  readonly metrics: ServiceAccountMetrics;
}

/** Clocks of signer and verifier may differ by so much. */
const leewaySeconds = 60;
const invalidated = 'service account token has been invalidated';

export function boundTokens(deps: BoundDeps): ClaimsValidator {
  return async (claims, _token, context) => {
    const { clock } = deps;
    const nowSeconds = clock.now() / 1000;
    checkTime(claims, nowSeconds);
    const own = (claims['kubernetes.io'] ?? {}) as Partial<PrivateClaims>;
    const namespace = own.namespace ?? '';
    const account = { name: own.serviceaccount?.name ?? '', uid: own.serviceaccount?.uid ?? '' };
    await checkAccount(deps, namespace, account);
    if (own.secret) await checkBound(deps, { resource: 'secrets', namespace, kind: 'secret' }, own.secret);
    if (own.pod) await checkBound(deps, { resource: 'pods', namespace, kind: 'pod' }, own.pod);
    // A pod's token tells its node; only a token that is bound to the node alone depends on it.
    if (own.node && !own.pod) await checkBound(deps, { resource: 'nodes', namespace: '', kind: 'node' }, own.node);
    noteAge(deps.metrics, claims, own.warnafter, nowSeconds, context);
    return user(serviceAccountUserName(namespace, account.name), serviceAccountGroups(namespace), {
      uid: account.uid,
      extra: extraOf(claims, own),
    });
  };
}

function checkTime(claims: TokenClaims, nowSeconds: number): void {
  const { exp, nbf, iat } = claims as { exp?: unknown; nbf?: unknown; iat?: unknown };
  for (const date of [exp, nbf, iat]) {
    if (date !== undefined && date !== null && typeof date !== 'number') {
      throw new Refused('go-jose/go-jose/jwt: expected number value to unmarshal NumericDate');
    }
  }
  const before = (date: unknown): boolean => typeof date === 'number' && nowSeconds + leewaySeconds < Math.trunc(date);
  if (before(nbf)) throw new Refused('service account token is not valid yet');
  if (typeof exp === 'number' && nowSeconds - leewaySeconds > Math.trunc(exp)) {
    throw new Refused('service account token has expired');
  }
  if (before(iat)) throw new Refused('service account token is issued in the future');
}

/** Deleted longer ago than clocks may differ. */
const isLongDeleted = ({ metadata }: KubeObject, clock: Clock): boolean =>
  metadata.deletionTimestamp !== undefined &&
  parseTimeMs(metadata.deletionTimestamp) + leewaySeconds * 1000 < clock.now();

async function checkAccount({ lookup, clock }: BoundDeps, namespace: string, account: Reference): Promise<void> {
  const found = await lookup.get('', 'serviceaccounts', namespace, account.name);
  if (!found) throw new Refused(notFound({ group: '', resource: 'serviceaccounts' }, account.name).message);
  if (found.metadata.uid !== account.uid) {
    throw new Refused(`service account UID (${found.metadata.uid}) does not match claim (${account.uid})`);
  }
  if (isLongDeleted(found, clock)) throw new Refused(`service account ${namespace}/${account.name} has been deleted`);
}

interface Place {
  readonly resource: string;
  readonly namespace: string;
  readonly kind: 'secret' | 'pod' | 'node';
}

async function checkBound(
  { lookup, clock }: BoundDeps,
  { resource, namespace, kind }: Place,
  { name, uid = '' }: { readonly name: string; readonly uid?: string },
): Promise<void> {
  const found = await lookup.get('', resource, namespace, name);
  if (!found) throw new Refused(invalidated);
  if (found.metadata.uid !== uid) {
    throw new Refused(`${kind} UID (${found.metadata.uid}) does not match service account ${kind} ref claim (${uid})`);
  }
  if (isLongDeleted(found, clock)) throw new Refused(invalidated);
}

/** How long the token has gone unrenewed, where its bearer was expected to renew it. */
function noteAge(
  metrics: ServiceAccountMetrics,
  claims: TokenClaims,
  warnAfter: number | undefined,
  nowSeconds: number,
  context: AuthenticationContext,
): void {
  if (!warnAfter) return;
  if (nowSeconds <= warnAfter) {
    metrics.validTokens.inc();
    return;
  }
  const seconds = Math.floor(nowSeconds) - warnAfter;
  const text = `subject: ${claims['sub']}, seconds after warning threshold: ${seconds}`;
  context.annotate?.('authentication.k8s.io/stale-token', text);
  metrics.staleTokens.inc();
}

function extraOf(claims: TokenClaims, { pod, node }: Partial<PrivateClaims>): Record<string, string[]> {
  const extra: Record<string, string[]> = {};
  if (typeof claims['jti'] === 'string' && claims['jti'] !== '') {
    extra['authentication.kubernetes.io/credential-id'] = [`JTI=${claims['jti']}`];
  }
  if (node) {
    extra['authentication.kubernetes.io/node-name'] = [node.name];
    if (node.uid) extra['authentication.kubernetes.io/node-uid'] = [node.uid];
  }
  if (pod) {
    extra['authentication.kubernetes.io/pod-name'] = [pod.name];
    extra['authentication.kubernetes.io/pod-uid'] = [pod.uid];
  }
  return extra;
}
