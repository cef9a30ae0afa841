/**
 * Reads an AuthorizationConfiguration as strictly as upstream, and fills in what it leaves open. Upstream: apiserver
 * pkg/apis/apiserver/load/load.go, pkg/apis/apiserver/v1/defaults.go.
 */
import {
  field,
  InputError,
  list,
  parseGoDuration,
  readTypeMeta,
  readYaml,
  scalar,
  struct,
  yamlStrictError,
  yamlToJson,
} from '#apimachinery';
import type { AuthorizationConfiguration, AuthorizerConfiguration, WebhookConfiguration } from './configuration.ts';

const versions = ['v1', 'v1beta1', 'v1alpha1'].map(version => `apiserver.config.k8s.io/${version}`);

const text = scalar('string');
const flag = scalar('boolean');

const webhookStruct = struct('WebhookConfiguration', [
  field('authorizedTTL', text),
  field('cacheAuthorizedRequests', flag, { nullable: true }),
  field('unauthorizedTTL', text),
  field('cacheUnauthorizedRequests', flag, { nullable: true }),
  field('timeout', text),
  field('subjectAccessReviewVersion', text),
  field('matchConditionSubjectAccessReviewVersion', text),
  field('failurePolicy', text),
  field(
    'connectionInfo',
    struct('WebhookConnectionInfo', [field('type', text), field('kubeConfigFile', text, { nullable: true })]),
  ),
  field('matchConditions', list(struct('WebhookMatchCondition', [field('expression', text)]))),
]);
const authorizerStruct = struct('AuthorizerConfiguration', [
  field('type', text),
  field('name', text),
  field('webhook', webhookStruct),
]);
const configurationStruct = struct('AuthorizationConfiguration', [
  field('kind', text),
  field('apiVersion', text),
  field('authorizers', list(authorizerStruct)),
]);

interface ReadWebhook {
  readonly authorizedTTL?: string;
  readonly cacheAuthorizedRequests?: boolean;
  readonly unauthorizedTTL?: string;
  readonly cacheUnauthorizedRequests?: boolean;
  readonly timeout?: string;
  readonly subjectAccessReviewVersion?: string;
  readonly matchConditionSubjectAccessReviewVersion?: string;
  readonly failurePolicy?: string;
  readonly connectionInfo?: { readonly type?: string; readonly kubeConfigFile?: string };
  readonly matchConditions?: ReadonlyArray<{ readonly expression?: string } | null>;
}

interface ReadAuthorizer {
  readonly type?: string;
  readonly name?: string;
  readonly webhook?: ReadWebhook;
}

const defaultAuthorizedTtlMs = 5 * 60_000;
const defaultUnauthorizedTtlMs = 30_000;

/** The configuration in a file's text, not validated yet. Throws an Error with upstream's text. */
export function parseConfiguration(source: string): AuthorizationConfiguration {
  if (source === '') return { authorizers: [] };
  try {
    checkKind(yamlToJson(source).json);
    const { value, strictErrors, duplicates } = readYaml(source, configurationStruct);
    const twice = yamlStrictError(duplicates);
    const problems = [...(twice === undefined ? [] : [twice]), ...strictErrors];
    if (problems.length > 0) throw new Error(`strict decoding error: ${problems.join(', ')}`);
    const { authorizers } = value as { readonly authorizers?: readonly ReadAuthorizer[] };
    return { authorizers: (authorizers ?? []).map(completed) };
  } catch (error) {
    if (error instanceof InputError) throw new Error(error.message, { cause: error });
    throw error;
  }
}

function checkKind(json: string): void {
  const { apiVersion, kind } = readTypeMeta(json);
  if (kind === '') throw new Error(`Object 'Kind' is missing in '${json}'`);
  if (apiVersion === '') throw new Error(`Object 'apiVersion' is missing in '${json}'`);
  if (versions.includes(apiVersion) && kind === 'AuthorizationConfiguration') return;
  const scheme = 'k8s.io/apiserver/pkg/apis/apiserver/load/load.go:31';
  throw new Error(`no kind "${kind}" is registered for version "${apiVersion}" in scheme "${scheme}"`);
}

function completed({ type = '', name = '', webhook }: ReadAuthorizer): AuthorizerConfiguration {
  return { type, name, ...(webhook && { webhook: completedWebhook(webhook) }) };
}

function completedWebhook(read: ReadWebhook): WebhookConfiguration {
  return {
    authorizedTtlMs: milliseconds(read.authorizedTTL) || defaultAuthorizedTtlMs,
    cacheAuthorizedRequests: read.cacheAuthorizedRequests ?? true,
    unauthorizedTtlMs: milliseconds(read.unauthorizedTTL) || defaultUnauthorizedTtlMs,
    cacheUnauthorizedRequests: read.cacheUnauthorizedRequests ?? true,
    timeoutMs: milliseconds(read.timeout),
    subjectAccessReviewVersion: read.subjectAccessReviewVersion ?? '',
    matchConditionSubjectAccessReviewVersion: read.matchConditionSubjectAccessReviewVersion ?? '',
    failurePolicy: read.failurePolicy ?? '',
    connectionInfo: { type: read.connectionInfo?.type ?? '', kubeConfigFile: read.connectionInfo?.kubeConfigFile },
    matchConditions: (read.matchConditions ?? []).map(each => each?.expression ?? ''),
  };
}

const milliseconds = (duration: string | undefined): number =>
  duration === undefined ? 0 : Number(parseGoDuration(duration)) / 1e6;
