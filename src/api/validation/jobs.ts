/** Specs of Jobs, alone and in CronJobs. Upstream: pkg/apis/batch/validation/validation.go. */
import {
  append,
  byteLength,
  duplicate,
  type FieldPath,
  goQuote,
  invalidValue,
  isDomainPrefixedPath,
  notSupported,
  required,
  tooLong,
  tooMany,
} from '#apimachinery';
import type { RuleContext } from '../kind.ts';
import type {
  JobSpec,
  PodFailurePolicyOnExitCodesRequirement,
  PodFailurePolicyRule,
  PodTemplateSpec,
  SuccessPolicyRule,
} from '../types.ts';
import { checkNonnegative, checkQualifiedName, type Errors } from './common.ts';
import { invalidInternal } from './internal-value.ts';
import { checkTemplate } from './workloads.ts';

/** A refusal without the value. */
export function refuse(errors: Errors, path: FieldPath, text: string): void {
  errors.push({ type: 'FieldValueInvalid', field: path.toString(), body: `Invalid value: ${text}` });
}

/** Go's `%q` of a list. */
const quoted = (values: readonly string[]): string => `[${values.map(goQuote).join(' ')}]`;

function checkEnum(errors: Errors, path: FieldPath, value: string, supported: readonly string[]): void {
  if (!value) errors.push(required(path, `valid values: ${quoted(supported)}`));
  else if (!supported.includes(value)) errors.push(notSupported(path, value, supported));
}

function checkExitCodes(
  errors: Errors,
  path: FieldPath,
  requirement: PodFailurePolicyOnExitCodesRequirement,
  containers: ReadonlySet<string>,
): void {
  const { operator = '', containerName, values = [] } = requirement;
  checkEnum(errors, path.child('operator'), operator, ['In', 'NotIn']);
  if (containerName !== undefined && !containers.has(containerName)) {
    const text = 'must be one of the container or initContainer names in the pod template';
    errors.push(invalidValue(path.child('containerName'), containerName, text));
  }
  const at = path.child('values');
  if (values.length === 0) errors.push(invalidValue(at, requirement.values ?? null, 'at least one value is required'));
  else if (values.length > 255) errors.push(tooMany(at, values.length, 255));
  const seen = new Set<number>();
  values.forEach((value, i) => {
    if (operator === 'In' && value === 0) {
      errors.push(invalidValue(at.index(i), value, 'must not be 0 for the In operator'));
    }
    if (seen.has(value)) errors.push(duplicate(at.index(i), value));
    seen.add(value);
  });
  if (values.some((value, i) => i > 0 && values[i - 1]! > value)) {
    errors.push(invalidValue(at, values, 'must be ordered'));
  }
}

const actions = ['Count', 'FailIndex', 'FailJob', 'Ignore'];

function checkFailureRule(
  errors: Errors,
  path: FieldPath,
  rule: PodFailurePolicyRule,
  spec: JobSpec,
  containers: ReadonlySet<string>,
): void {
  const { action = '', onExitCodes, onPodConditions = [] } = rule;
  if (action === 'FailIndex') {
    const text = 'requires the backoffLimitPerIndex to be set';
    if (spec.backoffLimitPerIndex === undefined) errors.push(invalidValue(path.child('action'), action, text));
  } else checkEnum(errors, path.child('action'), action, actions);
  if (onExitCodes) checkExitCodes(errors, path.child('onExitCodes'), onExitCodes, containers);
  const at = path.child('onPodConditions');
  if (onPodConditions.length > 20) errors.push(tooMany(at, onPodConditions.length, 20));
  onPodConditions.forEach((pattern, i) => {
    checkQualifiedName(errors, at.index(i).child('type'), pattern.type ?? '');
    checkEnum(errors, at.index(i).child('status'), pattern.status ?? '', ['False', 'True', 'Unknown']);
  });
  if (onExitCodes && onPodConditions.length > 0) {
    refuse(errors, path, 'specifying both OnExitCodes and OnPodConditions is not supported');
  }
  if (!onExitCodes && onPodConditions.length === 0) {
    refuse(errors, path, 'specifying one of OnExitCodes and OnPodConditions is required');
  }
}

