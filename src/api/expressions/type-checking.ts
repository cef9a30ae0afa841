/**
 * What is wrong with the expressions of a ValidatingAdmissionPolicy, were the objects that it matches of their declared
 * types: warnings, for expressions are run on objects of any type. Upstream: apiserver
 * pkg/admission/plugin/policy/validating/typechecking.go.
 */
import { type GroupVersionKind, parseApiVersion } from '#apimachinery';
import { authorizerType, type DeclType, dynType, type Environment } from '#apimachinery/cel';
import type { ExpressionWarning, NamedRuleWithOperations, ValidatingAdmissionPolicy } from '../types.ts';
import { namespaceDecl, requestDecl } from './admission.ts';
import { baseEnvironment } from './base.ts';
import { resultDecl, structDecl } from './declare.ts';

/** Upstream's limit of types for a policy. */
const maxTypes = 10;

/** What is known of kinds. */
export interface TypeSource {
  kindOf(group: string, version: string, resource: string): GroupVersionKind | undefined;
  /** The type of its objects, under this name; undefined when it has no schema. */
  declOf(gvk: GroupVersionKind, name: string): DeclType | undefined;
}

interface Checked {
  readonly gvk: GroupVersionKind;
  readonly environment: Environment;
}

/** Empty when there is nothing to warn of. `unique`: makes names of types that occur in no other check. */
export function typeCheckingWarnings(
  { spec }: ValidatingAdmissionPolicy,
  types: TypeSource,
  unique: () => number,
): ExpressionWarning[] {
  if (!spec) return [];
  const named = (gvk: GroupVersionKind): DeclType | undefined => types.declOf(gvk, `${gvk.kind}${unique()}`);
  const { paramKind } = spec;
  const paramGvk = paramKind && { ...parseApiVersion(paramKind.apiVersion ?? ''), kind: paramKind.kind ?? '' };
  const params = paramGvk && { params: named(paramGvk) ?? dynType };
  const matched = matchedKinds(spec.matchConstraints?.resourceRules ?? [], types);
  const all = matched.flatMap((gvk): Checked[] => {
    const object = named(gvk);
    if (!object) return [];
    const environment = baseEnvironment().extend({
      object,
      oldObject: object,
      ...params,
      namespaceObject: namespaceDecl,
      request: requestDecl,
      authorizer: { type: authorizerType, minSerializedSize: 0, maxElements: 0 },
    });
    return [{ gvk, environment: withVariables(environment, spec.variables ?? []) }];
  });
  const check = (fieldRef: string, text: string | undefined): ExpressionWarning[] => {
    if (!text) return [];
    const warning = all.map(each => problem(each, text)).filter(each => each !== '');
    return warning.length > 0 ? [{ fieldRef, warning: warning.join('\n') }] : [];
  };
  return (spec.validations ?? []).flatMap(({ expression, messageExpression }, at) => [
    ...check(`spec.validations[${at}].expression`, expression),
    ...check(`spec.validations[${at}].messageExpression`, messageExpression),
  ]);
}

function withVariables(
  environment: Environment,
  variables: ReadonlyArray<{ readonly name: string; readonly expression: string }>,
): Environment {
  const fields: Record<string, DeclType> = {};
  const composed = (): Environment => environment.extend({ variables: structDecl('kubernetes.variables', fields) });
  for (const { name, expression } of variables) fields[name] = resultDecl(composed().compile(expression).resultType);
  return composed();
}

function problem({ gvk, environment }: Checked, text: string): string {
  const compiled = environment.compile(text);
  // A constant that is wrong is found when the program is made, which a check does not do.
  if (compiled.issues === undefined || compiled.failed === 'program') return '';
  return `${gvk.group}/${gvk.version}, Kind=${gvk.kind}: ${compiled.issues}\n`;
}

/** In order of group, version and kind; rules with wildcards say nothing of types. */
function matchedKinds(rules: readonly NamedRuleWithOperations[], types: TypeSource): GroupVersionKind[] {
  const found = new Map<string, GroupVersionKind>();
  for (const rule of rules) {
    const { apiGroups = [], apiVersions = [], resources = [] } = rule;
    if ([...apiGroups, ...apiVersions].some(each => each.includes('*'))) continue;
    const plain = resources.filter(each => !/[*/]/.test(each)).toSorted();
    let count = 0;
    for (const group of apiGroups.toSorted()) {
      for (const version of apiVersions.toSorted()) {
        for (const resource of plain) {
          const gvk = types.kindOf(group, version, resource);
          if (!gvk) continue;
          found.set(`${gvk.group}/${gvk.version}/${gvk.kind}`, gvk);
          if (++count === maxTypes) return sorted(found);
        }
      }
    }
  }
  return sorted(found);
}

function sorted(found: ReadonlyMap<string, GroupVersionKind>): GroupVersionKind[] {
  const order = ({ group, version, kind }: GroupVersionKind): string => `${group}\0${version}\0${kind}`;
  return [...found.values()].sort((a, b) => (order(a) < order(b) ? -1 : 1));
}
