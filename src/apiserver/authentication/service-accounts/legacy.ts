/**
 * Tokens that live in Secrets of type `kubernetes.io/service-account-token`: they have no end of their own, so they are
 * compared with the Secret, and when it was last used is written there for who cleans up.
 * Upstream: pkg/serviceaccount/legacy.go.
 */
import { timingSafeEqual } from 'node:crypto';
import type { Secret, ServiceAccount } from '#api/types';
import { notFound } from '#apimachinery';
import type { Clock, Logger } from '#base';
import type { TokenClaims } from '#pki';
import type { Lookup } from '../../admission/lookup.ts';
import { type AuthenticationContext, Refused } from '../authenticator.ts';
import { serviceAccountGroups, serviceAccountUserName, splitServiceAccountName, user } from '../user.ts';
import type { ServiceAccountMetrics } from './metrics.ts';
import type { ClaimsValidator } from './token-authenticator.ts';

export const legacyIssuer = 'kubernetes/serviceaccount';
const lastUsedLabel = 'kubernetes.io/legacy-token-last-used';
const invalidSinceLabel = 'kubernetes.io/legacy-token-invalid-since';
const dayMs = 24 * 3600 * 1000;

export interface LegacyDeps {
  /** Undefined: `--service-account-lookup=false`, a good signature is enough. */
  readonly lookup: Lookup | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: ServiceAccountMetrics;
  /** Merges labels into a Secret, as the API server itself. */
  readonly labelSecret: (secret: Secret, labels: Readonly<Record<string, string>>) => Promise<void>;
}

interface LegacyClaims {
  readonly namespace: string;
  readonly secretName: string;
  readonly name: string;
  readonly uid: string;
}

export function legacyTokens(deps: LegacyDeps): ClaimsValidator {
  return async (claims, token, context) => {
    const about = legacyClaims(claims);
    if (deps.lookup) await checkStored(deps, deps.lookup, about, token, context);
    const groups = serviceAccountGroups(about.namespace);
    return user(serviceAccountUserName(about.namespace, about.name), groups, { uid: about.uid });
  };
}

function legacyClaims(claims: TokenClaims): LegacyClaims {
  const value = (name: string): string => {
    const found = claims[`kubernetes.io/serviceaccount/${name}`];
    return typeof found === 'string' ? found : '';
  };
  const subject = typeof claims['sub'] === 'string' ? claims['sub'] : '';
  if (subject === '') throw new Refused('sub claim is missing');
  const namespace = value('namespace');
  if (namespace === '') throw new Refused('namespace claim is missing');
  const secretName = value('secret.name');
  if (secretName === '') throw new Refused('secretName claim is missing');
  const name = value('service-account.name');
  if (name === '') throw new Refused('serviceAccountName claim is missing');
  const uid = value('service-account.uid');
  if (uid === '') throw new Refused('serviceAccountUID claim is missing');
  const said = splitServiceAccountName(subject);
  if (said?.namespace !== namespace || said.name !== name) throw new Refused('sub claim is invalid');
  return { namespace, secretName, name, uid };
}

const isSame = (kept: Buffer, given: Buffer): boolean => kept.length === given.length && timingSafeEqual(kept, given);

async function checkStored(
  deps: LegacyDeps,
  lookup: Lookup,
  { namespace, secretName, name, uid }: LegacyClaims,
  token: string,
  context: AuthenticationContext,
): Promise<void> {
  const secret = (await lookup.get('', 'secrets', namespace, secretName)) as Secret | undefined;
  if (!secret || secret.metadata.deletionTimestamp) throw new Refused('Token has been invalidated');
  if (!isSame(Buffer.from(secret.data?.['token'] ?? '', 'base64'), Buffer.from(token))) {
    throw new Refused("Token does not match server's copy");
  }
  const account = (await lookup.get('', 'serviceaccounts', namespace, name)) as ServiceAccount | undefined;
  if (!account) throw new Refused(notFound({ group: '', resource: 'serviceaccounts' }, name).message);
  if (account.metadata.deletionTimestamp) {
    throw new Refused(`ServiceAccount ${namespace}/${name} has been deleted`);
  }
  if (account.metadata.uid !== uid) {
    throw new Refused(`ServiceAccount UID (${account.metadata.uid}) does not match claim (${uid})`);
  }
  await noteUse(deps, secret, account, context);
}

async function noteUse(
  deps: LegacyDeps,
  secret: Secret,
  account: ServiceAccount,
  { annotate, warn }: AuthenticationContext,
): Promise<void> {
  const { metrics } = deps;
  const { namespace = '', name = '', labels } = secret.metadata;
  if (labels?.[invalidSinceLabel]) {
    annotate?.('authentication.k8s.io/legacy-token-invalidated', `${name}/${namespace}`);
    metrics.invalidatedTokens.inc();
    await writeLastUsed(deps, secret);
    throw new Refused(
      `the token in secret ${namespace}/${name} for service account ${namespace}/${account.metadata.name} has been marked invalid. Use tokens from the TokenRequest API or manually created secret-based tokens, or remove the '${invalidSinceLabel}' label from the secret to temporarily allow use of this token`,
    );
  }
  if (account.secrets?.some(each => each.name === name)) {
    warn?.(
      'Use tokens from the TokenRequest API or manually created secret-based tokens instead of auto-generated secret-based tokens.',
    );
    annotate?.('authentication.k8s.io/legacy-token-autogenerated-secret', name);
    metrics.autoTokens.inc();
  } else {
    annotate?.('authentication.k8s.io/legacy-token-manual-secret', name);
    metrics.manualTokens.inc();
  }
  await writeLastUsed(deps, secret);
}

/** Once a day; that it could not be written keeps nobody out. */
async function writeLastUsed({ clock, logger, labelSecret }: LegacyDeps, secret: Secret): Promise<void> {
  const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
  const today = day(clock.now());
  const known = secret.metadata.labels?.[lastUsedLabel];
  if (known === today || known === day(clock.now() + dayMs)) return;
  try {
    await labelSecret(secret, { [lastUsedLabel]: today });
  } catch (error) {
    const { namespace, name } = secret.metadata;
    logger.warn('a legacy token could not be labelled with its last use', { namespace, name, error });
  }
}
