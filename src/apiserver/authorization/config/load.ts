/**
 * Reads an AuthorizationConfiguration as strictly as upstream, and fills in what it leaves open. Upstream: apiserver
 * pkg/apis/apiserver/load/load.go, pkg/apis/apiserver/v1/defaults.go.
 */
import { decodeConfiguration, parseGoDuration } from '#apimachinery';
import { apiServerKinds } from '../../configuration/kinds.ts';
import type { AuthorizationConfiguration, AuthorizerConfiguration, WebhookConfiguration } from './configuration.ts';

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
  const { value, goType } = decodeConfiguration(Buffer.from(source), apiServerKinds);
  if (goType !== '*apiserver.AuthorizationConfiguration') {
    throw new Error(`expected AuthorizationConfiguration, got ${goType}`);
  }
  const { authorizers } = value as { readonly authorizers?: readonly ReadAuthorizer[] };
  return { authorizers: (authorizers ?? []).map(completed) };
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
