/**
 * Conditions in CEL that say which questions a webhook is asked. Upstream: apiserver
 * pkg/authorization/cel/{compile,matcher}.go.
 */
import { baseEnvironment, listDecl, mapDecl, stringDecl, structDecl, typeText } from '#api/expressions';
import { type DeclType, dynValue, type Environment, type Program } from '#apimachinery/cel';
import { aggregated } from '../authorizer.ts';
import type { ReviewSpec } from './review.ts';

const requirementDecl = structDecl('kubernetes.SelectorRequirement', {
  key: stringDecl,
  operator: stringDecl,
  values: listDecl(stringDecl),
});
const selectorFields = { rawSelector: stringDecl, requirements: listDecl(requirementDecl) };

const requestDecl: DeclType = structDecl('kubernetes.SubjectAccessReviewSpec', {
  resourceAttributes: structDecl('kubernetes.ResourceAttributes', {
    namespace: stringDecl,
    verb: stringDecl,
    group: stringDecl,
    version: stringDecl,
    resource: stringDecl,
    subresource: stringDecl,
    name: stringDecl,
    fieldSelector: structDecl('kubernetes.FieldSelectorAttributes', selectorFields),
    labelSelector: structDecl('kubernetes.LabelSelectorAttributes', selectorFields),
  }),
  nonResourceAttributes: structDecl('kubernetes.NonResourceAttributes', { path: stringDecl, verb: stringDecl }),
  user: stringDecl,
  groups: listDecl(stringDecl),
  extra: mapDecl(stringDecl, listDecl(stringDecl)),
  uid: stringDecl,
});

export interface MatchCondition {
  readonly text: string;
  readonly program: Program;
}

/** Compiles the conditions of one configuration after another in one environment. */
export class MatchConditionCompiler {
  #environment: Environment | undefined;

  compile(text: string): { readonly condition: MatchCondition } | { readonly error: string } {
    this.#environment ??= baseEnvironment().extend({ request: requestDecl });
    const compiled = this.#environment.compile(text);
    if (compiled.failed === 'compilation') return { error: compiled.fault };
    const got = typeText(compiled.resultType);
    if (got !== 'bool') return { error: `must evaluate to bool but got ${got}` };
    if (compiled.failed) return { error: compiled.fault };
    return { condition: { text, program: compiled.program } };
  }
}

/** Whether a question is one for the webhook; `errors` when some conditions failed and none said no. */
export type MatchOutcome = { readonly matches: boolean; readonly error?: string | undefined };

export function evaluateConditions(conditions: readonly MatchCondition[], spec: ReviewSpec): MatchOutcome {
  if (conditions.length === 0) return { matches: true };
  const request = dynValue(shown(spec));
  const errors: string[] = [];
  for (const { text, program } of conditions) {
    const { value, error } = program.evaluate(name => (name === 'request' ? request : undefined));
    if (error !== undefined) errors.push(`cel evaluation error: expression '${text}' resulted in error: ${error}`);
    else if (value !== true) return { matches: false };
  }
  return errors.length > 0 ? { matches: false, error: aggregated(errors) } : { matches: true };
}

/** Expressions see every text there may be, empty ones too. */
function shown({ resourceAttributes: about, nonResourceAttributes: path, ...spec }: ReviewSpec): object {
  return {
    user: spec.user ?? '',
    groups: spec.groups ?? [],
    uid: spec.uid ?? '',
    extra: spec.extra ?? {},
    ...(about && {
      resourceAttributes: {
        namespace: '',
        verb: '',
        group: '',
        version: '',
        resource: '',
        subresource: '',
        name: '',
        ...about,
      },
    }),
    ...(path && { nonResourceAttributes: { verb: '', path: '', ...path } }),
  };
}
