/**
 * Which requests admission webhooks and policies look at, and under which conditions.
 * Upstream: pkg/apis/admissionregistration/validation/validation.go.
 */
import {
  append,
  type Draft,
  duplicate,
  FieldPath,
  forbiddenField,
  internalFieldError,
  invalidValue,
  isDNS1035Label,
  isDNS1123Subdomain,
  isPathSegmentName,
  notSupported,
  required,
  semanticEqual,
  tooMany,
  validateLabelSelector,
} from '#apimachinery';
import { AdmissionCompiler, type CompiledExpression, resultTypes } from '../expressions/index.ts';
import type {
  MatchCondition,
  MatchResources,
  NamedRuleWithOperations,
  ParamKind,
  ParamRef,
  RuleWithOperations,
  Variable,
} from '../types.ts';
import { checkChoice, checkGiven, checkQualifiedName, type Errors, refuseEach } from './common.ts';

export const failurePolicies: readonly string[] = ['Fail', 'Ignore'];
export const matchPolicies: readonly string[] = ['Equivalent', 'Exact'];
const policyPath = FieldPath.of('spec');
const operations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];

function checkResources(errors: Errors, path: FieldPath, resources: readonly string[]): void {
  if (resources.length === 0) errors.push(required(path));
  const wholeResources = new Set<string>();
  const wholeSubresources = new Set<string>();
  let plain = false;
  resources.forEach((text, i) => {
    if (text === '') {
      errors.push(required(path.index(i)));
      return;
    }
    const slash = text.indexOf('/');
    if (slash < 0) {
      plain = text !== '*';
      return;
    }
    const resource = text.slice(0, slash);
    const sub = text.slice(slash + 1);
    if (wholeResources.has(resource)) {
      errors.push(invalidValue(path.index(i), text, `if '${resource}/*' is present, must not specify ${text}`));
    }
    if (wholeSubresources.has(sub)) {
      errors.push(invalidValue(path.index(i), text, `if '*/${sub}' is present, must not specify ${text}`));
    }
    if (sub === '*') wholeResources.add(resource);
    if (resource === '*') wholeSubresources.add(sub);
  });
  if (resources.length > 1 && resources.includes('*/*')) {
    errors.push(invalidValue(path, resources, "if '*/*' is present, must not specify other resources"));
  }
  if (resources.includes('*') && plain) {
    const text = "if '*' is present, must not specify other resources without subresources";
    errors.push(invalidValue(path, resources, text));
  }
}

export function checkRule(errors: Errors, path: FieldPath, rule: RuleWithOperations): void {
  const { operations: verbs = [], apiGroups = [], apiVersions = [], resources = [], scope } = rule;
  const alone = (name: string, list: readonly string[], what: string): void => {
    if (list.length === 0) errors.push(required(path.child(name)));
    if (list.length > 1 && list.includes('*')) {
      errors.push(invalidValue(path.child(name), list, `if '*' is present, must not specify other ${what}`));
    }
  };
  alone('operations', verbs, 'operations');
  verbs.forEach((verb, i) => {
    if (!operations.includes(verb)) errors.push(notSupported(path.child('operations').index(i), verb, operations));
  });
  alone('apiGroups', apiGroups, 'API groups');
  alone('apiVersions', apiVersions, 'API versions');
  apiVersions.forEach((version, i) => {
    if (version === '') errors.push(required(path.child('apiVersions').index(i)));
  });
  checkResources(errors, path.child('resources'), resources);
  const scopes = ['*', 'Cluster', 'Namespaced'];
  if (scope !== undefined && !scopes.includes(scope)) errors.push(notSupported(path.child('scope'), scope, scopes));
}

function checkNamedRule(errors: Errors, path: FieldPath, rule: NamedRuleWithOperations): void {
  const seen = new Set<string>();
  rule.resourceNames?.forEach((name, i) => {
    const at = path.child('resourceNames').index(i);
    refuseEach(errors, at, name, isPathSegmentName(name));
    if (seen.has(name)) errors.push(duplicate(at, name));
    seen.add(name);
  });
  checkRule(errors, path, rule as RuleWithOperations);
}

