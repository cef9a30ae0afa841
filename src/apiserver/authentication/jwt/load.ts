/**
 * Reads an AuthenticationConfiguration as strictly as upstream. The three versions have the same fields. Upstream:
 * pkg/kubeapiserver/options/authentication.go loadAuthenticationConfigFromData, apiserver pkg/apis/apiserver/v1.
 */
import {
  field,
  InputError,
  list,
  readTypeMeta,
  readYaml,
  scalar,
  struct,
  yamlStrictError,
  yamlToJson,
} from '#apimachinery';
import type {
  AuthenticationConfiguration,
  ClaimMappings,
  JwtAuthenticatorConfiguration,
  PrefixedClaimOrExpression,
} from './configuration.ts';

const versions = ['v1', 'v1beta1', 'v1alpha1'].map(version => `apiserver.config.k8s.io/${version}`);

const text = scalar('string');

const mapping = struct('PrefixedClaimOrExpression', [
  field('claim', text),
  field('prefix', text, { nullable: true }),
  field('expression', text),
]);
const issuerStruct = struct('Issuer', [
  field('url', text),
  field('discoveryURL', text),
  field('certificateAuthority', text),
  field('audiences', list(text)),
  field('audienceMatchPolicy', text),
  field('egressSelectorType', text),
]);
const authenticatorStruct = struct('JWTAuthenticator', [
  field('issuer', issuerStruct),
  field(
    'claimValidationRules',
    list(
      struct('ClaimValidationRule', [
        field('claim', text),
        field('requiredValue', text),
        field('expression', text),
        field('message', text),
      ]),
    ),
  ),
  field(
    'claimMappings',
    struct('ClaimMappings', [
      field('username', mapping),
      field('groups', mapping),
      field('uid', struct('ClaimOrExpression', [field('claim', text), field('expression', text)])),
      field('extra', list(struct('ExtraMapping', [field('key', text), field('valueExpression', text)]))),
    ]),
  ),
  field('userValidationRules', list(struct('UserValidationRule', [field('expression', text), field('message', text)]))),
]);
const configurationStruct = struct('AuthenticationConfiguration', [
  field('kind', text),
  field('apiVersion', text),
  field('jwt', list(authenticatorStruct)),
  field(
    'anonymous',
    struct('AnonymousAuthConfig', [
      field('enabled', scalar('boolean')),
      field('conditions', list(struct('AnonymousAuthCondition', [field('path', text)]))),
    ]),
  ),
]);

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
  try {
    checkKind(yamlToJson(source).json);
    const { value, strictErrors, duplicates } = readYaml(source, configurationStruct);
    const twice = yamlStrictError(duplicates);
    const problems = [...(twice === undefined ? [] : [twice]), ...strictErrors];
    if (problems.length > 0) throw new Error(`strict decoding error: ${problems.join(', ')}`);
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
  } catch (error) {
    if (error instanceof InputError) throw new Error(error.message, { cause: error });
    throw error;
  }
}

function checkKind(json: string): void {
  const { apiVersion, kind } = readTypeMeta(json);
  if (kind === '') throw new Error(`Object 'Kind' is missing in '${json}'`);
  if (apiVersion === '') throw new Error(`Object 'apiVersion' is missing in '${json}'`);
  if (!versions.includes(apiVersion) || !/^(Authentication|Authorization|Encryption)Configuration$/.test(kind)) {
    const scheme = 'pkg/runtime/scheme.go:111';
    throw new Error(`no kind "${kind}" is registered for version "${apiVersion}" in scheme "${scheme}"`);
  }
  if (kind !== 'AuthenticationConfiguration') {
    throw new Error(`expected AuthenticationConfiguration, got *apiserver.${kind}`);
  }
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
