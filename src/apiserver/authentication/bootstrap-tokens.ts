/**
 * Tokens of joining nodes: `id.secret`, held by Secrets `bootstrap-token-<id>` in kube-system. Why one that exists is
 * not good is told to nobody. Upstream: plugin/pkg/auth/authenticator/token/bootstrap, cluster-bootstrap util/secrets.
 */
import { timingSafeEqual } from 'node:crypto';
import type { Secret } from '#api/types';
import { canonicalTime, parseTimeMs } from '#apimachinery';
import type { Clock } from '#base';
import type { Lookup } from '../admission/lookup.ts';
import type { TokenAuthenticator } from './authenticator.ts';
import { user } from './user.ts';

const form = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const groupForm = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;
const defaultGroup = 'system:bootstrappers';

export function bootstrapTokens(lookup: Lookup, clock: Clock): TokenAuthenticator {
  return {
    async authenticate(token) {
      const [, id, secret] = form.exec(token) ?? [];
      if (!id || !secret) return undefined;
      const found = (await lookup.get('', 'secrets', 'kube-system', `bootstrap-token-${id}`)) as Secret | undefined;
      const groups =
        found && isGood(found, id, secret, clock) ? groupsOf(value(found, 'auth-extra-groups')) : undefined;
      return groups && { user: user(`system:bootstrap:${id}`, groups) };
    },
  };
}

const value = (secret: Secret, key: string): string => Buffer.from(secret.data?.[key] ?? '', 'base64').toString();

function isGood(found: Secret, id: string, secret: string, clock: Clock): boolean {
  if (found.metadata.deletionTimestamp || found.type !== 'bootstrap.kubernetes.io/token') return false;
  const kept = Buffer.from(value(found, 'token-secret'));
  const given = Buffer.from(secret);
  if (kept.length !== given.length || !timingSafeEqual(kept, given)) return false;
  if (value(found, 'token-id') !== id || value(found, 'usage-bootstrap-authentication') !== 'true') return false;
  const expiration = value(found, 'expiration');
  return expiration === '' || instant(expiration) > clock.now();
}

/** What cannot be read has long expired. */
function instant(text: string): number {
  try {
    return parseTimeMs(canonicalTime(text)) || 0;
  } catch {
    return 0;
  }
}

/** The group of all of them and those that the secret names, sorted; undefined when it names one that it may not. */
function groupsOf(extra: string): string[] | undefined {
  const more = extra === '' ? [] : extra.split(',');
  if (more.some(group => !groupForm.test(group))) return undefined;
  return [...new Set([defaultGroup, ...more])].sort();
}