function checkFailurePolicy(errors: Errors, path: FieldPath, spec: JobSpec): void {
  const rules = spec.podFailurePolicy?.rules ?? [];
  const at = path.child('rules');
  if (rules.length > 20) errors.push(tooMany(at, rules.length, 20));
  const own = spec.template?.spec;
  const names = new Set([...(own?.containers ?? []), ...(own?.initContainers ?? [])].map(each => each.name));
  rules.forEach((rule, i) => {
    checkFailureRule(errors, at.index(i), rule, spec, names);
  });
}

function parseIndex(text: string, completions: number): number | string {
  if (!/^[+-]?[0-9]+$/.test(text)) return `cannot convert string to integer for index: ${goQuote(text)}`;
  return Number(text) >= completions ? `too large index: ${goQuote(text)}` : Number(text);
}

/** How many indexes `0,2-4` names, or why it is no such text. */
function countIndexes(text: string, completions: number): number | string {
  if (text === '') return 0;
  let last = -1;
  let any = false;
  let total = 0;
  for (const interval of text.split(',')) {
    const limits = interval.split('-');
    if (limits.length > 2) {
      return `the fragment ${goQuote(interval)} violates the requirement that an index interval can have at most two parts separated by '-'`;
    }
    const x = parseIndex(limits[0]!, completions);
    if (typeof x === 'string') return x;
    const y = limits.length === 2 ? parseIndex(limits[1]!, completions) : x;
    if (typeof y === 'string') return y;
    if (limits.length === 2 && x >= y) return `non-increasing order, previous: ${x}, current: ${y}`;
    if (any && last >= x) return `non-increasing order, previous: ${last}, current: ${x}`;
    any = true;
    last = y;
    total += y - x + 1;
  }
  return total;
}

function checkSuccessRule(errors: Errors, path: FieldPath, rule: SuccessPolicyRule, completions: number): void {
  const { succeededCount: count, succeededIndexes: indexes } = rule;
  if (count === undefined && indexes === undefined) {
    errors.push(required(path, 'at least one of succeededCount or succeededIndexes must be specified'));
  }
  let total = 0;
  if (indexes !== undefined) {
    const at = path.child('succeededIndexes');
    if (byteLength(indexes) > 64 * 1024) errors.push(tooLong(at, 64 * 1024));
    const counted = countIndexes(indexes, completions);
    if (typeof counted === 'number') total = counted;
    else errors.push(invalidValue(at, indexes, `error parsing succeededIndexes: ${counted}`));
  }
  if (count === undefined) return;
  const at = path.child('succeededCount');
  checkNonnegative(errors, at, count);
  const bound = (most: number, what: string): void => {
    if (count > most) errors.push(invalidValue(at, count, `must be less than or equal to ${most} (${what})`));
  };
  bound(completions, 'the number of specified completions');
  if (indexes !== undefined) bound(total, 'the number of indexes in the specified succeededIndexes field');
}

function checkSuccessPolicy(errors: Errors, path: FieldPath, spec: JobSpec): void {
  const policy = spec.successPolicy;
  if (!policy) return;
  if (spec.completionMode !== 'Indexed') {
    errors.push(invalidInternal(path, 'batch.SuccessPolicy', policy, 'requires indexed completion mode'));
    return;
  }
  const rules = policy.rules ?? [];
  const at = path.child('rules');
  if (rules.length === 0) {
    errors.push(required(at, 'at least one rules must be specified when the successPolicy is specified'));
  }
  if (rules.length > 20) errors.push(tooMany(at, rules.length, 20));
  rules.forEach((rule, i) => {
    checkSuccessRule(errors, at.index(i), rule, spec.completions ?? 0);
  });
}

const many = 100_000;
const few = 10_000;

