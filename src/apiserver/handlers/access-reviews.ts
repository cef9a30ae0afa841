/**
 * May somebody do something: SubjectAccessReview and its kin, SelfSubjectRulesReview, TokenReview. Upstream:
 * pkg/registry/authorization, pkg/registry/authentication/tokenreview, pkg/apis/authorization/validation.
 */
import type {
  LocalSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  SubjectAccessReviewSpec,
  TokenReview,
} from '#api/types';
import { badRequest, type Draft, type FieldError, FieldPath, invalid, invalidValue, required } from '#apimachinery';
import { byToken, type TokenAuthenticator } from '../authentication/authenticator.ts';
import { type UserInfo, user, withAuthenticatedGroup } from '../authentication/user.ts';
import type { AuthorizationAttributes, Authorizer } from '../authorization/authorizer.ts';
import type { Rbac } from '../authorization/rbac.ts';
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
    fieldSelector: selectorText(about.fieldSelector),
    labelSelector: selectorText(about.labelSelector),
  };
}

interface Selector {
  readonly rawSelector?: string;
  readonly requirements?: ReadonlyArray<{ key: string; operator: string; values?: readonly string[] }>;
}

/** Requirements as a selector's text, as far as it can say them. */
function selectorText(selector: Selector | undefined): string {
  if (!selector) return '';
  if (selector.rawSelector) return selector.rawSelector;
  return (selector.requirements ?? [])
    .filter(each => each.operator === 'In' && each.values?.length === 1)
    .map(each => `${each.key}=${each.values![0]}`)
    .join(',');
}

function validateSpec(spec: Spec, self: boolean): FieldError[] {
  const errors: FieldError[] = [];
  const { resourceAttributes: about, nonResourceAttributes: path } = spec;
  if (about && path) {
    const text = 'cannot be specified in combination with resourceAttributes';
    errors.push(invalidValue(specPath.child('nonResourceAttributes'), path, text));
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
    for (const name of ['fieldSelector', 'labelSelector'] as const) {
      const selector = about[name] as Selector | undefined;
      const at = specPath.child('resourceAttributes', name);
      if (!selector) continue;
      if (selector.rawSelector && selector.requirements?.length) {
        const text = 'may not specified at the same time as requirements';
        errors.push(invalidValue(at.child('rawSelector'), selector.rawSelector, text));
      }
      if (!selector.rawSelector && !selector.requirements?.length) {
        errors.push(
          required(at.child('requirements'), `when ${at} is specified, requirements or rawSelector is required`),
        );
      }
    }
  }
  return errors;
}

async function decide(authorizer: Authorizer, attributes: AuthorizationAttributes): Promise<object> {
  const { decision, reason } = await authorizer.authorize(attributes);
  return {
    allowed: decision === 'allow',
    ...(decision === 'deny' && { denied: true }),
    ...(reason !== '' && { reason }),
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
      if (namespace !== undefined) checkLocal(asked, namespace);
      const errors = validateSpec(spec, self);
      const meta = Object.keys(object.metadata).filter(key => key !== 'managedFields' && key !== 'namespace');
      if (meta.length > 0) {
        errors.push(invalidValue(FieldPath.of('metadata'), object.metadata, 'must be empty'));
      }
      if (errors.length > 0) throw invalid({ group: 'authorization.k8s.io', kind: '' }, '', errors);
      const who = self ? scope.user : subjectOf(spec);
      asked.status = (await decide(authorizer, attributesOf(spec, who))) as never;
    });
  };
}

function checkLocal(asked: Draft<LocalSubjectAccessReview>, namespace: string): void {
  const errors: FieldError[] = [];
  const about = asked.spec.resourceAttributes;
  if (about && (about.namespace ?? '') !== namespace) {
    const text = `must match metadata.namespace`;
    errors.push(invalidValue(FieldPath.of('spec', 'resourceAttributes', 'namespace'), about.namespace ?? '', text));
  }
  if (asked.spec.nonResourceAttributes) {
    const path = FieldPath.of('spec', 'nonResourceAttributes');
    errors.push(invalidValue(path, asked.spec.nonResourceAttributes, 'disallowed on this kind of request'));
  }
  asked.metadata.namespace ??= namespace;
  if (asked.metadata.namespace !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  if (errors.length > 0) throw invalid({ group: 'authorization.k8s.io', kind: '' }, '', errors);
}

function subjectOf(spec: Spec): UserInfo {
  const extra = (spec.extra ?? {}) as Record<string, string[]>;
  return user(spec.user ?? '', spec.groups ?? [], { uid: spec.uid ?? '', extra });
}

export function selfSubjectRulesReview(rbac: Rbac): Handler {
  return scope =>
    review(scope, object => {
      const asked = object as unknown as Draft<SelfSubjectRulesReview>;
      const namespace = asked.spec?.namespace ?? '';
      if (namespace === '') throw badRequest('no namespace on request');
      const { rules, problems } = rbac.rulesFor(scope.user, namespace);
      // Upstream answers with the status alone.
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
        incomplete: problems.length > 0,
        ...(problems.length > 0 && { evaluationError: problems.join(', ') }),
      } as never;
    });
}

/** Upstream's aggregate of what every authenticator said. */
function errorText(problems: readonly string[]): string {
  const all = ['invalid bearer token', ...problems];
  return all.length === 1 ? all[0]! : `[${all.join(', ')}]`;
}

export function tokenReview(tokens: readonly TokenAuthenticator[], apiAudiences: readonly string[]): Handler {
  return scope =>
    review(scope, async object => {
      const asked = object as unknown as Draft<TokenReview>;
      const spec = (asked.spec ??= { token: '' });
      if (!spec.token) throw badRequest('token is required for TokenReview in authentication');
      const wanted = spec.audiences?.length ? spec.audiences : apiAudiences;
      const problems: string[] = [];
      const found = await byToken(tokens, spec.token, problems);
      const audiences = found?.audiences ? wanted.filter(each => found.audiences!.includes(each)) : [...wanted];
      if (!found) asked.status = { error: errorText(problems) } as never;
      else if (audiences.length === 0) {
        const list = (all: readonly string[]) => `[${all.map(each => JSON.stringify(each)).join(' ')}]`;
        const error = `token audiences ${list(found.audiences ?? [])} is invalid for the target audiences ${list(wanted)}`;
        asked.status = { error: `[invalid bearer token, ${error}]` } as never;
      } else {
        asked.status = {
          authenticated: true,
          user: userInfoOf(withAuthenticatedGroup(found.user)),
          audiences,
        } as never;
      }
    });
}
