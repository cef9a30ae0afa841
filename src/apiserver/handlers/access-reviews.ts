/**
 * May somebody do something: SubjectAccessReview and its kin, SelfSubjectRulesReview, TokenReview. Upstream:
 * pkg/registry/authorization, pkg/registry/authentication/tokenreview, pkg/apis/authorization/validation.
 */
import { builtinTypes } from '#api/tables';
import type {
  LocalSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  SubjectAccessReviewSpec,
  TokenReview,
} from '#api/types';
import {
  append,
  badRequest,
  type Draft,
  escapeFieldValue,
  type FieldError,
  FieldPath,
  forbiddenField,
  internalError,
  invalid,
  invalidValue,
  type KubeObject,
  type LabelSelectorRequirement,
  parseFieldSelector,
  parseLabelSelector,
  required,
  semanticEqual,
  validateLabelSelectorRequirement,
} from '#apimachinery';
import type { Authentication } from '../authentication/authentication.ts';
import { commonAudiences } from '../authentication/authenticator.ts';
import { type UserInfo, user } from '../authentication/user.ts';
import type { AuthorizationAttributes, Authorizer, RuleResolver } from '../authorization/authorizer.ts';
import { review, userInfoOf } from './reviews.ts';
import type { Handler, Scope } from './scope.ts';

type Spec = Draft<SubjectAccessReviewSpec>;

const specPath = FieldPath.of('spec');

/** `who`: the user that the review is about; undefined: whom the spec names. */
function attributesOf(spec: Spec, who: UserInfo): AuthorizationAttributes {
  const { resourceAttributes: about, nonResourceAttributes: path } = spec;
  const none = { group: '', version: '', namespace: '', resource: '', subresource: '', name: '' };
  const base = { user: who, fieldSelector: '', labelSelector: '' };
  if (!about) return { ...base, ...none, verb: path?.verb ?? '', isResourceRequest: false, path: path?.path ?? '' };
  return {
    ...base,
    verb: about.verb ?? '',
    isResourceRequest: true,
    path: '',
    group: about.group ?? '',
    version: about.version || '*',
    namespace: about.namespace ?? '',
    resource: about.resource ?? '',
    subresource: about.subresource ?? '',
    name: about.name ?? '',
    fieldSelector: readFieldSelector(about.fieldSelector as Selector).text,
    labelSelector: readLabelSelector(about.labelSelector as Selector).text,
  };
}

interface Selector {
  readonly rawSelector?: string;
  readonly requirements?: ReadonlyArray<{ key?: string; operator?: string; values?: readonly string[] }>;
}

/** A selector as authorizers read it, and whether a part could not be told; what cannot makes the question broader. */
interface SelectorReading {
  readonly text: string;
  readonly failed: boolean;
}

const nothing: SelectorReading = { text: '', failed: false };

function readSelector(
  selector: Selector | undefined,
  parse: (text: string) => unknown,
  write: (requirement: { key: string; operator: string; values: readonly string[] }) => string | undefined,
): SelectorReading {
  if (!selector) return nothing;
  if (selector.requirements?.length) {
    const terms = selector.requirements.map(({ key = '', operator = '', values = [] }) =>
      write({ key, operator, values }),
    );
    const known = terms.filter(term => term !== undefined);
    return { text: known.join(','), failed: known.length < terms.length };
  }
  const text = selector.rawSelector ?? '';
  try {
    parse(text);
    return { text, failed: false };
  } catch {
    return { text: '', failed: true };
  }
}

const readFieldSelector = (selector: Selector | undefined): SelectorReading =>
  readSelector(selector, parseFieldSelector, ({ key, operator, values }) => {
    const sign = operator === 'In' ? '=' : operator === 'NotIn' ? '!=' : undefined;
    return sign && values.length === 1 ? `${key}${sign}${escapeFieldValue(values[0]!)}` : undefined;
  });

const readLabelSelector = (selector: Selector | undefined): SelectorReading =>
  readSelector(selector, parseLabelSelector, ({ key, operator, values }) => {
    const term = {
      In: `${key} in (${values.join(',')})`,
      NotIn: `${key} notin (${values.join(',')})`,
      Exists: key,
      DoesNotExist: `!${key}`,
    }[operator];
    try {
      if (term !== undefined) parseLabelSelector(term);
      return term;
    } catch {
      return undefined;
    }
  });

