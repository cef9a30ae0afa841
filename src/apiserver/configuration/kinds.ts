/**
 * The kinds of `apiserver.config.k8s.io` and their fields. A file of one of them where another is waited for is read as
 * what it is, and then refused. Upstream: apiserver pkg/apis/apiserver/{v1,v1beta1,v1alpha1}, install/install.go.
 */
import {
  anyNode,
  type ConfigurationKind,
  type ConfigurationKinds,
  field,
  list,
  type StructNode,
  scalar,
  struct,
  type TypeNode,
} from '#apimachinery';

export const configGroup = 'apiserver.config.k8s.io';
const legacyGroup = 'apiserver.k8s.io';

type Version = 'v1' | 'v1beta1' | 'v1alpha1';

const text = scalar('string');
const flag = scalar('boolean');
const duration = scalar('duration');
const pointer = { nullable: true } as const;
/** What every one of these kinds begins with. */
export const typeMeta: ReadonlyArray<ReturnType<typeof field>> = [field('kind', text), field('apiVersion', text)];

/** Fields that hold text, each by its name. */
const texts = (...names: readonly string[]) => names.map(name => field(name, text));

function authentication(version: Version): StructNode {
  const of = (name: string, ...fields: ReturnType<typeof field>[]): StructNode => struct(`${version}.${name}`, fields);
  const claim = of(
    'PrefixedClaimOrExpression',
    field('claim', text),
    field('prefix', text, pointer),
    ...texts('expression'),
  );
  const issuer = of(
    'Issuer',
    field('url', text),
    field('discoveryURL', text, pointer),
    field('certificateAuthority', text),
    field('audiences', list(text)),
    field('audienceMatchPolicy', scalar('string', `${version}.AudienceMatchPolicyType`)),
    field('egressSelectorType', scalar('string', `${version}.EgressSelectorType`)),
  );
  const mappings = of(
    'ClaimMappings',
    field('username', claim),
    field('groups', claim),
    field('uid', of('ClaimOrExpression', ...texts('claim', 'expression'))),
    field('extra', list(of('ExtraMapping', ...texts('key', 'valueExpression')))),
  );
  const authenticator = of(
    'JWTAuthenticator',
    field('issuer', issuer),
    field(
      'claimValidationRules',
      list(of('ClaimValidationRule', ...texts('claim', 'requiredValue', 'expression', 'message'))),
    ),
    field('claimMappings', mappings),
    field('userValidationRules', list(of('UserValidationRule', ...texts('expression', 'message')))),
  );
  const anonymous = of(
    'AnonymousAuthConfig',
    field('enabled', flag),
    field('conditions', list(of('AnonymousAuthCondition', ...texts('path')))),
  );
  return of(
    'AuthenticationConfiguration',
    ...typeMeta,
    field('jwt', list(authenticator)),
    field('anonymous', anonymous),
  );
}

function authorization(version: Version): StructNode {
  const of = (name: string, ...fields: ReturnType<typeof field>[]): StructNode => struct(`${version}.${name}`, fields);
  const webhook = of(
    'WebhookConfiguration',
    field('authorizedTTL', duration),
    field('cacheAuthorizedRequests', flag, pointer),
    field('unauthorizedTTL', duration),
    field('cacheUnauthorizedRequests', flag, pointer),
    field('timeout', duration),
    ...texts('subjectAccessReviewVersion', 'matchConditionSubjectAccessReviewVersion', 'failurePolicy'),
    field('connectionInfo', of('WebhookConnectionInfo', field('type', text), field('kubeConfigFile', text, pointer))),
    field('matchConditions', list(of('WebhookMatchCondition', ...texts('expression')))),
  );
  const authorizer = of('AuthorizerConfiguration', ...texts('type', 'name'), field('webhook', webhook));
  return of('AuthorizationConfiguration', ...typeMeta, field('authorizers', list(authorizer)));
}

function encryption(): StructNode {
  const of = (name: string, ...fields: ReturnType<typeof field>[]): StructNode => struct(`v1.${name}`, fields);
  const keys = (name: string): StructNode => of(name, field('keys', list(of('Key', ...texts('name', 'secret')))));
  const kms = of(
    'KMSConfiguration',
    ...texts('apiVersion', 'name'),
    field('cachesize', scalar('int32'), pointer),
    field('endpoint', text),
    field('timeout', duration, pointer),
  );
  const provider = of(
    'ProviderConfiguration',
    field('aesgcm', keys('AESConfiguration')),
    field('aescbc', keys('AESConfiguration')),
    field('secretbox', keys('SecretboxConfiguration')),
    field('identity', of('IdentityConfiguration')),
    field('kms', kms),
  );
  const resource = of('ResourceConfiguration', field('resources', list(text)), field('providers', list(provider)));
  return of('EncryptionConfiguration', ...typeMeta, field('resources', list(resource)));
}

function admission(version: Version): StructNode {
  const plugin = struct(`${version}.AdmissionPluginConfiguration`, [
    ...texts('name', 'path'),
    field('configuration', anyNode),
  ]);
  return struct(`${version}.AdmissionConfiguration`, [...typeMeta, field('plugins', list(plugin))]);
}

function tracing(version: Version): StructNode {
  return struct(`${version}.TracingConfiguration`, [
    ...typeMeta,
    field('endpoint', text, pointer),
    field('samplingRatePerMillion', scalar('int32'), pointer),
  ]);
}

function egressSelector(version: Version): StructNode {
  const of = (name: string, ...fields: ReturnType<typeof field>[]): StructNode => struct(`${version}.${name}`, fields);
  const tls = of('TLSConfig', ...texts('caBundle', 'clientKey', 'clientCert', 'tlsServerName'));
  const transport = of(
    'Transport',
    field('tcp', of('TCPTransport', field('url', text), field('tlsConfig', tls))),
    field('uds', of('UDSTransport', ...texts('udsName'))),
  );
  const protocol: TypeNode = scalar('string', `${version}.ProtocolType`);
  const connection = of('Connection', field('proxyProtocol', protocol), field('transport', transport));
  const selection = of('EgressSelection', field('name', text), field('connection', connection));
  return of('EgressSelectorConfiguration', ...typeMeta, field('egressSelections', list(selection)));
}

/** All kinds of the group, in all versions. */
export const apiServerKinds: ConfigurationKinds = new Map<string, ConfigurationKind>([
  ...(['v1', 'v1beta1', 'v1alpha1'] as const).flatMap(version => [
    entry(`${configGroup}/${version}`, 'AuthenticationConfiguration', authentication(version)),
    entry(`${configGroup}/${version}`, 'AuthorizationConfiguration', authorization(version)),
    entry(`${configGroup}/${version}`, 'TracingConfiguration', tracing(version)),
  ]),
  entry(`${configGroup}/v1`, 'EncryptionConfiguration', encryption()),
  entry('v1', 'EncryptionConfig', encryption(), 'EncryptionConfiguration'),
  entry(`${configGroup}/v1`, 'AdmissionConfiguration', admission('v1')),
  entry(`${legacyGroup}/v1alpha1`, 'AdmissionConfiguration', admission('v1alpha1')),
  entry(`${legacyGroup}/v1beta1`, 'EgressSelectorConfiguration', egressSelector('v1beta1')),
  entry(`${legacyGroup}/v1alpha1`, 'EgressSelectorConfiguration', egressSelector('v1alpha1')),
]);

function entry(apiVersion: string, kind: string, node: StructNode, goKind = kind): [string, ConfigurationKind] {
  return [`${apiVersion} ${kind}`, { goType: `*apiserver.${goKind}`, struct: node }];
}
