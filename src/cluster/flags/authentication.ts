/**
 * Flags of authentication. Upstream: pkg/kubeapiserver/options/authentication.go, apiserver
 * pkg/server/options/authentication.go, pkg/controlplane/apiserver/options/options.go.
 */
import { resolve } from 'node:path';
import type { ApiServerConfig, AuthenticationOptions, OidcOptions, TokenWebhookOptions } from '#apiserver';
import { UserError } from '#base';
import { checkOptions } from './authentication-checks.ts';
import type { Flag, FlagGroup, GivenFlags } from './flag.ts';

const path = (name: string, help: string): Flag => ({ name, value: 'path', help, isPath: true });
const text = (name: string, value: string, help: string): Flag => ({ name, value, help });
const bool = (name: string, help: string): Flag => ({ name, help });

const oidcFlags: readonly Flag[] = [
  text('oidc-issuer-url', 'url', 'an OpenID issuer whose tokens are accepted'),
  text('oidc-client-id', 'id', 'whom its tokens have to be for'),
  path('oidc-ca-file', "authorities of the issuer's certificate (default: those of the machine)"),
  text('oidc-username-claim', 'claim', 'the claim that is the user name (default: sub)'),
  text('oidc-username-prefix', 'prefix', 'before user names; - for none (default: the issuer and #, but for email)'),
  text('oidc-groups-claim', 'claim', 'the claim that holds the groups'),
  text('oidc-groups-prefix', 'prefix', 'before groups'),
  text('oidc-signing-algs', 'names', 'what tokens may be signed with (default: RS256)'),
  text('oidc-required-claim', 'key=value', 'a claim that tokens have to have; may be given several times'),
];

const requestHeaderFlags: readonly Flag[] = [
  path('requestheader-client-ca-file', 'authorities of the certificates of front proxies'),
  text('requestheader-allowed-names', 'names', 'common names that front proxies may have (default: any)'),
  text('requestheader-username-headers', 'names', 'headers in which front proxies name the user'),
  text('requestheader-uid-headers', 'names', "headers with the user's uid"),
  text('requestheader-group-headers', 'names', "headers with the user's groups"),
  text('requestheader-extra-headers-prefix', 'prefixes', 'what headers with extra information begin with'),
];

const serviceAccountFlags: readonly Flag[] = [
  text('service-account-issuer', 'url', 'issuer of tokens; the first signs, all are accepted'),
  text('api-audiences', 'names', 'whom tokens for the API are for (default: the issuers)'),
  path('service-account-signing-key-file', "signs tokens (default: the cluster's own key)"),
  {
    name: 'service-account-signing-endpoint',
    value: 'path',
    help: 'unix socket of who signs tokens instead; @name for one without a file',
    isPath: text => (text.startsWith('@') ? text : resolve(text)),
  },
  path('service-account-key-file', 'keys whose tokens are accepted; may be given several times'),
  text('service-account-jwks-uri', 'url', 'where the discovery document says that the keys are'),
  bool('service-account-lookup', 'tokens of Secrets are held against the Secret (default: true)'),
  text('service-account-max-token-expiration', 'duration', 'the longest that tokens are valid'),
  bool('service-account-extend-token-expiration', "pods' tokens hold a year, and are warned of (default: true)"),
];

export const authenticationFlags: FlagGroup = {
  title: 'Authentication:',
  flags: [
    path('authentication-config', 'an AuthenticationConfiguration, followed as it changes'),
    bool('anonymous-auth', 'requests without credentials are anonymous (default: true)'),
    bool('enable-bootstrap-token-auth', 'tokens of joining nodes are accepted (default: true)'),
    path('client-ca-file', "authorities of client certificates, besides the cluster's own"),
    path('token-auth-file', 'tokens with their users, one a line'),
    path('authentication-token-webhook-config-file', 'a kubeconfig of a webhook that reviews tokens'),
    text('authentication-token-webhook-version', 'version', 'of its TokenReviews (default: v1beta1)'),
    text('authentication-token-webhook-cache-ttl', 'duration', 'how long its answers are kept (default: 2m0s)'),
    ...oidcFlags,
    ...requestHeaderFlags,
    ...serviceAccountFlags,
  ],
  settings(given) {
    const authentication = {
      ...files(given),
      ...oidc(given),
      ...webhook(given),
      ...requestHeader(given),
      ...serviceAccounts(given),
    };
    checkOptions(given, authentication);
    const isGiven = Object.keys(authentication).length > 0;
    return { apiServer: { ...ofServer(given), ...(isGiven && { authentication }) } };
  },
};

function files(given: GivenFlags): AuthenticationOptions {
  const configFile = given.path('authentication-config');
  const clientCaFile = given.path('client-ca-file');
  const tokenAuthFile = given.path('token-auth-file');
  const anonymousAuth = given.boolean('anonymous-auth');
  return {
    ...(configFile && { configFile }),
    ...(clientCaFile && { clientCaFile }),
    ...(tokenAuthFile && { tokenAuthFile }),
    ...(anonymousAuth !== undefined && { anonymousAuth }),
  };
}

