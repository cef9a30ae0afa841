/** Webhook configurations, mutating and validating. Upstream: pkg/apis/admissionregistration/validation/validation.go. */
import {
  append,
  type Draft,
  duplicate,
  type FieldError,
  FieldPath,
  invalidValue,
  isDNS1035Label,
  isFullyQualifiedName,
  notSupported,
  required,
  semanticEqual,
  validateLabelSelector,
} from '#apimachinery';
import type { MutatingWebhook, ValidatingWebhook } from '../types.ts';
import { checkMatchConditions, checkRule, failurePolicies, matchPolicies, ruleDefaults } from './admission-rules.ts';
import { type Errors, refuseEach } from './common.ts';
import { checkClientConfig } from './webhooks.ts';

type Webhook = ValidatingWebhook | MutatingWebhook;

const reviewVersions = ['v1', 'v1beta1'];
const quiet = ['None', 'NoneOnDryRun'];

interface Options {
  readonly ignoreConditions: boolean;
  readonly needQuiet: boolean;
  readonly needKnownVersion: boolean;
  readonly needUnique: boolean;
  readonly lenient: { readonly allowInvalidLabelValueInSelector: boolean };
}

function checkVersions(errors: Errors, path: FieldPath, versions: readonly string[], needKnown: boolean): void {
  const list = reviewVersions.join(', ');
  if (versions.length === 0) {
    errors.push(required(path, `must specify one of ${list}`));
    return;
  }
  versions.forEach((version, i) => {
    if (versions.indexOf(version) < i) errors.push(invalidValue(path.index(i), version, 'duplicate version'));
    else refuseEach(errors, path.index(i), version, isDNS1035Label(version));
  });
  if (needKnown && !versions.some(version => reviewVersions.includes(version))) {
    errors.push(invalidValue(path, versions, `must include at least one of ${list}`));
  }
}

function checkOptional(errors: Errors, path: FieldPath, value: string | undefined, supported: readonly string[]): void {
  if (value !== undefined && !supported.includes(value)) errors.push(notSupported(path, value, supported));
}

function checkWebhook(errors: Errors, path: FieldPath, hook: Webhook, options: Options): void {
  append(errors, isFullyQualifiedName(path.child('name'), hook.name ?? ''));
  hook.rules?.forEach((rule, i) => {
    checkRule(errors, path.child('rules').index(i), rule);
  });
  checkOptional(errors, path.child('failurePolicy'), hook.failurePolicy, failurePolicies);
  checkOptional(errors, path.child('matchPolicy'), hook.matchPolicy, matchPolicies);
  const allowed = options.needQuiet ? quiet : ['None', 'NoneOnDryRun', 'Some', 'Unknown'];
  if (hook.sideEffects === undefined) {
    errors.push(required(path.child('sideEffects'), `must specify one of ${allowed.join(', ')}`));
  } else checkOptional(errors, path.child('sideEffects'), hook.sideEffects, allowed);
  const timeout = hook.timeoutSeconds;
  if (timeout !== undefined && (timeout > 30 || timeout < 1)) {
    const text = 'the timeout value must be between 1 and 30 seconds';
    errors.push(invalidValue(path.child('timeoutSeconds'), timeout, text));
  }
  for (const name of ['namespaceSelector', 'objectSelector'] as const) {
    append(errors, validateLabelSelector(hook[name], path.child(name), options.lenient));
  }
  if ('reinvocationPolicy' in hook) {
    checkOptional(errors, path.child('reinvocationPolicy'), hook.reinvocationPolicy, ['IfNeeded', 'Never']);
  }
  const config = hook.clientConfig ?? {};
  checkClientConfig(errors, path.child('clientConfig'), config, 'exactly one of url or service is required');
  if (!options.ignoreConditions) checkMatchConditions(errors, path.child('matchConditions'), hook.matchConditions);
}

const strict: Options = {
  ignoreConditions: false,
  needQuiet: true,
  needKnownVersion: true,
  needUnique: true,
  lenient: { allowInvalidLabelValueInSelector: false },
};

/** What the old configuration already breaks may stay broken. */
function optionsFor(now: readonly Webhook[], old: readonly Webhook[]): Options {
  const names = old.map(hook => hook.name);
  const conditions = (hooks: readonly Webhook[]): unknown[] => hooks.map(hook => hook.matchConditions ?? []);
  const known = (hook: Webhook): boolean => (hook.admissionReviewVersions ?? []).some(v => reviewVersions.includes(v));
  const invalid = (hook: Webhook): boolean =>
    [hook.namespaceSelector, hook.objectSelector].some(s => validateLabelSelector(s, FieldPath.root).length > 0);
  return {
    ignoreConditions: now.length === old.length && semanticEqual(conditions(now), conditions(old)),
    needQuiet: old.every(hook => quiet.includes(hook.sideEffects)),
    needKnownVersion: old.every(hook => known(hook) || !hook.admissionReviewVersions?.length),
    needUnique: new Set(names).size === names.length,
    lenient: { allowInvalidLabelValueInSelector: old.some(invalid) },
  };
}

export function validateWebhooks(hooks: readonly Webhook[] = [], old: readonly Webhook[] | undefined): FieldError[] {
  const errors: Errors = [];
  const options = old ? optionsFor(hooks, old) : strict;
  const seen = new Set<string>();
  hooks.forEach((hook, i) => {
    const at = FieldPath.of('webhooks').index(i);
    checkWebhook(errors, at, hook, options);
    const versions = hook.admissionReviewVersions ?? [];
    checkVersions(errors, at.child('admissionReviewVersions'), versions, options.needKnownVersion);
    if (!options.needUnique || !hook.name) return;
    if (seen.has(hook.name)) errors.push(duplicate(at.child('name'), hook.name));
    seen.add(hook.name);
  });
  return errors;
}

export function webhookDefaults(hooks: Draft<Webhook>[] | undefined): void {
  for (const hook of hooks ?? []) {
    hook.failurePolicy ??= 'Fail';
    hook.matchPolicy ??= 'Equivalent';
    hook.namespaceSelector ??= {};
    hook.objectSelector ??= {};
    hook.timeoutSeconds ??= 10;
    ruleDefaults(hook.rules);
    if (hook.clientConfig?.service) hook.clientConfig.service.port ??= 443;
  }
}
