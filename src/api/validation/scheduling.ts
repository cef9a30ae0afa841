/**
 * Where pods may run: node selectors, affinity, tolerations, taints, topology spread.
 * Upstream: pkg/apis/core/validation (ValidateNodeSelector, validateAffinity, ValidateTolerations …).
 */
import {
  append,
  duplicate,
  type FieldPath,
  forbiddenField,
  invalidValue,
  isLabelValue,
  type LabelSelector,
  nameIsDNSLabel,
  nameIsDNSSubdomain,
  notSupported,
  required,
  validateLabelName,
  validateLabelSelector,
} from '#apimachinery';
import type {
  Affinity,
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinityTerm,
  Taint,
  Toleration,
  TopologySpreadConstraint,
} from '../types.ts';
import { checkPositive, checkSupported, type Errors, refuseEach } from './common.ts';
import { invalidInternal } from './internal-value.ts';

export interface SelectorOptions {
  /** The old object has label values that no label can have. */
  readonly allowInvalidValues?: boolean;
}

function checkNodeRequirement(
  errors: Errors,
  path: FieldPath,
  requirement: NodeSelectorRequirement,
  options: SelectorOptions,
): void {
  const { key = '', operator = '', values = [] } = requirement;
  const at = path.child('values');
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length === 0) errors.push(required(at, "must be specified when `operator` is 'In' or 'NotIn'"));
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    const text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
    if (values.length > 0) errors.push(forbiddenField(at, text));
  } else if (operator === 'Gt' || operator === 'Lt') {
    const text = "must be specified single value when `operator` is 'Lt' or 'Gt'";
    if (values.length !== 1) errors.push(required(at, text));
  } else errors.push(invalidValue(path.child('operator'), operator, 'not a valid selector operator'));
  append(errors, validateLabelName(key, path.child('key')));
  if (options.allowInvalidValues) return;
  values.forEach((value, i) => {
    refuseEach(errors, at.index(i), value, isLabelValue(value));
  });
}

function checkNodeField(errors: Errors, path: FieldPath, requirement: NodeSelectorRequirement): void {
  const { key = '', operator = '', values = [] } = requirement;
  if (operator === 'In' || operator === 'NotIn') {
    const text = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
    if (values.length !== 1) errors.push(required(path.child('values'), text));
  } else errors.push(invalidValue(path.child('operator'), operator, 'not a valid selector operator'));
  if (key !== 'metadata.name') {
    errors.push(invalidValue(path.child('key'), key, 'not a valid field selector key'));
    return;
  }
  values.forEach((value, i) => {
    refuseEach(errors, path.child('values').index(i), value, nameIsDNSSubdomain(value, false));
  });
}

function checkTerm(errors: Errors, path: FieldPath, term: NodeSelectorTerm, options: SelectorOptions): void {
  term.matchExpressions?.forEach((requirement, i) => {
    checkNodeRequirement(errors, path.child('matchExpressions').index(i), requirement, options);
  });
  term.matchFields?.forEach((requirement, i) => {
    checkNodeField(errors, path.child('matchFields').index(i), requirement);
  });
}

export function checkNodeSelector(
  errors: Errors,
  path: FieldPath,
  selector: NodeSelector,
  options: SelectorOptions = {},
): void {
  const at = path.child('nodeSelectorTerms');
  const terms = selector.nodeSelectorTerms ?? [];
  if (terms.length === 0) errors.push(required(at, 'must have at least one node selector term'));
  terms.forEach((term, i) => {
    checkTerm(errors, at.index(i), term, options);
  });
}

function checkLabelKeys(
  errors: Errors,
  path: FieldPath,
  keys: readonly string[],
  selector: LabelSelector | undefined,
): void {
  if (keys.length === 0) return;
  if (!selector) {
    errors.push(forbiddenField(path, 'must not be specified when labelSelector is not set'));
    return;
  }
  keys.forEach((key, i) => {
    append(errors, validateLabelName(key, path.index(i)));
  });
}

interface KeyedTerm {
  readonly matchLabelKeys?: readonly string[];
  readonly mismatchLabelKeys?: readonly string[];
  readonly labelSelector?: LabelSelector;
}

