/**
 * Which authorizers are asked, in which order: what `--authorization-config` holds, and what the older flags stand for.
 * Upstream: apiserver pkg/apis/apiserver/types.go (AuthorizationConfiguration).
 */

export const authorizationModes = ['AlwaysAllow', 'AlwaysDeny', 'ABAC', 'Webhook', 'RBAC', 'Node'] as const;

export type AuthorizationMode = (typeof authorizationModes)[number];

export interface WebhookConfiguration {
  readonly authorizedTtlMs: number;
  readonly cacheAuthorizedRequests: boolean;
  readonly unauthorizedTtlMs: number;
  readonly cacheUnauthorizedRequests: boolean;
  readonly timeoutMs: number;
  readonly subjectAccessReviewVersion: string;
  readonly matchConditionSubjectAccessReviewVersion: string;
  readonly failurePolicy: string;
  readonly connectionInfo: { readonly type: string; readonly kubeConfigFile?: string | undefined };
  /** Expressions in CEL, all of which have to hold. */
  readonly matchConditions: readonly string[];
}

export interface AuthorizerConfiguration {
  readonly type: string;
  readonly name: string;
  readonly webhook?: WebhookConfiguration | undefined;
}

export interface AuthorizationConfiguration {
  readonly authorizers: readonly AuthorizerConfiguration[];
}

/** Of a server: the configuration and the files that it came from. */
export interface AuthorizationSettings extends AuthorizationConfiguration {
  /** Followed while the server runs; `text` is what it held when it was read. */
  readonly file?: { readonly path: string; readonly text: string } | undefined;
  /** `--authorization-policy-file`. */
  readonly policyFile?: string | undefined;
}

/** Names of authorizers other than webhooks follow from their types. */
export const nameOfMode = (mode: string): string => mode.toLowerCase();

export function modesAsConfiguration(modes: readonly AuthorizationMode[]): AuthorizationConfiguration {
  return { authorizers: modes.map(type => ({ type, name: nameOfMode(type) })) };
}
