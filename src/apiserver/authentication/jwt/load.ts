/**
 * Reads an AuthenticationConfiguration as strictly as upstream. The three versions have the same fields. Upstream:
 * pkg/kubeapiserver/options/authentication.go loadAuthenticationConfigFromData, apiserver pkg/apis/apiserver/v1.
 */
import { decodeConfiguration } from '#apimachinery';
import { apiServerKinds } from '../../configuration/kinds.ts';
import type {
  AuthenticationConfiguration,
  ClaimMappings,
  JwtAuthenticatorConfiguration,
  PrefixedClaimOrExpression,
} from './configuration.ts';

type Read<T> = { readonly [K in keyof T]?: T[K] | null };

interface ReadIssuer {
  readonly url?: string;
  readonly discoveryURL?: string;
  readonly certificateAuthority?: string;
  readonly audiences?: readonly string[];
  readonly audienceMatchPolicy?: string;
  readonly egressSelectorType?: string;
}

interface ReadAuthenticator {
  readonly issuer?: ReadIssuer;
  readonly claimValidationRules?: ReadonlyArray<Read<
    JwtAuthenticatorConfiguration['claimValidationRules'][number]
  > | null>;
  readonly claimMappings?: {
    readonly username?: Read<PrefixedClaimOrExpression>;
    readonly groups?: Read<PrefixedClaimOrExpression>;
    readonly uid?: Read<ClaimMappings['uid']>;
    readonly extra?: ReadonlyArray<Read<ClaimMappings['extra'][number]> | null>;
  };
  readonly userValidationRules?: ReadonlyArray<Read<
    JwtAuthenticatorConfiguration['userValidationRules'][number]
  > | null>;
}

interface ReadConfiguration {
  readonly jwt?: ReadonlyArray<ReadAuthenticator | null> | null;
  readonly anonymous?: {
    readonly enabled?: boolean;
    readonly conditions?: ReadonlyArray<{ readonly path?: string } | null>;
  } | null;
}

/** The configuration in a file's text, not validated yet. Throws an Error with upstream's text. */
export function parseAuthenticationConfiguration(source: string): AuthenticationConfiguration {
  if (source === '') throw new Error('empty config data');
  const { value, goType } = decodeConfiguration(Buffer.from(source), apiServerKinds);
  if (goType !== '*apiserver.AuthenticationConfiguration') {
    throw new Error(`expected AuthenticationConfiguration, got ${goType}`);
  }
  const { jwt, anonymous } = value as ReadConfiguration;
  return {
    jwt: (jwt ?? []).map(each => completed(each ?? {})),
    ...(anonymous && {
      anonymous: {
        enabled: anonymous.enabled ?? false,
        conditions: (anonymous.conditions ?? []).map(each => ({ path: each?.path ?? '' })),
      },
    }),
  };
}

function completed({ issuer = {}, ...read }: ReadAuthenticator): JwtAuthenticatorConfiguration {
  const mappings = read.claimMappings ?? {};
  return {
    issuer: {
      url: issuer.url ?? '',
      discoveryUrl: issuer.discoveryURL ?? '',
      certificateAuthority: issuer.certificateAuthority ?? '',
      audiences: issuer.audiences ?? [],
      audienceMatchPolicy: issuer.audienceMatchPolicy ?? '',
      egressSelectorType: issuer.egressSelectorType ?? '',
    },
    claimValidationRules: (read.claimValidationRules ?? []).map(rule => ({
      claim: rule?.claim ?? '',
      requiredValue: rule?.requiredValue ?? '',
      expression: rule?.expression ?? '',
      message: rule?.message ?? '',
    })),
    claimMappings: {
      username: completedMapping(mappings.username),
      groups: completedMapping(mappings.groups),
      uid: { claim: mappings.uid?.claim ?? '', expression: mappings.uid?.expression ?? '' },
      extra: (mappings.extra ?? []).map(each => ({
        key: each?.key ?? '',
        valueExpression: each?.valueExpression ?? '',
      })),
    },
    userValidationRules: (read.userValidationRules ?? []).map(rule => ({
      expression: rule?.expression ?? '',
      message: rule?.message ?? '',
    })),
  };
}

const completedMapping = (read: Read<PrefixedClaimOrExpression> = {}): PrefixedClaimOrExpression => ({
  claim: read.claim ?? '',
  prefix: read.prefix ?? undefined,
  expression: read.expression ?? '',
});