/** Keys whose values come from the pod itself; the selector holds them once they were merged. */
function checkMatchLabelKeys(errors: Errors, path: FieldPath, term: KeyedTerm): void {
  const { matchLabelKeys: match = [], mismatchLabelKeys: mismatch = [], labelSelector: selector } = term;
  checkLabelKeys(errors, path.child('matchLabelKeys'), match, selector);
  checkLabelKeys(errors, path.child('mismatchLabelKeys'), mismatch, selector);
  if (selector) {
    const seen = new Set(Object.keys(selector.matchLabels ?? {}));
    for (const { key } of selector.matchExpressions ?? []) {
      const i = match.lastIndexOf(key);
      if (i >= 0 && seen.has(key)) {
        errors.push(invalidValue(path.index(i), key, 'exists in both matchLabelKeys and labelSelector'));
      }
      seen.add(key);
    }
  }
  match.forEach((key, i) => {
    if (!mismatch.includes(key)) return;
    const at = path.child('matchLabelKeys').index(i);
    errors.push(invalidValue(at, key, 'exists in both matchLabelKeys and mismatchLabelKeys'));
  });
}

function checkPodTerm(errors: Errors, path: FieldPath, term: PodAffinityTerm, options: SelectorOptions): void {
  const lenient = { allowInvalidLabelValueInSelector: options.allowInvalidValues ?? false };
  append(errors, validateLabelSelector(term.labelSelector, path.child('labelSelector'), lenient));
  append(errors, validateLabelSelector(term.namespaceSelector, path.child('namespaceSelector'), lenient));
  for (const name of term.namespaces ?? []) {
    refuseEach(errors, path.child('namespace'), name, nameIsDNSLabel(name, false));
  }
  checkMatchLabelKeys(errors, path, term);
  const { topologyKey = '' } = term;
  const at = path.child('topologyKey');
  if (!topologyKey) errors.push(required(at, 'can not be empty'));
  append(errors, validateLabelName(topologyKey, at));
}

function checkWeight(errors: Errors, path: FieldPath, weight = 0): void {
  if (weight <= 0 || weight > 100) errors.push(invalidValue(path, weight, 'must be in the range 1-100'));
}

const hard = 'requiredDuringSchedulingIgnoredDuringExecution';
const soft = 'preferredDuringSchedulingIgnoredDuringExecution';

export function checkAffinity(
  errors: Errors,
  path: FieldPath,
  affinity: Affinity | undefined,
  options: { selectors?: SelectorOptions; nodes?: SelectorOptions } = {},
): void {
  if (!affinity) return;
  const nodePath = path.child('nodeAffinity');
  const needed = affinity.nodeAffinity?.[hard];
  if (needed) checkNodeSelector(errors, nodePath.child(hard), needed, options.nodes);
  affinity.nodeAffinity?.[soft]?.forEach((term, i) => {
    const at = nodePath.child(soft).index(i);
    checkWeight(errors, at.child('weight'), term.weight);
    checkTerm(errors, at.child('preference'), term.preference ?? {}, { allowInvalidValues: true });
  });
  for (const kind of ['podAffinity', 'podAntiAffinity'] as const) {
    affinity[kind]?.[hard]?.forEach((term, i) => {
      checkPodTerm(errors, path.child(kind, hard).index(i), term, options.selectors ?? {});
    });
    affinity[kind]?.[soft]?.forEach((term, i) => {
      const at = path.child(kind, soft).index(i);
      checkWeight(errors, at.child('weight'), term.weight);
      checkPodTerm(errors, at.child('podAffinityTerm'), term.podAffinityTerm ?? {}, options.selectors ?? {});
    });
  }
}

const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

export function checkTolerations(errors: Errors, path: FieldPath, tolerations: readonly Toleration[] = []): void {
  tolerations.forEach((toleration, i) => {
    const at = path.index(i);
    const { key = '', operator = '', value = '', effect = '' } = toleration;
    const operatorPath = at.child('operator');
    if (key) append(errors, validateLabelName(key, at.child('key')));
    else if (operator !== 'Exists') {
      const text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"';
      errors.push(invalidValue(operatorPath, operator, text));
    }
    if (toleration.tolerationSeconds !== undefined && effect !== 'NoExecute') {
      const text = "effect must be 'NoExecute' when `tolerationSeconds` is set";
      errors.push(invalidValue(at.child('effect'), effect, text));
    }
    if (operator === 'Equal' || operator === '') {
      const texts = isLabelValue(value);
      if (texts.length > 0) errors.push(invalidValue(operatorPath, value, texts.join(';')));
    } else if (operator === 'Exists') {
      const text = "value must be empty when `operator` is 'Exists'";
      if (value) errors.push(invalidValue(operatorPath, value, text));
    } else {
      const comparing = operator === 'Lt' || operator === 'Gt' ? ['Lt', 'Gt'] : [];
      errors.push(notSupported(operatorPath, operator, ['Equal', 'Exists', ...comparing]));
    }
    if (effect) checkSupported(errors, at.child('effect'), effect, effects);
  });
}