/** Refuses an expression that could not be compiled. */
export function checkCompiled(errors: Errors, path: FieldPath, text: string, compiled: CompiledExpression): void {
  if (compiled.error === undefined) return;
  const { error, isInternal } = compiled;
  errors.push(isInternal ? internalFieldError(path, error) : invalidValue(path, text, error));
}

/** `params`: the conditions are those of a policy that has parameters. */
export function checkMatchConditions(
  errors: Errors,
  path: FieldPath,
  conditions: readonly MatchCondition[] = [],
  params = false,
): void {
  if (conditions.length > 64) errors.push(tooMany(path, conditions.length, 64));
  const compiler = new AdmissionCompiler(false);
  const seen = new Set<string>();
  conditions.forEach(({ name = '', expression = '' }, i) => {
    const at = path.index(i);
    const text = expression.trim();
    if (text === '') errors.push(required(at.child('expression')));
    else {
      const compiled = compiler.compile(text, { params, authorizer: true }, resultTypes.condition);
      checkCompiled(errors, at.child('expression'), text, compiled);
    }
    if (name === '') errors.push(required(at.child('name')));
    else checkQualifiedName(errors, at.child('name'), name);
    if (name === '') return;
    if (seen.has(name)) errors.push(duplicate(at.child('name'), name));
    seen.add(name);
  });
}

export function checkMatchResources(errors: Errors, path: FieldPath, match: MatchResources): void {
  checkGiven(errors, path.child('matchPolicy'), match.matchPolicy, matchPolicies);
  for (const name of ['namespaceSelector', 'objectSelector'] as const) {
    if (match[name] === undefined) errors.push(required(path.child(name)));
    else append(errors, validateLabelSelector(match[name], path.child(name)));
  }
  for (const name of ['resourceRules', 'excludeResourceRules'] as const) {
    match[name]?.forEach((rule, i) => {
      checkNamedRule(errors, path.child(name).index(i), rule);
    });
  }
}

const mutable = ['*', 'CONNECT', 'CREATE', 'UPDATE'];

/** Only what creates, updates or connects can be changed on its way. */
export function checkMutableOperations(errors: Errors, path: FieldPath, match: MatchResources): void {
  for (const rule of match.resourceRules ?? []) {
    for (const verb of rule.operations ?? []) {
      if (!mutable.includes(verb)) errors.push(notSupported(path.child('resourceRules', 'operations'), verb, mutable));
    }
  }
}

function checkParamKind(errors: Errors, path: FieldPath, param: ParamKind): void {
  const { apiVersion = '', kind = '' } = param;
  const at = path.child('apiVersion');
  const parts = apiVersion.split('/');
  if (apiVersion === '') errors.push(required(at));
  else if (parts.length > 2) errors.push(invalidValue(at, apiVersion, `unexpected GroupVersion string: ${apiVersion}`));
  else {
    const [group, version] = apiVersion === '/' ? ['', ''] : parts.length === 2 ? parts : ['', parts[0]];
    const groupTexts = group ? isDNS1123Subdomain(group) : [];
    if (groupTexts.length > 0) errors.push(invalidValue(at, group, groupTexts.join(',')));
    const versionTexts = version ? isDNS1035Label(version) : [];
    if (!version) errors.push(invalidValue(at, apiVersion, 'version must be specified'));
    else if (versionTexts.length > 0) errors.push(invalidValue(at, version, versionTexts.join(',')));
  }
  const texts = isDNS1035Label(kind.toLowerCase());
  if (kind === '') errors.push(required(path.child('kind')));
  else if (texts.length > 0) {
    const text = `may have mixed case, but should otherwise match: ${texts.join(',')}`;
    errors.push(invalidValue(path.child('kind'), kind, text));
  }
}

export function checkParamRef(errors: Errors, path: FieldPath, ref: ParamRef | undefined): void {
  if (!ref) return;
  const { name = '', selector, parameterNotFoundAction: action } = ref;
  const exclusive = 'name and selector are mutually exclusive';
  if (name) {
    refuseEach(errors, path.child('name'), name, isPathSegmentName(name));
    if (selector) errors.push(forbiddenField(path.child('name'), exclusive));
  }
  if (selector) {
    append(errors, validateLabelSelector(selector, path.child('selector')));
    if (name) errors.push(forbiddenField(path.child('selector'), exclusive));
  }
  if (!name && !selector) errors.push(required(path, 'one of name or selector must be specified'));
  checkChoice(errors, path.child('parameterNotFoundAction'), action, ['Deny', 'Allow']);
}