/** Which selectors could not be read, in upstream's words. */
function evaluationError(spec: Spec): string {
  const about = spec.resourceAttributes;
  const told = (name: string, { text, failed }: SelectorReading): string[] =>
    failed ? [`spec.resourceAttributes.${name} ${text === '' ? '' : 'partially '}ignored due to parse error`] : [];
  return [
    ...told('fieldSelector', readFieldSelector(about?.fieldSelector as Selector)),
    ...told('labelSelector', readLabelSelector(about?.labelSelector as Selector)),
  ].join('; ');
}

function validateFieldRequirement({ key, operator, values }: Requirement, at: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  if (!key) errors.push(required(at.child('key'), 'must be specified'));
  if ((operator === 'In' || operator === 'NotIn') && !values?.length) {
    errors.push(required(at.child('values'), "must be specified when `operator` is 'In' or 'NotIn'"));
  }
  if ((operator === 'Exists' || operator === 'DoesNotExist') && values?.length) {
    errors.push(
      forbiddenField(at.child('values'), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
    );
  }
  return errors;
}

type Requirement = NonNullable<Selector['requirements']>[number];

/** Newer clients may know operators that are unknown here. */
const validateLabelRequirement = (requirement: Requirement, at: FieldPath): FieldError[] =>
  validateLabelSelectorRequirement(requirement as LabelSelectorRequirement, at, {
    allowUnknownOperatorInRequirement: true,
  });

function validateSelector(
  selector: Selector | undefined,
  at: FieldPath,
  validate: (requirement: Requirement, at: FieldPath) => FieldError[],
): FieldError[] {
  if (!selector) return [];
  const { rawSelector, requirements = [] } = selector;
  const errors: FieldError[] = [];
  if (rawSelector && requirements.length > 0) {
    const text = 'may not specified at the same time as requirements';
    errors.push(invalidValue(at.child('rawSelector'), rawSelector, text));
  }
  if (!rawSelector && requirements.length === 0) {
    errors.push(required(at.child('requirements'), `when ${at} is specified, requirements or rawSelector is required`));
  }
  for (const [index, each] of requirements.entries()) {
    append(errors, validate(each, at.child('requirements').index(index)));
  }
  return errors;
}

function validateSpec(spec: Spec, self: boolean): FieldError[] {
  const errors: FieldError[] = [];
  const { resourceAttributes: about, nonResourceAttributes: path } = spec;
  if (about && path) {
    errors.push(invalidPath(path, 'cannot be specified in combination with resourceAttributes'));
  }
  if (!about && !path) {
    errors.push(
      invalidValue(
        specPath.child('resourceAttributes'),
        about ?? null,
        'exactly one of nonResourceAttributes or resourceAttributes must be specified',
      ),
    );
  }
  if (!self && !spec.user && !spec.groups?.length) {
    const text = 'at least one of user or group must be specified';
    errors.push(invalidValue(specPath.child('user'), spec.user ?? '', text));
  }
  if (about) {
    const at = specPath.child('resourceAttributes');
    const { fieldSelector, labelSelector } = about as { fieldSelector?: Selector; labelSelector?: Selector };
    append(errors, validateSelector(fieldSelector, at.child('fieldSelector'), validateFieldRequirement));
    append(errors, validateSelector(labelSelector, at.child('labelSelector'), validateLabelRequirement));
  }
  return errors;
}

async function decide(authorizer: Authorizer, attributes: AuthorizationAttributes, problem: string): Promise<object> {
  const { decision, reason, error } = await authorizer.authorize(attributes);
  const problems = [error ?? '', problem].filter(each => each !== '').join('; ');
  return {
    allowed: decision === 'allow',
    ...(decision === 'deny' && { denied: true }),
    ...(reason !== '' && { reason }),
    ...(problems !== '' && { evaluationError: problems }),
  };
}

export function subjectAccessReview(authorizer: Authorizer): Handler {
  return accessReview(authorizer, () => ({ self: false }));
}

export function selfSubjectAccessReview(authorizer: Authorizer): Handler {
  return accessReview(authorizer, () => ({ self: true }));
}

export function localSubjectAccessReview(authorizer: Authorizer): Handler {
  return accessReview(authorizer, scope => ({ self: false, namespace: scope.namespace }));
}

function accessReview(authorizer: Authorizer, how: (scope: Scope) => { self: boolean; namespace?: string }): Handler {
  return scope => {
    const { self, namespace } = how(scope);
    return review(scope, async object => {
      const asked = object as unknown as Draft<SubjectAccessReview & LocalSubjectAccessReview>;
      const spec: Spec = (asked.spec ??= {});
      const errors = validateSpec(spec, self);
      const { managedFields: _m, namespace: _n, ...meta } = object.metadata;
      if (!semanticEqual(meta, {}) && Object.values(meta).some(each => !isEmptyMap(each))) {
        const text = namespace === undefined ? 'must be empty' : 'must be empty except for namespace';
        errors.push(invalidValue(FieldPath.of('metadata'), inGoOrder(object.metadata), text));
      }
      if (namespace !== undefined) append(errors, validateLocal(spec, namespace));
      if (errors.length > 0) throw invalid({ group: 'authorization.k8s.io', kind: '' }, '', errors);
      const who = self ? scope.user : subjectOf(spec);
      asked.status = (await decide(authorizer, attributesOf(spec, who), evaluationError(spec))) as never;
    });
  };
}

/** A map or list with nothing in it: Go's semantic equality takes it for an absent one. */
const isEmptyMap = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0;

/** Metadata as messages show it: members in the order of the type, without what Go leaves out. */
function inGoOrder(metadata: KubeObject['metadata']): unknown {
  const fields = builtinTypes.struct('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta').fields.keys();
  const nobody = { apiVersion: '', kind: '', name: '', uid: '' };
  const owners = metadata.ownerReferences?.map(owner => ({ ...nobody, ...owner }));
  const members: Readonly<Record<string, unknown>> = { ...metadata, ownerReferences: owners };
  return Object.fromEntries(
    [...fields]
      .filter(name => members[name] !== undefined && !isEmptyMap(members[name]))
      .map(name => [name, members[name]]),
  );
}

function validateLocal(
  { resourceAttributes: about, nonResourceAttributes: path }: Spec,
  namespace: string,
): FieldError[] {
  const errors: FieldError[] = [];
  if (about && (about.namespace ?? '') !== namespace) {
    errors.push(
      invalidValue(
        specPath.child('resourceAttributes', 'namespace'),
        about.namespace ?? '',
        'must match metadata.namespace',
      ),
    );
  }
  if (path) errors.push(invalidPath(path, 'disallowed on this kind of request'));
  return errors;
}

/** The value is shown with the field names of upstream's internal type. */
function invalidPath({ path = '', verb = '' }: { path?: string; verb?: string }, detail: string): FieldError {
  return invalidValue(specPath.child('nonResourceAttributes'), { Path: path, Verb: verb }, detail);
}

function subjectOf(spec: Spec): UserInfo {
  const extra = (spec.extra ?? {}) as Record<string, string[]>;
  return user(spec.user ?? '', spec.groups ?? [], { uid: spec.uid ?? '', extra });
}

export function selfSubjectRulesReview(resolver: RuleResolver): Handler {
  return scope =>
    review(scope, object => {
      const asked = object as unknown as Draft<SelfSubjectRulesReview>;
      const namespace = asked.spec?.namespace ?? '';
      if (namespace === '') throw badRequest('no namespace on request');
      const { rules, incomplete, errors } = resolver.rulesFor(scope.user, namespace);
      // Upstream answers with the status alone.
      asked.metadata = {};
      asked.spec = {};
      const resourceRules = rules.filter(rule => rule.resources?.length);
      const nonResourceRules = rules.filter(rule => rule.nonResourceURLs?.length);
      asked.status = {
        resourceRules: resourceRules.map(({ verbs, apiGroups, resources, resourceNames }) => ({
          verbs,
          apiGroups,
          resources,
          ...(resourceNames?.length && { resourceNames }),
        })),
        nonResourceRules: nonResourceRules.map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
        incomplete,
        ...(errors.length > 0 && { evaluationError: errors.join(', ') }),
      } as never;
    });
}

export function tokenReview({ review: ask }: Authentication, apiAudiences: readonly string[]): Handler {
  return scope =>
    review(scope, async object => {
      const asked = object as unknown as Draft<TokenReview>;
      const spec = (asked.spec ??= { token: '' });
      if (!spec.token) throw badRequest('token is required for TokenReview in authentication');
      const wanted = spec.audiences?.length ? spec.audiences : apiAudiences;
      const { found, error } = await ask(spec.token, wanted);
      if (wanted.length > 0 && found && commonAudiences(wanted, found.audiences ?? []).length === 0) {
        throw internalError('error validating audiences');
      }
      asked.status = {
        ...(found && { authenticated: true, user: userInfoOf(found.user) }),
        ...(found?.audiences?.length && { audiences: found.audiences }),
        ...(error !== undefined && { error }),
      } as never;
    });
}
