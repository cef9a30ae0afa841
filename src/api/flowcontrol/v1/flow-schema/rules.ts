/** FlowSchemas. Upstream: pkg/apis/flowcontrol/{v1/defaults.go,validation}, pkg/registry/flowcontrol/flowschema. */
import {
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  nameIsDNSLabel,
  nameIsDNSSubdomain,
  notSupported,
  required,
} from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import { keepSpecAndAllMetadata } from '../../../strategies.ts';
import type {
  FlowcontrolV1Subject,
  FlowSchema,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
} from '../../../types.ts';
import { checkObjectName, type Errors, refuseEach, requireText } from '../../../validation/common.ts';
import { internalValue } from '../../../validation/internal-value.ts';
import { checkConditionTypes } from '../conditions.ts';

const path = FieldPath.of('spec');
const verbs = ['*', 'create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch'];
const knownVerbs = verbs.filter(verb => verb !== '*');

const subjectFields = { ServiceAccount: 'serviceAccount', User: 'user', Group: 'group' } as const;

function checkSubject(errors: Errors, at: FieldPath, subject: FlowcontrolV1Subject): void {
  const kind = subject.kind ?? '';
  if (kind !== 'ServiceAccount' && kind !== 'User' && kind !== 'Group') {
    errors.push(notSupported(at.child('kind'), kind, ['Group', 'ServiceAccount', 'User']));
    return;
  }
  const field = subjectFields[kind];
  const own = at.child(field);
  const value = subject[field];
  if (!value) errors.push(required(own, `${field} is required when subject kind is '${kind}'`));
  else {
    const named = requireText(errors, own.child('name'), value.name);
    if (kind === 'ServiceAccount') {
      if (named && value.name !== '*')
        refuseEach(errors, own.child('name'), value.name, nameIsDNSSubdomain(value.name, false));
      const namespace = subject.serviceAccount?.namespace;
      const text = 'must specify namespace for service account';
      if (requireText(errors, own.child('namespace'), namespace, text)) {
        refuseEach(errors, own.child('namespace'), namespace, nameIsDNSLabel(namespace, false));
      }
    }
  }
  const order = ['ServiceAccount', 'User', 'Group'] as const;
  for (const other of order) {
    const name = subjectFields[other];
    if (other === kind || subject[name] === undefined) continue;
    errors.push(forbiddenField(at.child(name), `${name} is forbidden when subject kind is not '${other}'`));
  }
}

function checkVerbs(errors: Errors, at: FieldPath, list: readonly string[]): void {
  if (list.length === 0) errors.push(required(at, 'verbs must contain at least one value'));
  else if (list.includes('*')) {
    if (list.length > 1) errors.push(invalidValue(at, list, "if '*' is present, must not specify other verbs"));
  } else if (list.some(verb => !knownVerbs.includes(verb))) errors.push(notSupported(at, list, knownVerbs));
}

function checkResourceRule(errors: Errors, at: FieldPath, rule: ResourcePolicyRule): void {
  checkVerbs(errors, at.child('verbs'), rule.verbs ?? []);
  const lists = [
    ['apiGroups', 'api group', 'api groups'],
    ['resources', 'resource', 'resources'],
  ] as const;
  for (const [name, one, many] of lists) {
    const list = rule[name] ?? [];
    const own = at.child(name);
    if (list.length === 0) errors.push(required(own, `resource rules must supply at least one ${one}`));
    else if (list.length > 1 && list.includes('*')) {
      errors.push(invalidValue(own, list, `if '*' is present, must not specify other ${many}`));
    }
  }
  const namespaces = rule.namespaces ?? [];
  const own = at.child('namespaces');
  if (namespaces.length === 0 && !rule.clusterScope) {
    const text = 'resource rules that are not cluster scoped must supply at least one namespace';
    errors.push(required(own, text));
  } else if (namespaces.includes('*')) {
    const text = "if '*' is present, must not specify other namespaces";
    if (namespaces.length > 1) errors.push(invalidValue(own, namespaces, text));
  } else {
    namespaces.forEach((name, i) => {
      const texts = nameIsDNSLabel(name, false);
      const intro = "each member of this list must be '*' or a DNS-1123 label; ";
      refuseEach(
        errors,
        own.index(i),
        name,
        texts.map(text => intro + text),
      );
    });
  }
}

