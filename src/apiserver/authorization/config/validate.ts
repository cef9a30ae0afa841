/**
 * What is wrong with an AuthorizationConfiguration. Upstream: apiserver pkg/apis/apiserver/validation/validation.go,
 * pkg/kubeapiserver/authorizer/config.go.
 */
import { statSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import {
  aggregateText,
  append,
  duplicate,
  type FieldError,
  FieldPath,
  formatGoDuration,
  invalidValue,
  isDNS1123Subdomain,
  notSupported,
  required,
  tooMany,
} from '#apimachinery';
import { goFileError } from '#base';
import { aggregated } from '../authorizer.ts';
import type { MatchConditionCompiler } from '../webhook/match-conditions.ts';
import {
  type AuthorizationConfiguration,
  type AuthorizerConfiguration,
  authorizationModes,
  nameOfMode,
  type WebhookConfiguration,
} from './configuration.ts';

const maxConditions = 64;
const maxTimeoutMs = 30_000;

export interface ValidationOptions {
  readonly compiler: MatchConditionCompiler;
  /** Types other than webhooks that have to be there. */
  readonly requiredTypes: readonly string[];
}

/** Throws an Error with upstream's text. */
export function checkConfiguration(
  configuration: AuthorizationConfiguration,
  { compiler, requiredTypes }: ValidationOptions,
): void {
  const errors = validate(configuration, compiler);
  if (errors.length > 0) throw new Error(aggregateText(errors));
  const others = configuration.authorizers.filter(({ type }) => type !== 'Webhook');
  const problems = others.flatMap(({ type, name }) =>
    nameOfMode(type) === name ? [] : [`expected name ${nameOfMode(type)} for authorizer ${type} instead of ${name}`],
  );
  const missing = requiredTypes.filter(type => !others.some(each => each.type === type)).toSorted();
  if (missing.length > 0) problems.push(`missing required types: [${missing.join(' ')}]`);
  const problem = aggregated(problems);
  if (problem !== undefined) throw new Error(problem);
}

function validate({ authorizers }: AuthorizationConfiguration, compiler: MatchConditionCompiler): FieldError[] {
  const root = FieldPath.of('authorizers');
  const errors: FieldError[] = [];
  if (authorizers.length === 0) errors.push(required(root, 'at least one authorization mode must be defined'));
  const types = new Set<string>();
  const names = new Set<string>();
  for (const [index, each] of authorizers.entries()) {
    const at = root.index(index);
    const wrongType = typeError(each, at.child('type'), types);
    if (wrongType) {
      errors.push(wrongType);
      continue;
    }
    types.add(each.type);
    append(errors, nameErrors(each.name, at.child('name'), names));
    names.add(each.name);
    append(errors, webhookErrors(each, at, compiler));
  }
  return errors;
}

function typeError(
  { type }: AuthorizerConfiguration,
  at: FieldPath,
  seen: ReadonlySet<string>,
): FieldError | undefined {
  if (type === '') return required(at);
  const known: readonly string[] = authorizationModes;
  if (!known.includes(type)) return notSupported(at, type, known.toSorted());
  return type !== 'Webhook' && seen.has(type) ? duplicate(at, type) : undefined;
}

function nameErrors(name: string, at: FieldPath, seen: ReadonlySet<string>): FieldError[] {
  if (name === '') return [required(at)];
  if (seen.has(name)) return [duplicate(at, name)];
  const wrong = isDNS1123Subdomain(name);
  return wrong.length > 0 ? [invalidValue(at, name, `authorizer name is invalid: ${wrong.join(', ')}`)] : [];
}

/** Upstream leaves `webhook` out of the paths below it. */
function webhookErrors(
  { type, webhook }: AuthorizerConfiguration,
  at: FieldPath,
  compiler: MatchConditionCompiler,
): FieldError[] {
  if (type !== 'Webhook') {
    return webhook ? [invalidValue(at.child('webhook'), 'non-null', 'may only be specified when type=Webhook')] : [];
  }
  if (!webhook) return [required(at.child('webhook'), 'required when type=Webhook')];
  return [
    ...durationErrors(webhook, at),
    ...versionErrors(webhook, at),
    ...connectionErrors(webhook.connectionInfo, at.child('connectionInfo')),
    ...conditionErrors(webhook.matchConditions, at.child('matchConditions'), compiler),
  ];
}

function durationErrors(webhook: WebhookConfiguration, at: FieldPath): FieldError[] {
  const { timeoutMs, authorizedTtlMs, unauthorizedTtlMs } = webhook;
  const errors: FieldError[] = [];
  const refuse = (name: string, ms: number, detail: string): unknown =>
    errors.push(invalidValue(at.child(name), formatGoDuration(BigInt(Math.round(ms * 1e6))), detail));
  if (timeoutMs === 0) errors.push(required(at.child('timeout')));
  else if (timeoutMs < 0 || timeoutMs > maxTimeoutMs) refuse('timeout', timeoutMs, 'must be > 0s and <= 30s');
  if (authorizedTtlMs < 0) refuse('authorizedTTL', authorizedTtlMs, 'must be > 0s');
  if (unauthorizedTtlMs < 0) refuse('unauthorizedTTL', unauthorizedTtlMs, 'must be > 0s');
  return errors;
}

function versionErrors(webhook: WebhookConfiguration, at: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  const oneOf = (name: keyof WebhookConfiguration, supported: readonly string[], needed: string | undefined): void => {
    const value = webhook[name] as string;
    if (value === '') {
      if (needed !== undefined) errors.push(required(at.child(name), needed));
    } else if (!supported.includes(value)) errors.push(notSupported(at.child(name), value, supported));
  };
  const forConditions = webhook.matchConditions.length > 0 ? 'required if match conditions are specified' : undefined;
  oneOf('subjectAccessReviewVersion', ['v1', 'v1beta1'], '');
  oneOf('matchConditionSubjectAccessReviewVersion', ['v1'], forConditions);
  oneOf('failurePolicy', ['NoOpinion', 'Deny'], '');
  return errors;
}

function connectionErrors(
  { type, kubeConfigFile }: WebhookConfiguration['connectionInfo'],
  at: FieldPath,
): FieldError[] {
  const file = at.child('kubeConfigFile');
  switch (type) {
    case '':
      return [required(at.child('type'))];
    case 'InClusterConfig':
      return kubeConfigFile === undefined
        ? []
        : [invalidValue(file, kubeConfigFile, 'can only be set when type=KubeConfigFile')];
    case 'KubeConfigFile':
      return kubeConfigFile ? fileErrors(kubeConfigFile, file) : [required(file)];
    default: {
      const shown = { Type: type, KubeConfigFile: kubeConfigFile ?? null };
      // Upstream shows the whole struct where it means the type.
      return [notSupported(at.child('type'), shown, ['InClusterConfig', 'KubeConfigFile'])];
    }
  }
}

function fileErrors(path: string, at: FieldPath): FieldError[] {
  if (!isAbsolute(path)) return [invalidValue(at, path, 'must be an absolute path')];
  try {
    return statSync(path).isFile() ? [] : [invalidValue(at, path, 'must be a regular file')];
  } catch (error) {
    return [invalidValue(at, path, `error loading file: ${goFileError(error, path, 'stat')}`)];
  }
}

function conditionErrors(conditions: readonly string[], at: FieldPath, compiler: MatchConditionCompiler): FieldError[] {
  if (conditions.length > maxConditions) return [tooMany(at, conditions.length, maxConditions)];
  const seen = new Set<string>();
  return conditions.flatMap((text, index) => {
    const path = at.index(index).child('expression');
    if (text.trim() === '') return [required(path)];
    if (seen.has(text)) return [duplicate(path, text)];
    seen.add(text);
    const compiled = compiler.compile(text);
    return 'error' in compiled ? [invalidValue(path, text, compiled.error)] : [];
  });
}