/** What is not of authentication alone. */
function ofServer(given: GivenFlags): Partial<ApiServerConfig> {
  const bootstrapTokenAuth = given.boolean('enable-bootstrap-token-auth');
  const [issuer] = given.all('service-account-issuer');
  const audiences = given.list('api-audiences');
  const issuers = given.all('service-account-issuer');
  return {
    ...(bootstrapTokenAuth !== undefined && { bootstrapTokenAuth }),
    ...(issuer !== undefined && { serviceAccountIssuer: issuer, apiAudiences: issuers }),
    ...(audiences?.length && { apiAudiences: audiences }),
  };
}

function oidc(given: GivenFlags): { oidc?: OidcOptions } {
  if (!oidcFlags.some(({ name }) => given.all(name).length > 0)) return {};
  const caFile = given.path('oidc-ca-file');
  const options: OidcOptions = {
    issuerUrl: given.text('oidc-issuer-url') ?? '',
    clientId: given.text('oidc-client-id') ?? '',
    ...(caFile && { caFile }),
    usernameClaim: given.text('oidc-username-claim') ?? 'sub',
    usernamePrefix: given.text('oidc-username-prefix') ?? '',
    groupsClaim: given.text('oidc-groups-claim') ?? '',
    groupsPrefix: given.text('oidc-groups-prefix') ?? '',
    signingAlgs: given.list('oidc-signing-algs') ?? ['RS256'],
    requiredClaims: new Map(given.all('oidc-required-claim').map(requiredClaim)),
  };
  return { oidc: options };
}

/** A value may hold commas and further equal signs. Upstream: MapStringStringNoSplit. */
function requiredClaim(pair: string): readonly [string, string] {
  const at = pair.indexOf('=');
  if (at >= 0) return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
  const why = `malformed pair, expect string=string`;
  throw new UserError(`invalid argument ${JSON.stringify(pair)} for "--oidc-required-claim" flag: ${why}.`);
}

function webhook(given: GivenFlags): { webhook?: TokenWebhookOptions } {
  const configFile = given.path('authentication-token-webhook-config-file');
  if (!configFile) return {};
  const version = given.text('authentication-token-webhook-version') ?? 'v1beta1';
  const cacheTtlMs = given.durationMs('authentication-token-webhook-cache-ttl') ?? 120_000;
  return { webhook: { configFile, version, cacheTtlMs } };
}

function requestHeader(given: GivenFlags): Pick<AuthenticationOptions, 'requestHeader'> {
  const clientCaFile = given.path('requestheader-client-ca-file');
  if (!clientCaFile) return {};
  return {
    requestHeader: {
      clientCaFile,
      allowedNames: given.list('requestheader-allowed-names') ?? [],
      usernameHeaders: given.list('requestheader-username-headers') ?? [],
      uidHeaders: given.list('requestheader-uid-headers') ?? [],
      groupHeaders: given.list('requestheader-group-headers') ?? [],
      extraHeaderPrefixes: given.list('requestheader-extra-headers-prefix') ?? [],
    },
  };
}

/** A path, or the name of a socket in the abstract namespace. Upstream: validateServiceAccountTokenSigningConfig. */
function signingEndpoint(given: GivenFlags): string | undefined {
  const name = 'service-account-signing-endpoint';
  const endpoint = given.text(name);
  if (!endpoint) return undefined;
  if (given.text('service-account-signing-key-file')) {
    throw new UserError(
      `service-account-signing-key-file and ${name} are mutually exclusive and cannot be set at the same time`,
    );
  }
  if (given.all('service-account-key-file').length > 0) {
    throw new UserError(
      `can't set \`--service-account-signing-key-file\` and/or \`--service-account-key-file\` with \`--${name}\` (They are mutually exclusive)`,
    );
  }
  if (!endpoint.startsWith('@')) return given.path(name);
  if (/^@([a-zA-Z0-9_-]+\.)*[a-zA-Z0-9_-]+$/.test(endpoint)) return endpoint;
  throw new UserError(
    `invalid value ${JSON.stringify(endpoint)} passed for \`--${name}\`, when prefixed with @ must be a valid abstract socket name`,
  );
}

function serviceAccounts(given: GivenFlags): AuthenticationOptions {
  const [, ...furtherIssuers] = given.all('service-account-issuer');
  const signing = given.path('service-account-signing-key-file');
  const keyFiles = given.all('service-account-key-file');
  const endpoint = signingEndpoint(given);
  const jwksUri = given.text('service-account-jwks-uri');
  const lookup = given.boolean('service-account-lookup');
  const maxMs = given.durationMs('service-account-max-token-expiration');
  const extend = given.boolean('service-account-extend-token-expiration');
  return {
    ...(furtherIssuers.length > 0 && { furtherIssuers }),
    ...(signing && { serviceAccountSigningKeyFile: signing }),
    ...(keyFiles.length > 0 && { serviceAccountKeyFiles: keyFiles }),
    ...(endpoint && { serviceAccountSigningEndpoint: endpoint }),
    ...(jwksUri && { serviceAccountJwksUri: jwksUri }),
    ...(lookup !== undefined && { serviceAccountLookup: lookup }),
    ...(maxMs !== undefined && { serviceAccountMaxExpirationSeconds: Math.floor(maxMs / 1000) }),
    ...(extend !== undefined && { serviceAccountExtendExpiration: extend }),
  };
}