function urlRefusal(url: string): string | undefined {
  if (url === '') return 'must not be empty';
  if (url === '/') return undefined;
  if (!url.startsWith('/')) return 'must start with slash';
  if (url.includes(' ')) return 'must not contain white-space';
  if (url.includes('//')) return 'must not contain double slash';
  const stars = url.split('*').length - 1;
  return stars > 1 || (stars === 1 && !url.endsWith('/*')) ? 'wildcard can only do suffix matching' : undefined;
}

function checkUrlRule(errors: Errors, at: FieldPath, rule: NonResourcePolicyRule): void {
  checkVerbs(errors, at.child('verbs'), rule.verbs ?? []);
  const urls = rule.nonResourceURLs ?? [];
  const own = at.child('nonResourceURLs');
  if (urls.length === 0) errors.push(required(own, 'nonResourceURLs must contain at least one value'));
  else if (urls.includes('*')) {
    const text = "if '*' is present, must not specify other non-resource URLs";
    if (urls.length > 1) errors.push(invalidValue(own, urls, text));
  } else {
    urls.forEach((url, i) => {
      const refusal = urlRefusal(url);
      if (refusal) errors.push(invalidValue(own.index(i), url, refusal));
    });
  }
}

function checkRule(errors: Errors, at: FieldPath, rule: PolicyRulesWithSubjects): void {
  const { subjects = [], resourceRules = [], nonResourceRules = [] } = rule;
  if (subjects.length === 0) errors.push(required(at.child('subjects'), 'subjects must contain at least one value'));
  subjects.forEach((subject, i) => {
    checkSubject(errors, at.child('subjects').index(i), subject);
  });
  if (resourceRules.length + nonResourceRules.length === 0) {
    errors.push(required(at, 'at least one of resourceRules and nonResourceRules has to be non-empty'));
  }
  resourceRules.forEach((each, i) => {
    checkResourceRule(errors, at.child('resourceRules').index(i), each);
  });
  nonResourceRules.forEach((each, i) => {
    checkUrlRule(errors, at.child('nonResourceRules').index(i), each);
  });
}

function validate(schema: FlowSchema): FieldError[] {
  const errors: Errors = [];
  const spec = schema.spec ?? ({} as NonNullable<FlowSchema['spec']>);
  const precedence = spec.matchingPrecedence ?? 0;
  const at = path.child('matchingPrecedence');
  if (precedence <= 0) errors.push(invalidValue(at, precedence, 'must be a positive value'));
  if (precedence > 10000) errors.push(invalidValue(at, precedence, 'must not be greater than 10000'));
  if (precedence === 1 && schema.metadata.name !== 'exempt') {
    errors.push(invalidValue(at, precedence, "only the schema named 'exempt' may have matchingPrecedence 1"));
  }
  const method = spec.distinguisherMethod;
  const methods = ['ByNamespace', 'ByUser'];
  if (method && !methods.includes(method.type)) {
    const shown = internalValue('flowcontrol.FlowDistinguisherMethod', method);
    errors.push(notSupported(path.child('distinguisherMethod', 'type'), shown, methods));
  }
  const level = spec.priorityLevelConfiguration?.name;
  const levelPath = path.child('priorityLevelConfiguration', 'name');
  if (requireText(errors, levelPath, level, 'must reference a priority level'))
    checkObjectName(errors, levelPath, level);
  spec.rules?.forEach((rule, i) => {
    checkRule(errors, path.child('rules').index(i), rule);
  });
  return errors;
}

export const flowSchemaRules: KindRules<FlowSchema> = {
  defaults({ spec }) {
    if (spec && !spec.matchingPrecedence) spec.matchingPrecedence = 1000;
  },
  validate,
  prepareStatus: keepSpecAndAllMetadata,
  metaOnStatus: [],
  validateStatus: ({ status }) => checkConditionTypes(status?.conditions),
  generation: true,
  allowUnconditionalUpdate: true,
};
