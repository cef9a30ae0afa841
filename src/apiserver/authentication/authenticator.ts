/**
 * Who makes a request: the contracts of what recognises a request or a token, and how several are asked. Each answers
 * whom it recognised, nothing where it has no opinion, or throws a {@link Refused}; in a union a refusal does not keep
 * the next one from being asked, but is what the caller is told when nobody recognised anything.
 * Upstream: apiserver pkg/authentication/{authenticator,request/union,token/union}, apimachinery pkg/util/errors.
 */
import type { ServerRequest } from '../http/message.ts';
import type { UserInfo } from './user.ts';

/** A credential that is understood and not good. The message is for logs and TokenReviews, never for the caller. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly problems: readonly string[];

  constructor(problems: string | readonly string[]) {
    const all = typeof problems === 'string' ? [problems] : [...new Set(problems)];
    super(all.length === 1 ? all[0] : `[${all.join(', ')}]`);
    this.problems = all;
  }
}

export interface Authenticated {
  readonly user: UserInfo;
  /** Those of the wanted audiences that the credential is for; absent where audiences mean nothing. */
  readonly audiences?: readonly string[];
}

/** What is asked besides the credential, and where remarks go. */
export interface AuthenticationContext {
  /** The audiences that the credential is to be for, any of them; absent: whatever it is for. */
  readonly audiences?: readonly string[];
  /** A text for the client's Warning header. */
  warn?(text: string): void;
  /** An annotation of the audit event. */
  annotate?(key: string, value: string): void;
}

export interface TokenAuthenticator {
  authenticate(token: string, context: AuthenticationContext): Promise<Authenticated | undefined>;
}

/** May take what it used off the request's headers. */
export interface RequestAuthenticator {
  authenticate(request: ServerRequest, context: AuthenticationContext): Promise<Authenticated | undefined>;
}

interface Asked<T> {
  authenticate(credential: T, context: AuthenticationContext): Promise<Authenticated | undefined>;
}

/** The first that recognises it. When nobody does: all refusals as one, if there were any. */
export function union<T>(all: ReadonlyArray<Asked<T>>): Asked<T> {
  const [only] = all;
  if (all.length === 1 && only) return only;
  return {
    async authenticate(credential, context) {
      const problems: string[] = [];
      for (const each of all) {
        try {
          const found = await each.authenticate(credential, context);
          if (found) return found;
        } catch (error) {
          if (!(error instanceof Refused)) throw error;
          problems.push(...error.problems);
        }
      }
      if (problems.length > 0) throw new Refused(problems);
      return undefined;
    },
  };
}

/** The same, but the first refusal is the answer. */
export function unionFailingOnError<T>(all: ReadonlyArray<Asked<T>>): Asked<T> {
  return {
    async authenticate(credential, context) {
      for (const each of all) {
        const found = await each.authenticate(credential, context);
        if (found) return found;
      }
      return undefined;
    },
  };
}

/** Those of `wanted` that are among `known`, in the order of `wanted`. Upstream: Audiences.Intersect. */
export function commonAudiences(known: readonly string[], wanted: readonly string[]): string[] {
  return wanted.filter(audience => known.includes(audience));
}

/**
 * For what knows no audiences: its credentials are for `implicit`, which are the API's own. Upstream:
 * WrapAudienceAgnosticToken.
 */
export function audienceAgnostic<T>(implicit: readonly string[], delegate: Asked<T>): Asked<T> {
  return {
    async authenticate(credential, context) {
      const { audiences: wanted } = context;
      if (!wanted) return delegate.authenticate(credential, context);
      const audiences = commonAudiences(implicit, wanted);
      if (audiences.length === 0) return undefined;
      const found = await delegate.authenticate(credential, context);
      return found && { user: found.user, audiences };
    },
  };
}

/** Tokens from a fixed list. */
export function staticTokens(entries: ReadonlyMap<string, UserInfo>): TokenAuthenticator {
  return {
    async authenticate(token) {
      const found = entries.get(token);
      return found && { user: found };
    },
  };
}
