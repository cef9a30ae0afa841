/**
 * What the flags say of JSON Web Tokens and of anonymous requests, as one configuration, whether it came from a file
 * or from `--oidc-*`. Upstream: pkg/kubeapiserver/options/authentication.go ToAuthenticationConfig.
 */
import { UserError } from '#base';
import { signatureAlgorithms } from '#pki';
import type { AnonymousAuth } from '../anonymous.ts';
import type { AuthenticationOptions, OidcOptions } from '../options.ts';
import { readText } from '../read-text.ts';
import type { AuthenticationConfiguration, JwtAuthenticatorConfiguration } from './configuration.ts';
import type { JwtSettings } from './jwt-authenticators.ts';
import { parseAuthenticationConfiguration } from './load.ts';

/** Throws a UserError for a file that cannot be read or understood. */
export function jwtSettings({ configFile, oidc }: Pick<AuthenticationOptions, 'configFile' | 'oidc'>): JwtSettings {
  if (configFile !== undefined) return fromFile(configFile);
  if (!oidc) return { configuration: { jwt: [] }, algorithms: [] };
  return { configuration: { jwt: [fromFlags(oidc)] }, algorithms: oidc.signingAlgs };
}

function fromFile(path: string): JwtSettings {
  let text: string;
  let configuration: AuthenticationConfiguration;
  try {
    text = readText(path);
    configuration = parseAuthenticationConfiguration(text);
  } catch (cause) {
    const why = (cause as Error).message;
    const what = `failed to load authentication configuration from file ${JSON.stringify(path)}`;
    throw new UserError(`${what}: ${why}`, { cause });
  }
  return { configuration, algorithms: signatureAlgorithms, file: { path, text } };
}

/** `-` stands for no prefix; where none is said, all names but e-mail addresses tell their issuer. */
function prefixOf({ usernamePrefix, usernameClaim, issuerUrl }: OidcOptions): string {
  if (usernamePrefix === '-') return '';
  return usernamePrefix === '' && usernameClaim !== 'email' ? `${issuerUrl}#` : usernamePrefix;
}

function fromFlags(oidc: OidcOptions): JwtAuthenticatorConfiguration {
  const none = { claim: '', prefix: undefined, expression: '' };
  return {
    issuer: {
      url: oidc.issuerUrl,
      discoveryUrl: '',
      certificateAuthority: oidc.caFile ? readText(oidc.caFile) : '',
      audiences: [oidc.clientId],
      audienceMatchPolicy: '',
      egressSelectorType: '',
    },
    claimValidationRules: [...oidc.requiredClaims].map(([claim, requiredValue]) => ({
      claim,
      requiredValue,
      expression: '',
      message: '',
    })),
    claimMappings: {
      username: { claim: oidc.usernameClaim, prefix: prefixOf(oidc), expression: '' },
      groups: oidc.groupsClaim === '' ? none : { claim: oidc.groupsClaim, prefix: oidc.groupsPrefix, expression: '' },
      uid: { claim: '', expression: '' },
      extra: [],
    },
    userValidationRules: [],
  };
}

/** Throws a UserError. `flag`: what `--anonymous-auth` says; undefined where it was not given. `fallback`: false where it cannot be. */
export function anonymousAuth(
  { anonymous }: AuthenticationConfiguration,
  { flag, fallback }: { readonly flag: boolean | undefined; readonly fallback: boolean },
): AnonymousAuth {
  if (!anonymous) return { enabled: fallback && (flag ?? true) };
  if (flag === undefined) return anonymous;
  throw new UserError(
    'anonymous: Forbidden: --anonymous-auth flag cannot be set when anonymous field is configured in authentication configuration file',
  );
}
