/**
 * All ways in which a server recognises its callers, in upstream's order: front proxy, client certificates, bearer
 * tokens (of the server itself, of files, ServiceAccounts, joining nodes, OpenID providers, a webhook), and, where
 * nothing was shown, anonymous. A credential that was shown and is not good ends in 401, never in anonymous.
 * Upstream: pkg/kubeapiserver/authenticator/config.go, apiserver pkg/endpoints/filters/authentication.go.
 *
 * Deviation: an HTTP/2 connection on which somebody was anonymous or refused is kept; upstream ends it after the answer.
 * Deviation: `--client-ca-file` adds to the cluster's own authority of clients, which kubelets and administrators need.
 */
import type { Secret } from '#api/types';
import { unauthorized } from '#apimachinery';
import type { Clock, Logger, MetricsRegistry, Random } from '#base';
import type { TokenKeys } from '#pki';
import type { Lookup } from '../admission/lookup.ts';
import { Query, type ServerRequest } from '../http/message.ts';
import { anonymous } from './anonymous.ts';
import {
  type Authenticated,
  type AuthenticationContext,
  audienceAgnostic,
  commonAudiences,
  Refused,
  type RequestAuthenticator,
  type TokenAuthenticator,
  union,
  unionFailingOnError,
} from './authenticator.ts';
import { bearerToken, webSocketToken } from './bearer-token.ts';
import { bootstrapTokens } from './bootstrap-tokens.ts';
import { CertificateAuthorities, followAuthorityFile } from './certificate-authorities.ts';
import { CertificateVerifier, clientCertificates } from './client-certificates.ts';
import { JwtAuthenticators, type JwtSettings } from './jwt/jwt-authenticators.ts';
import { anonymousAuth, jwtSettings } from './jwt/settings.ts';
import { AuthenticationMetrics, TokenCacheMetrics } from './metrics.ts';
import { type AuthenticationOptions, tokenSuccessCacheMs } from './options.ts';
import { identityHeaderRemover, type RequestHeaderConfig, requestHeader } from './request-header.ts';
import { boundTokens } from './service-accounts/bound.ts';
import { legacyIssuer, legacyTokens } from './service-accounts/legacy.ts';
import { ServiceAccountMetrics } from './service-accounts/metrics.ts';
import { serviceAccountTokenAuthenticator } from './service-accounts/token-authenticator.ts';
import { ServiceAccountTokens } from './service-accounts/tokens.ts';
import { cachedTokens } from './token-cache.ts';
import { tokenFile } from './token-file.ts';
import { type UserInfo, withAuthenticatedGroup } from './user.ts';
import { webhookTokens } from './webhook-tokens.ts';

export interface AuthenticationDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: MetricsRegistry;
  readonly lookup: Lookup;
  readonly signal: AbortSignal;
  /** In metrics. */
  readonly serverId: string;
  readonly tokenKeys: TokenKeys | undefined;
  /** Further tokens, asked first, as upstream's of its loopback client. */
  readonly tokenAuthenticators: readonly TokenAuthenticator[];
  /** Merges labels into a Secret, as the API server itself. */
  readonly labelSecret: (secret: Secret, labels: Readonly<Record<string, string>>) => Promise<void>;
}

export interface AuthenticationConfig {
  readonly options: AuthenticationOptions;
  readonly anonymousAuth: boolean;
  readonly bootstrapTokenAuth: boolean;
  readonly serviceAccountIssuer: string;
  readonly apiAudiences: readonly string[];
}

/** Who makes a request. Throws 401. What only authentication is to see is taken off the headers. */
export type Authenticate = (
  request: ServerRequest,
  remarks?: Pick<AuthenticationContext, 'warn' | 'annotate'>,
) => Promise<UserInfo>;

/** What a TokenReview is told. */
export interface TokenReviewed {
  readonly found?: Authenticated | undefined;
  readonly error?: string;
}

