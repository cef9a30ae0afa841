/**
 * Tokens of joining nodes: `id.secret`, held by Secrets `bootstrap-token-<id>` in kube-system.
 * Upstream: plugin/pkg/auth/authenticator/token/bootstrap.
 */
import { timingSafeEqual } from 'node:crypto';
import type { Secret } from '#api/types';
import type { Clock } from '#base';
import type { Lookup } from '../admission/lookup.ts';
import type { TokenAuthenticator } from './authenticator.ts';
import { user } from './user.ts';

const form = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const groupForm = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

export function bootstrapTokens(lookup: Lookup, clock: Clock): TokenAuthenticator {
  return {
    async authenticate(token) {
      const [, id, secret] = form.exec(token) ?? [];
      if (!id || !secret) return undefined;
      const found = (await lookup.get('', 'secrets', 'kube-system', `bootstrap-token-${id}`)) as Secret | undefined;
      if (!found || found.metadata.deletionTimestamp || found.type !== 'bootstrap.kubernetes.io/token')
        return undefined;
      const value = (key: string): string => Buffer.from(found.data?.[key] ?? '', 'base64').toString();
      const kept = Buffer.from(value('token-secret'));
      const given = Buffer.from(secret);
      if (kept.length !== given.length || !timingSafeEqual(kept, given)) return undefined;
      if (value('token-id') !== id || value('usage-bootstrap-authentication') !== 'true') return undefined;
      const expiration = value('expiration');
      if (expiration !== '' && !(Date.parse(expiration) > clock.now())) return undefined;
      const more = value('auth-extra-groups')
        .split(',')
        .filter(group => group !== '');
      if (more.some(group => !groupForm.test(group))) return undefined;
      return { user: user(`system:bootstrap:${id}`, ['system:bootstrappers', ...more]) };
    },
  };
}
