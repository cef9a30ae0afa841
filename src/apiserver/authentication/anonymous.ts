/**
 * Who shows no credential at all: `system:anonymous`, on every path or on those that the configuration names. Upstream:
 * apiserver pkg/authentication/request/anonymous.
 */
import type { RequestAuthenticator } from './authenticator.ts';
import { anonymousUser } from './user.ts';

export interface AnonymousAuth {
  readonly enabled: boolean;
  /** Where requests may be anonymous; absent or empty: everywhere. */
  readonly conditions?: ReadonlyArray<{ readonly path: string }>;
}

export function anonymous({ conditions = [] }: AnonymousAuth): RequestAuthenticator {
  const paths = new Set(conditions.map(({ path }) => path));
  return {
    async authenticate(request, { audiences }) {
      if (paths.size > 0 && !paths.has(request.path)) return undefined;
      return { user: anonymousUser, ...(audiences && { audiences }) };
    },
  };
}