export interface Authentication {
  readonly authenticate: Authenticate;
  /** Whose token it is, for any of `audiences`, in the same ways as a request's. */
  review(token: string, audiences: readonly string[]): Promise<TokenReviewed>;
  readonly serviceAccountTokens: ServiceAccountTokens | undefined;
  /** Who may vouch for clients, and for front proxies. */
  readonly clientAuthorities: CertificateAuthorities;
  readonly proxyAuthorities: CertificateAuthorities;
  /** What `--requestheader-*` say; undefined: there is no front proxy. */
  readonly requestHeader: RequestHeaderConfig | undefined;
}

/** Throws a UserError for files that cannot be read or understood. */
export function createAuthentication(deps: AuthenticationDeps, config: AuthenticationConfig): Authentication {
  const { options, apiAudiences } = config;
  const clientAuthorities = new CertificateAuthorities();
  const proxyAuthorities = new CertificateAuthorities();
  if (options.clientCaFile) followAuthorityFile(clientAuthorities, options.clientCaFile, 'client-ca-bundle', deps);
  if (options.requestHeader)
    followAuthorityFile(proxyAuthorities, options.requestHeader.clientCaFile, 'request-header', deps);
  const metrics = new AuthenticationMetrics(deps.metrics, deps.clock);
  const jwt = jwtSettings(options);
  const tokens = tokenAuthenticators(deps, config, jwt);
  const cached = cachedTokens(union(tokens.all), {
    clock: deps.clock,
    successTtlMs: tokenSuccessCacheMs,
    failureTtlMs: 0,
    cacheErrors: true,
    metrics: new TokenCacheMetrics(deps.metrics, deps.clock),
  });
  const proxy =
    options.requestHeader && requestHeader(new CertificateVerifier(proxyAuthorities), options.requestHeader);
  const known = withGroups(
    union<ServerRequest>([
      ...(proxy ? [audienceAgnostic(apiAudiences, proxy)] : []),
      clientCertificates(new CertificateVerifier(clientAuthorities), metrics),
      bearerToken(cached),
      webSocketToken(cached),
    ]),
  );
  const nobody = anonymousAuth(jwt.configuration, { flag: options.anonymousAuth, fallback: config.anonymousAuth });
  const others = nobody.enabled ? unionFailingOnError([known, anonymous(nobody)]) : known;
  const own = bearerToken(audienceAgnostic(apiAudiences, union(deps.tokenAuthenticators)));
  const all = union<ServerRequest>([withGroups(own), others]);
  return {
    authenticate: requestFilter(all, { apiAudiences, metrics, logger: deps.logger, header: options.requestHeader }),
    review: (token, audiences) => reviewToken(all, token, audiences),
    serviceAccountTokens: tokens.serviceAccounts,
    clientAuthorities,
    proxyAuthorities,
    requestHeader: options.requestHeader,
  };
}

/** Upstream: AuthenticatedGroupAdder. */
function withGroups(delegate: RequestAuthenticator): RequestAuthenticator {
  return {
    async authenticate(request, context) {
      const found = await delegate.authenticate(request, context);
      return found && { ...found, user: withAuthenticatedGroup(found.user) };
    },
  };
}

interface FilterOptions {
  readonly apiAudiences: readonly string[];
  readonly metrics: AuthenticationMetrics;
  readonly logger: Logger;
  readonly header: RequestHeaderConfig | undefined;
}

function requestFilter(all: RequestAuthenticator, options: FilterOptions): Authenticate {
  const { apiAudiences, metrics, logger, header } = options;
  const removeIdentity = identityHeaderRemover(header);
  const audiences = apiAudiences.length > 0 ? { audiences: apiAudiences } : {};
  return async (request, remarks) => {
    if (request.user) return request.user;
    const done = metrics.attempt();
    let found: Authenticated | undefined;
    try {
      found = await all.authenticate(request, { ...audiences, ...remarks });
    } catch (error) {
      done('error');
      if (!(error instanceof Refused)) throw error;
      logger.debug('unable to authenticate the request', { why: error.message });
      throw unauthorized();
    }
    if (!found) {
      done('failure');
      throw unauthorized();
    }
    if (!areAcceptable(apiAudiences, found.audiences)) {
      done('error');
      throw unauthorized();
    }
    done('success', found.user.name);
    delete (request.headers as Record<string, unknown>)['authorization'];
    removeIdentity(request);
    return found.user;
  };
}

