/**
 * Whose JSON Web Tokens are believed, and what they make of their bearers. Upstream: apiserver
 * pkg/apis/apiserver/types.go (AuthenticationConfiguration). Empty texts stand for what is not set, as in Go; a prefix
 * alone tells the two apart.
 */

export interface Issuer {
  readonly url: string;
  readonly discoveryUrl: string;
  readonly certificateAuthority: string;
  readonly audiences: readonly string[];
  readonly audienceMatchPolicy: string;
  readonly egressSelectorType: string;
}

export interface ClaimValidationRule {
  readonly claim: string;
  readonly requiredValue: string;
  readonly expression: string;
  readonly message: string;
}

export interface PrefixedClaimOrExpression {
  readonly claim: string;
  readonly prefix: string | undefined;
  readonly expression: string;
}

export interface ClaimMappings {
  readonly username: PrefixedClaimOrExpression;
  readonly groups: PrefixedClaimOrExpression;
  readonly uid: { readonly claim: string; readonly expression: string };
  readonly extra: ReadonlyArray<{ readonly key: string; readonly valueExpression: string }>;
}

export interface UserValidationRule {
  readonly expression: string;
  readonly message: string;
}

export interface JwtAuthenticatorConfiguration {
  readonly issuer: Issuer;
  readonly claimValidationRules: readonly ClaimValidationRule[];
  readonly claimMappings: ClaimMappings;
  readonly userValidationRules: readonly UserValidationRule[];
}

export interface AnonymousConfiguration {
  readonly enabled: boolean;
  readonly conditions: ReadonlyArray<{ readonly path: string }>;
}

export interface AuthenticationConfiguration {
  readonly jwt: readonly JwtAuthenticatorConfiguration[];
  readonly anonymous?: AnonymousConfiguration | undefined;
}