export function checkTaints(errors: Errors, path: FieldPath, taints: readonly Taint[] = []): void {
  const seen = new Set<string>();
  taints.forEach((taint, i) => {
    const at = path.index(i);
    const { key = '', value = '', effect = '' } = taint;
    append(errors, validateLabelName(key, at.child('key')));
    const texts = isLabelValue(value);
    if (texts.length > 0) errors.push(invalidValue(at.child('value'), value, texts.join(';')));
    if (!effect) errors.push(required(at.child('effect')));
    else checkSupported(errors, at.child('effect'), effect, effects);
    const pair = `${effect}\0${key}`;
    if (seen.has(pair)) {
      const text = 'taints must be unique by key and effect pair';
      const shown = invalidInternal(at, 'core.Taint', taint, text);
      errors.push({ ...shown, type: 'FieldValueDuplicate', body: shown.body.replace('Invalid', 'Duplicate') });
    }
    seen.add(pair);
  });
}

const actions = ['DoNotSchedule', 'ScheduleAnyway'];

function checkConstraint(
  errors: Errors,
  at: FieldPath,
  constraint: TopologySpreadConstraint,
  later: readonly TopologySpreadConstraint[],
): void {
  const { topologyKey = '', whenUnsatisfiable: action = '', minDomains } = constraint;
  checkPositive(errors, at.child('maxSkew'), constraint.maxSkew);
  if (!topologyKey) errors.push(required(at.child('topologyKey'), 'can not be empty'));
  checkSupported(errors, at.child('whenUnsatisfiable'), action, actions);
  if (later.some(each => (each.topologyKey ?? '') === topologyKey && (each.whenUnsatisfiable ?? '') === action)) {
    errors.push(duplicate(at.child('{topologyKey, whenUnsatisfiable}'), `{${topologyKey}, ${action}}`));
  }
  if (minDomains !== undefined) {
    checkPositive(errors, at.child('minDomains'), minDomains);
    if (action !== 'DoNotSchedule') {
      const text = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${action}`;
      errors.push(invalidValue(at.child('minDomains'), minDomains, text));
    }
  }
  for (const name of ['nodeAffinityPolicy', 'nodeTaintsPolicy'] as const) {
    const policy = constraint[name];
    if (policy !== undefined) checkSupported(errors, at.child(name), policy, ['Honor', 'Ignore']);
  }
}

/** The keys as they are judged before they were merged into the selector. */
function checkUnmergedKeys(errors: Errors, path: FieldPath, constraint: TopologySpreadConstraint): void {
  const { matchLabelKeys: keys = [], labelSelector: selector } = constraint;
  if (keys.length === 0) return;
  if (!selector) errors.push(forbiddenField(path, 'must not be specified when labelSelector is not set'));
  const used = new Set([
    ...Object.keys(selector?.matchLabels ?? {}),
    ...(selector?.matchExpressions ?? []).map(({ key }) => key),
  ]);
  keys.forEach((key, i) => {
    append(errors, validateLabelName(key, path.index(i)));
    if (!used.has(key)) return;
    errors.push(invalidValue(path.index(i), key, 'exists in both matchLabelKeys and labelSelector'));
  });
}

export function checkTopologySpread(
  errors: Errors,
  path: FieldPath,
  constraints: readonly TopologySpreadConstraint[] = [],
  options: { allowInvalidSelector?: boolean; unmergedKeys?: boolean } = {},
): void {
  constraints.forEach((constraint, i) => {
    const at = path.index(i);
    checkConstraint(errors, at, constraint, constraints.slice(i + 1));
    if (options.unmergedKeys) checkUnmergedKeys(errors, at.child('matchLabelKeys'), constraint);
    else checkMatchLabelKeys(errors, at, constraint);
    if (options.allowInvalidSelector) return;
    append(errors, validateLabelSelector(constraint.labelSelector, at.child('labelSelector')));
  });
}
