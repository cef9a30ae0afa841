/**
 * What controllers of pods have in common: selectors, templates, rolling updates, counts in their status.
 * Upstream: pkg/apis/apps/validation/validation.go.
 */
import {
  append,
  type FieldError,
  FieldPath,
  forbiddenField,
  InputError,
  invalidValue,
  isValidPercent,
  type LabelSelector,
  type LabelsSelector,
  labelSelectorAsSelector,
  notSupported,
  required,
  validateLabelSelector,
} from '#apimachinery';
import type { RuleContext } from '../kind.ts';
import type { PodSpec, PodTemplateSpec } from '../types.ts';
import { checkNonnegative, type Errors } from './common.ts';
import { shownSelector, sortedMap } from './internal-value.ts';
import { ratchetPodSpec } from './pod-specs.ts';
import { checkPodTemplate } from './pod-templates.ts';

/** The parsed selector; undefined when it cannot be parsed. */
export function parseSelector(selector: LabelSelector | undefined): LabelsSelector | undefined {
  try {
    return labelSelectorAsSelector(selector);
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

const isEmptySelector = (selector: LabelSelector): boolean =>
  Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions?.length ?? 0) === 0;

/** A selector that must be there and select something; `owner` is the word in upstream's text. */
export function checkRequiredSelector(
  errors: Errors,
  path: FieldPath,
  selector: LabelSelector | undefined,
  owner: string,
): void {
  if (!selector) {
    errors.push(required(path));
    return;
  }
  append(errors, validateLabelSelector(selector, path));
  if (isEmptySelector(selector)) {
    errors.push(invalidValue(path, shownSelector(selector), `empty selector is invalid for ${owner}`));
  }
}

/** The template's labels must be what the selector asks for. */
export function checkSelectorMatches(
  errors: Errors,
  path: FieldPath,
  selector: LabelsSelector,
  template: PodTemplateSpec | undefined,
): void {
  const labels = template?.metadata?.labels;
  if (selector.matches(labels)) return;
  const at = path.child('metadata', 'labels');
  errors.push(invalidValue(at, labels ? sortedMap(labels) : null, '`selector` does not match template `labels`'));
}

interface TemplateContext {
  readonly old?: PodTemplateSpec | undefined;
  readonly context: RuleContext;
}

/** A template as such, with what an old one may keep. */
export function checkTemplate(
  errors: Errors,
  path: FieldPath,
  template: PodTemplateSpec | undefined,
  { old, context }: TemplateContext,
): void {
  checkPodTemplate(errors, path, template, {
    ...ratchetPodSpec(old?.spec),
    allowPrivileged: context.config.allowPrivileged,
  });
}

/** Pods of these kinds run for ever; `kind` is the word in upstream's text. */
export function checkRunsForever(
  errors: Errors,
  path: FieldPath,
  template: PodTemplateSpec | undefined,
  kind: string,
): void {
  const spec = template?.spec ?? ({} as PodSpec);
  if (spec.restartPolicy !== 'Always') {
    errors.push(notSupported(path.child('spec', 'restartPolicy'), spec.restartPolicy ?? '', ['Always']));
  }
  if (spec.activeDeadlineSeconds !== undefined) {
    const text = `activeDeadlineSeconds in ${kind} is not Supported`;
    errors.push(forbiddenField(path.child('spec', 'activeDeadlineSeconds'), text));
  }
}

export type IntOrPercent = number | string;

export function checkIntOrPercent(errors: Errors, path: FieldPath, value: IntOrPercent): void {
  if (typeof value === 'number') checkNonnegative(errors, path, value);
  else for (const text of isValidPercent(value)) errors.push(invalidValue(path, value, text));
}

function percentOf(value: IntOrPercent): number | undefined {
  return typeof value === 'string' && isValidPercent(value).length === 0 ? Number(value.slice(0, -1)) : undefined;
}

/** The number, or the number of percents; text that is neither counts as Go's Atoi reads it. */
export function intOrPercentValue(value: IntOrPercent): number {
  if (typeof value === 'number') return value;
  return percentOf(value) ?? (/^[+-]?[0-9]+$/.test(value) ? Number(value) : 0);
}

export function checkAtMostAll(errors: Errors, path: FieldPath, value: IntOrPercent): void {
  if ((percentOf(value) ?? 0) > 100) errors.push(invalidValue(path, value, 'must not be greater than 100%'));
}

type Counts = Readonly<Record<string, unknown>>;

const statusPath = FieldPath.of('status');

/** Numbers of a status that may not be negative. */
export function statusCounts(status: object | undefined, names: readonly string[]): FieldError[] {
  const errors: Errors = [];
  for (const name of names) {
    const value = (status as Counts | undefined)?.[name];
    if (value !== undefined) checkNonnegative(errors, statusPath.child(name), Number(value));
  }
  return errors;
}

/** Numbers of a status that may not exceed another one. */
export function statusBounds(
  status: object | undefined,
  names: readonly string[],
  bound: string,
  text: string,
): FieldError[] {
  const counts = (status ?? {}) as Counts;
  const limit = Number(counts[bound] ?? 0);
  return names
    .filter(name => Number(counts[name] ?? 0) > limit)
    .map(name => invalidValue(statusPath.child(name), counts[name] ?? 0, text));
}

const replicaCounts: readonly string[] = [
  ...['replicas', 'fullyLabeledReplicas', 'readyReplicas', 'availableReplicas', 'observedGeneration'],
  'terminatingReplicas',
];

/** The status of what keeps so many pods: ReplicaSets and ReplicationControllers. */
export function checkReplicaStatus(status: object | undefined): FieldError[] {
  const within = ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'];
  return [
    ...statusCounts(status, replicaCounts),
    ...statusBounds(status, within, 'replicas', 'cannot be greater than status.replicas'),
    ...statusBounds(status, ['availableReplicas'], 'readyReplicas', 'cannot be greater than readyReplicas'),
  ];
}

/** A collision count only rises. */
export function collisionCountFalls(
  status: { readonly collisionCount?: number } | undefined,
  old: { readonly collisionCount?: number } | undefined,
): FieldError[] {
  const now = status?.collisionCount;
  const before = old?.collisionCount;
  if (before === undefined || (now !== undefined && now >= before)) return [];
  return [invalidValue(statusPath.child('collisionCount'), now ?? 0, 'cannot be decremented')];
}

interface Replicated {
  readonly selector?: LabelSelector;
  readonly template?: PodTemplateSpec;
}

/** Selector and template of deployments and replica sets, in whose texts both are called deployment. */
export function checkReplicated(errors: Errors, path: FieldPath, own: Replicated, context: TemplateContext): void {
  const selectorPath = path.child('selector');
  checkRequiredSelector(errors, selectorPath, own.selector, 'deployment');
  const selector = parseSelector(own.selector);
  const template = path.child('template');
  if (selector) {
    if (!selector.isEmpty) checkSelectorMatches(errors, template, selector, own.template);
    checkTemplate(errors, template, own.template, context);
    checkRunsForever(errors, template, own.template, 'ReplicaSet');
  } else errors.push(invalidValue(selectorPath, shownSelector(own.selector), 'invalid label selector'));
}
