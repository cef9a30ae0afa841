/**
 * Tokens that the cluster's own keys signed: issuer, signature and audiences, which are the same for both sorts; what
 * stands behind them is for the validator to say. Upstream: pkg/serviceaccount/jwt.go.
 */
import { jsonObject, type TokenClaims, type TokenKeys } from '#pki';
import { type AuthenticationContext, commonAudiences, Refused, type TokenAuthenticator } from '../authenticator.ts';
import type { UserInfo } from '../user.ts';
import type { ServiceAccountMetrics } from './metrics.ts';

/** Whom a token with a good signature is for. Throws a Refused. */
export type ClaimsValidator = (claims: TokenClaims, token: string, context: AuthenticationContext) => Promise<UserInfo>;

export interface TokenAuthenticatorOptions {
  readonly issuers: readonly string[];
  readonly keys: TokenKeys;
  /** The API's own: what a token without audiences is for, and what is wanted where nothing is said. */
  readonly apiAudiences: readonly string[];
  readonly validate: ClaimsValidator;
  readonly metrics: ServiceAccountMetrics;
}

export function serviceAccountTokenAuthenticator(options: TokenAuthenticatorOptions): TokenAuthenticator {
  const { keys, apiAudiences, validate, metrics } = options;
  const issuers = new Set(options.issuers);
  return {
    async authenticate(token, context) {
      if (!issuers.has(claimedIssuer(token))) return undefined;
      await keys.prepare?.(token);
      const { claims, problems } = keys.check(token);
      if (!claims) {
        if (problems.length === 0) return undefined;
        throw new Refused(problems);
      }
      const own = audiencesOf(claims);
      if (own.length === 0) {
        context.annotate?.('authentication.k8s.io/legacy-token', String(claims['sub'] ?? ''));
        metrics.legacyTokens.inc();
      }
      const known = own.length === 0 ? apiAudiences : own;
      const wanted = context.audiences ?? apiAudiences;
      const audiences = commonAudiences(known, wanted);
      if (audiences.length === 0 && apiAudiences.length > 0) {
        throw new Refused(
          `token audiences ${goStrings(known)} is invalid for the target audiences ${goStrings(wanted)}`,
        );
      }
      return { user: await validate(claims, token, context), audiences };
    },
  };
}

/** Go's %q of strings. */
const goStrings = (all: readonly string[]): string => `[${all.map(each => JSON.stringify(each)).join(' ')}]`;

/** Whom the token says it is from, before anything of it is believed: other issuers' are not ours to judge. */
function claimedIssuer(token: string): string {
  const [, payload, signature, ...rest] = token.split('.', 4);
  if (payload === undefined || signature === undefined || rest.length > 0) return '';
  const issuer = jsonObject(Buffer.from(payload, 'base64url'))?.['iss'];
  return typeof issuer === 'string' ? issuer : '';
}

function audiencesOf(claims: TokenClaims): string[] {
  const all = [claims['aud'] ?? []].flat();
  if (!all.every(each => typeof each === 'string')) {
    throw new Refused('go-jose/go-jose/jwt: expected string or array value to unmarshal to Audience');
  }
  return all;
}