const reserved = [
  ...['true', 'false', 'null', 'in', 'as', 'break', 'const', 'continue', 'else', 'for', 'function', 'if', 'import'],
  ...['let', 'loop', 'package', 'namespace', 'return', 'var', 'void', 'while'],
];

function checkVariables(
  errors: Errors,
  path: FieldPath,
  variables: readonly Variable[] = [],
  compiler: AdmissionCompiler,
  params: boolean,
): void {
  variables.forEach(({ name = '', expression = '' }, i) => {
    const at = path.index(i);
    if (name.trim() === '') errors.push(required(at.child('name'), 'name is not specified'));
    else if (!/^[_a-zA-Z][_a-zA-Z0-9]*$/.test(name) || reserved.includes(name)) {
      errors.push(invalidValue(at.child('name'), name, 'must be a valid CEL identifier'));
    }
    if (expression.trim() === '') errors.push(required(at.child('expression'), 'expression is not specified'));
    else {
      const compiled = compiler.addVariable(name, expression, { params, authorizer: true });
      checkCompiled(errors, at.child('expression'), expression, compiled);
    }
  });
}

export function ruleDefaults(rules: Draft<RuleWithOperations>[] | undefined): void {
  for (const rule of rules ?? []) rule.scope ??= '*';
}

export function matchResourcesDefaults(match: Draft<MatchResources> | undefined): void {
  if (!match) return;
  match.matchPolicy ??= 'Equivalent';
  match.namespaceSelector ??= {};
  match.objectSelector ??= {};
  ruleDefaults(match.resourceRules as Draft<RuleWithOperations>[] | undefined);
  ruleDefaults(match.excludeResourceRules as Draft<RuleWithOperations>[] | undefined);
}

interface PolicySpec {
  readonly failurePolicy?: string;
  readonly paramKind?: ParamKind;
  readonly matchConstraints?: MatchResources;
  readonly matchConditions?: readonly MatchCondition[];
  readonly variables?: readonly Variable[];
}

/** What the expressions of a policy are compiled with, after its variables. */
export interface PolicyExpressions {
  readonly compiler: AdmissionCompiler;
  readonly params: boolean;
}

/**
 * What validating and mutating policies have in common: when they apply, and variables. `composed`: expressions may name
 * variables; `more` is asked of the requests that the policy is for.
 */
export function checkPolicy(
  errors: Errors,
  spec: PolicySpec,
  old: PolicySpec | undefined,
  composed: boolean,
  more?: (errors: Errors, path: FieldPath, match: MatchResources) => void,
): PolicyExpressions {
  checkGiven(errors, policyPath.child('failurePolicy'), spec.failurePolicy, failurePolicies);
  if (spec.paramKind) checkParamKind(errors, policyPath.child('paramKind'), spec.paramKind);
  const match = policyPath.child('matchConstraints');
  if (!spec.matchConstraints) errors.push(required(match));
  else {
    checkMatchResources(errors, match, spec.matchConstraints);
    if (!spec.matchConstraints.resourceRules?.length) errors.push(required(match.child('resourceRules')));
    more?.(errors, match, spec.matchConstraints);
  }
  const params = spec.paramKind !== undefined;
  const sameKind = old !== undefined && semanticEqual(spec.paramKind, old.paramKind);
  if (!sameKind || !semanticEqual(spec.matchConditions, old.matchConditions)) {
    checkMatchConditions(errors, policyPath.child('matchConditions'), spec.matchConditions, params);
  }
  const compiler = new AdmissionCompiler(composed);
  checkVariables(errors, policyPath.child('variables'), spec.variables, compiler, params);
  return { compiler, params };
}

export function policyDefaults({ spec }: { spec?: Draft<PolicySpec> }): void {
  if (!spec) return;
  spec.failurePolicy ??= 'Fail';
  matchResourcesDefaults(spec.matchConstraints);
}