/** Those who know no audiences are for all. */
function areAcceptable(apiAudiences: readonly string[], found: readonly string[] = []): boolean {
  return apiAudiences.length === 0 || found.length === 0 || commonAudiences(apiAudiences, found).length > 0;
}

/** Upstream: pkg/registry/authentication/tokenreview/storage.go: a request that has nothing but the token. */
async function reviewToken(
  all: RequestAuthenticator,
  token: string,
  audiences: readonly string[],
): Promise<TokenReviewed> {
  const request: ServerRequest = {
    method: 'GET',
    path: '',
    url: '',
    query: Query.empty,
    headers: { authorization: `Bearer ${token}` },
    body: async () => new Uint8Array(),
    signal: new AbortController().signal,
  };
  try {
    return { found: await all.authenticate(request, audiences.length > 0 ? { audiences } : {}) };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { error: error.message };
  }
}

interface Tokens {
  readonly all: readonly TokenAuthenticator[];
  readonly serviceAccounts: ServiceAccountTokens | undefined;
}

/** Local ones before those that ask somebody else. */
function tokenAuthenticators(deps: AuthenticationDeps, config: AuthenticationConfig, jwt: JwtSettings): Tokens {
  const { options, apiAudiences } = config;
  const agnostic = (delegate: TokenAuthenticator): TokenAuthenticator => audienceAgnostic(apiAudiences, delegate);
  const all: TokenAuthenticator[] = [];
  if (options.tokenAuthFile) all.push(agnostic(tokenFile(options.tokenAuthFile, deps.logger)));
  const { tokenKeys: keys } = deps;
  if (keys) all.push(...serviceAccountAuthenticators(deps, config, keys));
  if (config.bootstrapTokenAuth) all.push(agnostic(bootstrapTokens(deps.lookup, deps.clock)));
  const disallowedIssuers = [config.serviceAccountIssuer, ...(options.furtherIssuers ?? [])];
  all.push(agnostic(new JwtAuthenticators({ ...deps, disallowedIssuers }, jwt)));
  if (options.webhook) all.push(webhookTokens(options.webhook, apiAudiences, deps));
  const serviceAccounts =
    keys &&
    new ServiceAccountTokens({
      ...deps,
      keys,
      issuer: config.serviceAccountIssuer,
      audiences: apiAudiences,
      maxExpirationSeconds: options.serviceAccountMaxExpirationSeconds ?? 0,
      maxExtendedSeconds: options.serviceAccountMaxExtendedSeconds ?? 365 * 24 * 3600,
      extendsExpiration: options.serviceAccountExtendExpiration ?? true,
      jwksUri: options.serviceAccountJwksUri,
    });
  return { all, serviceAccounts };
}

function serviceAccountAuthenticators(
  deps: AuthenticationDeps,
  { options, apiAudiences, serviceAccountIssuer }: AuthenticationConfig,
  keys: TokenKeys,
): TokenAuthenticator[] {
  const metrics = new ServiceAccountMetrics(deps.metrics);
  const lookup = options.serviceAccountLookup === false ? undefined : deps.lookup;
  const common = { keys, apiAudiences, metrics };
  return [
    serviceAccountTokenAuthenticator({
      ...common,
      issuers: [legacyIssuer],
      validate: legacyTokens({ ...deps, lookup, metrics }),
    }),
    serviceAccountTokenAuthenticator({
      ...common,
      issuers: [serviceAccountIssuer, ...(options.furtherIssuers ?? [])],
      validate: boundTokens({ ...deps, metrics }),
    }),
  ];
}
