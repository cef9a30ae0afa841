/**
 * How a server recognises its callers: what the flags of authentication say, under their names.
 * Upstream: pkg/kubeapiserver/options/authentication.go, apiserver pkg/server/options/authentication.go.
 */
import type { RequestHeaderConfig } from './request-header.ts';

/** `--oidc-*`. */
export interface OidcOptions {
  readonly issuerUrl: string;
  readonly clientId: string;
  readonly caFile?: string;
  readonly usernameClaim: string;
  readonly usernamePrefix: string;
  readonly groupsClaim: string;
  readonly groupsPrefix: string;
  readonly signingAlgs: readonly string[];
  readonly requiredClaims: ReadonlyMap<string, string>;
}

/** `--authentication-token-webhook-*`. */
export interface TokenWebhookOptions {
  /** A kubeconfig whose cluster is the webhook. */
  readonly configFile: string;
  readonly version: string;
  readonly cacheTtlMs: number;
}

export interface AuthenticationOptions {
  /** `--anonymous-auth`, where it was given. */
  readonly anonymousAuth?: boolean;
  /** `--authentication-config`. */
  readonly configFile?: string;
  readonly oidc?: OidcOptions;
  readonly webhook?: TokenWebhookOptions;
  readonly tokenAuthFile?: string;
  /** Trusted besides the authorities of the listeners. */
  readonly clientCaFile?: string;
  readonly requestHeader?: RequestHeaderConfig & { readonly clientCaFile: string };
  /** Issuers whose tokens are accepted besides {@link ApiServerConfig.serviceAccountIssuer}. */
  readonly furtherIssuers?: readonly string[];
  /** `--service-account-signing-key-file`: signs instead of the cluster's own key. */
  readonly serviceAccountSigningKeyFile?: string;
  /** `--service-account-key-file`: keys whose tokens are accepted as well. */
  readonly serviceAccountKeyFiles?: readonly string[];
  /** `--service-account-lookup`; default true. */
  readonly serviceAccountLookup?: boolean;
  /** `--service-account-max-token-expiration`; 0: none. */
  readonly serviceAccountMaxExpirationSeconds?: number;
  /** Upper bound of what the next does; default a year. */
  readonly serviceAccountMaxExtendedSeconds?: number;
  /** `--service-account-signing-endpoint`: the unix socket of who signs. */
  readonly serviceAccountSigningEndpoint?: string;
  /** `--service-account-extend-token-expiration`; default true. */
  readonly serviceAccountExtendExpiration?: boolean;
  /** `--service-account-jwks-uri`. */
  readonly serviceAccountJwksUri?: string;
}

/** Upstream's TokenSuccessCacheTTL; failures are not remembered. */
export const tokenSuccessCacheMs = 10_000;