function checkIndexed(errors: Errors, path: FieldPath, spec: JobSpec): void {
  const { completions, parallelism, maxFailedIndexes: failed, backoffLimitPerIndex } = spec;
  const parallelPath = path.child('parallelism');
  const failedPath = path.child('maxFailedIndexes');
  if (completions === undefined) errors.push(required(path.child('completions'), 'when completion mode is Indexed'));
  if (parallelism !== undefined && parallelism > many) {
    const text = `must be less than or equal to ${many} when completion mode is Indexed`;
    errors.push(invalidValue(parallelPath, parallelism, text));
  }
  if (completions !== undefined && failed !== undefined && failed > completions) {
    errors.push(invalidValue(failedPath, failed, 'must be less than or equal to completions'));
  }
  if (failed !== undefined && failed > many) {
    errors.push(invalidValue(failedPath, failed, `must be less than or equal to ${many}`));
  }
  if (completions === undefined || completions <= many || backoffLimitPerIndex === undefined) return;
  if (failed === undefined) errors.push(required(failedPath, `must be specified when completions is above ${many}`));
  const text = `must be less than or equal to ${few} when completions are above ${many} and used with backoff limit per index`;
  if (parallelism !== undefined && parallelism > few) errors.push(invalidValue(parallelPath, parallelism, text));
  if (failed !== undefined && failed > few) errors.push(invalidValue(failedPath, failed, text));
}

function checkMode(errors: Errors, path: FieldPath, spec: JobSpec): void {
  const mode = spec.completionMode;
  const modes = ['NonIndexed', 'Indexed'];
  if (mode !== undefined && !modes.includes(mode)) {
    errors.push(notSupported(path.child('completionMode'), mode, modes));
  }
  if (mode === 'Indexed') checkIndexed(errors, path, spec);
  if (mode !== undefined && mode !== 'NonIndexed') return;
  for (const name of ['backoffLimitPerIndex', 'maxFailedIndexes'] as const) {
    const value = spec[name];
    if (value !== undefined) errors.push(invalidValue(path.child(name), value, 'requires indexed completion mode'));
  }
}

function checkReplacement(errors: Errors, path: FieldPath, spec: JobSpec): void {
  const policy = spec.podReplacementPolicy;
  if (policy === undefined) return;
  const supported = spec.podFailurePolicy ? ['Failed'] : ['Failed', 'TerminatingOrFailed'];
  if (!supported.includes(policy)) errors.push(notSupported(path, policy, supported));
}

function checkRestart(errors: Errors, path: FieldPath, spec: JobSpec): void {
  const policy = spec.template?.spec?.restartPolicy ?? '';
  const at = path.child('template', 'spec', 'restartPolicy');
  if (policy === 'Always' || policy === '') errors.push(required(at, 'valid values: "OnFailure", "Never"'));
  else if (policy !== 'OnFailure' && policy !== 'Never') errors.push(notSupported(at, policy, ['OnFailure', 'Never']));
  else if (spec.podFailurePolicy && policy !== 'Never') {
    errors.push(invalidValue(at, policy, 'only "Never" is supported when podFailurePolicy is specified'));
  }
}

const counts = [
  ...(['parallelism', 'completions', 'activeDeadlineSeconds', 'backoffLimit'] as const),
  ...(['ttlSecondsAfterFinished', 'backoffLimitPerIndex', 'maxFailedIndexes'] as const),
];

/** The spec without its selector. */
export function checkJobSpec(
  errors: Errors,
  path: FieldPath,
  spec: JobSpec,
  options: { old?: PodTemplateSpec | undefined; context: RuleContext },
): void {
  for (const name of counts) checkNonnegative(errors, path.child(name), Number(spec[name] ?? 0));
  if (spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined) {
    errors.push(required(path.child('backoffLimitPerIndex'), 'when maxFailedIndexes is specified'));
  }
  const { managedBy } = spec;
  if (managedBy !== undefined) {
    append(errors, isDomainPrefixedPath(path.child('managedBy'), managedBy));
    if (byteLength(managedBy) > 63) errors.push(tooLong(path.child('managedBy'), 63));
  }
  checkMode(errors, path, spec);
  if (spec.podFailurePolicy) checkFailurePolicy(errors, path.child('podFailurePolicy'), spec);
  checkSuccessPolicy(errors, path.child('successPolicy'), spec);
  checkReplacement(errors, path.child('podReplacementPolicy'), spec);
  checkTemplate(errors, path.child('template'), spec.template, options);
  checkRestart(errors, path, spec);
}
