/** Roles and their bindings. Upstream: pkg/apis/rbac/validation/validation.go. */
import {
  type Draft,
  type FieldError,
  FieldPath,
  invalidValue,
  isPathSegmentName,
  nameIsDNSSubdomain,
  notSupported,
  required,
} from '#apimachinery';
import type { PolicyRule, RoleRef, Subject } from '../types.ts';
import { type Errors, refuseEach, requireText } from './common.ts';
import { internalValue } from './internal-value.ts';

const group = 'rbac.authorization.k8s.io';

export function policyRules(rules: readonly PolicyRule[] = [], namespaced: boolean): FieldError[] {
  const errors: Errors = [];
  rules.forEach((rule, i) => {
    checkRule(errors, FieldPath.of('rules').index(i), rule, namespaced);
  });
  return errors;
}

function checkRule(errors: Errors, path: FieldPath, rule: PolicyRule, namespaced: boolean): void {
  const { verbs = [], nonResourceURLs: urls = [], apiGroups = [], resources = [], resourceNames = [] } = rule;
  if (verbs.length === 0) errors.push(required(path.child('verbs'), 'verbs must contain at least one value'));
  if (urls.length > 0) {
    const at = path.child('nonResourceURLs');
    if (namespaced) errors.push(invalidValue(at, urls, 'namespaced rules cannot apply to non-resource URLs'));
    if (apiGroups.length + resources.length + resourceNames.length > 0) {
      const text = 'rules cannot apply to both regular resources and non-resource URLs';
      errors.push(invalidValue(at, urls, text));
    }
    return;
  }
  if (apiGroups.length === 0) {
    errors.push(required(path.child('apiGroups'), 'resource rules must supply at least one api group'));
  }
  if (resources.length === 0) {
    errors.push(required(path.child('resources'), 'resource rules must supply at least one resource'));
  }
}

interface Bound {
  readonly roleRef: RoleRef;
  readonly subjects?: readonly Subject[];
}

function checkSubject(errors: Errors, path: FieldPath, subject: Subject, namespaced: boolean): void {
  const { kind = '', name = '', namespace = '', apiGroup = '' } = subject;
  requireText(errors, path.child('name'), name);
  const at = path.child('apiGroup');
  if (kind === 'ServiceAccount') {
    if (name) refuseEach(errors, path.child('name'), name, nameIsDNSSubdomain(name, false));
    if (apiGroup) errors.push(notSupported(at, apiGroup, ['']));
    if (!namespaced && !namespace) errors.push(required(path.child('namespace')));
  } else if (kind === 'User' || kind === 'Group') {
    if (apiGroup !== group) errors.push(notSupported(at, apiGroup, [group]));
  } else errors.push(notSupported(path.child('kind'), kind, ['ServiceAccount', 'User', 'Group']));
}

export function roleBinding(binding: Bound, namespaced: boolean): FieldError[] {
  const errors: Errors = [];
  const path = FieldPath.of('roleRef');
  const { apiGroup = '', kind = '', name = '' } = binding.roleRef ?? {};
  if (apiGroup !== group) errors.push(notSupported(path.child('apiGroup'), apiGroup, [group]));
  const kinds = namespaced ? ['Role', 'ClusterRole'] : ['ClusterRole'];
  if (!kinds.includes(kind)) errors.push(notSupported(path.child('kind'), kind, kinds));
  if (requireText(errors, path.child('name'), name))
    refuseEach(errors, path.child('name'), name, isPathSegmentName(name));
  binding.subjects?.forEach((subject, i) => {
    checkSubject(errors, FieldPath.of('subjects').index(i), subject, namespaced);
  });
  return errors;
}

/** What a change of a binding may not touch. */
export function roleBindingChange(binding: Bound, old: Bound): FieldError[] {
  const refText = ({ roleRef }: Bound): string => {
    const { apiGroup = '', kind = '', name = '' } = roleRef ?? {};
    return JSON.stringify([apiGroup, kind, name]);
  };
  if (refText(binding) === refText(old)) return [];
  const shown = internalValue('rbac.RoleRef', binding.roleRef);
  return [invalidValue(FieldPath.of('roleRef'), shown, 'cannot change roleRef')];
}

export function bindingDefaults(draft: Draft<Bound>): void {
  if (draft.roleRef && !draft.roleRef.apiGroup) draft.roleRef.apiGroup = group;
  for (const subject of draft.subjects ?? []) {
    if (!subject.apiGroup && (subject.kind === 'User' || subject.kind === 'Group')) subject.apiGroup = group;
  }
}
