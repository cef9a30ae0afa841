/**
 * What the conditions of a definition should be, and its accepted names. Upstream: apiextensions-apiserver
 * pkg/controller/{status/naming_controller,establish,nonstructuralschema,apiapproval}, pkg/apihelpers/helpers.go.
 */
import { approvalOf, caBundleFault, isProtectedGroup } from '#api/apiextensions/helpers';
import type { CustomResourceDefinition } from '#api/types';
import { aggregateText, append, FieldPath, formatTime, goQuote, invalidValue, semanticEqual } from '#apimachinery';
import { type JsonSchema, validateStructural } from '#apimachinery/schema';

type Names = Partial<CustomResourceDefinition['spec']['names']>;

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

interface StoredCondition extends Partial<Condition> {
  lastTransitionTime?: string;
}

interface Status {
  conditions?: StoredCondition[];
}

/** Sets a condition of a definition's draft; its time changes with its status only. */
export function setCondition(draft: { [key: string]: unknown }, condition: Condition, nowMs: number): void {
  const status = (draft['status'] ??= {}) as Status;
  const conditions = (status.conditions ??= []);
  const found = conditions.find(each => each.type === condition.type);
  const { type, reason, message } = condition;
  const lastTransitionTime =
    found?.status === condition.status && found.lastTransitionTime ? found.lastTransitionTime : formatTime(nowMs);
  const next = { type, status: condition.status, lastTransitionTime, reason, message };
  if (found) Object.assign(found, next);
  else conditions.push(next);
}

export function removeCondition(draft: { [key: string]: unknown }, type: string): void {
  const status = draft['status'] as Status | undefined;
  if (status?.conditions) status.conditions = status.conditions.filter(each => each.type !== type);
}

export function conditionOf(crd: CustomResourceDefinition, type: string): Condition | undefined {
  return crd.status?.conditions?.find(each => each.type === type) as Condition | undefined;
}

export function isTrue(crd: CustomResourceDefinition, type: string): boolean {
  return conditionOf(crd, type)?.status === 'True';
}

export function isSame(a: Condition | undefined, b: Condition | undefined): boolean {
  return a?.status === b?.status && a?.reason === b?.reason && a?.message === b?.message;
}

export interface NamesOutcome {
  readonly accepted: Names;
  readonly condition: Condition;
}

/** Which of the names it may have, beside what `others` of its group have been given. Its own count as taken too. */
export function acceptNames(crd: CustomResourceDefinition, all: readonly CustomResourceDefinition[]): NamesOutcome {
  const resources = new Set<string>();
  const kinds = new Set<string>();
  for (const { spec, status } of all) {
    if (spec.group !== crd.spec.group) continue;
    const { plural, singular, shortNames = [], kind, listKind } = status?.acceptedNames ?? ({} as Names);
    for (const word of [plural, singular, ...(shortNames ?? [])]) if (word) resources.add(word);
    for (const word of [kind, listKind]) if (word) kinds.add(word);
  }
  const wanted = crd.spec.names;
  const have = (crd.status?.acceptedNames ?? {}) as Names;
  const accepted = { ...have } as { -readonly [K in keyof Names]: Names[K] };
  let condition: Condition = {
    type: 'NamesAccepted',
    status: 'True',
    reason: 'NoConflicts',
    message: 'no conflicts found',
  };
  const conflict = (reason: string, texts: readonly string[]): void => {
    const message = texts.length === 1 ? texts[0]! : `[${texts.join(', ')}]`;
    condition = { type: 'NamesAccepted', status: 'False', reason, message };
  };
  const inUse = (word: string): string => `${goQuote(word)} is already in use`;
  const take = (name: 'plural' | 'singular' | 'kind' | 'listKind', taken: ReadonlySet<string>, reason: string) => {
    const word = wanted[name] ?? '';
    if (word !== (have[name] ?? '') && taken.has(word)) conflict(reason, [inUse(word)]);
    else accepted[name] = word;
  };
  take('plural', resources, 'PluralConflict');
  take('singular', resources, 'SingularConflict');
  const own = new Set(have.shortNames ?? []);
  const texts = (wanted.shortNames ?? []).filter(word => !own.has(word) && resources.has(word)).map(inUse);
  if (texts.length > 0) conflict('ShortNamesConflict', [...new Set(texts)]);
  else if (wanted.shortNames) accepted.shortNames = wanted.shortNames;
  else delete accepted.shortNames;
  take('kind', kinds, 'KindConflict');
  take('listKind', kinds, 'ListKindConflict');
  if (wanted.categories) accepted.categories = wanted.categories;
  else delete accepted.categories;
  return { accepted, condition };
}

export function namesSettled(crd: CustomResourceDefinition): boolean {
  return semanticEqual(crd.spec.names, crd.status?.acceptedNames);
}

/** The condition `Established` beside a new one of the names. */
export function establishedBeside(crd: CustomResourceDefinition, names: Condition): Condition {
  const old = conditionOf(crd, 'Established');
  if (old?.status === 'True') return old;
  if (names.status === 'True') {
    const message = 'the initial names have been accepted';
    return { type: 'Established', status: 'False', reason: 'Installing', message };
  }
  const message = 'not all names are accepted';
  return old ?? { type: 'Established', status: 'False', reason: 'NotAccepted', message };
}

const established: Condition = {
  type: 'Established',
  status: 'True',
  reason: 'InitialNamesAccepted',
  message: 'the initial names have been accepted',
};

const unestablished: Condition = {
  type: 'Established',
  status: 'False',
  reason: 'InvalidCABundle',
  message: 'The conversion webhook CABundle is invalid',
};

/** The condition `Established` of a definition that has its names. */
export function establishing({ spec }: CustomResourceDefinition): Condition {
  const caBundle = spec.conversion?.webhook?.clientConfig?.caBundle;
  return caBundle && caBundleFault(caBundle) !== undefined ? unestablished : established;
}

/** Undefined while all schemas are structural; where unknown fields are pruned, none is stored that is not. */
export function structuralCondition({ spec }: CustomResourceDefinition): Condition | undefined {
  if (!spec.preserveUnknownFields) return undefined;
  const path = FieldPath.of('spec');
  const errors = [invalidValue(path.child('preserveUnknownFields'), true, 'must be false')];
  spec.versions.forEach(({ schema }, i) => {
    const raw = schema?.openAPIV3Schema as JsonSchema | undefined;
    if (raw)
      append(errors, validateStructural(raw, path.child('versions').index(i).child('schema', 'openAPIV3Schema')));
  });
  return { type: 'NonStructuralSchema', status: 'True', reason: 'Violations', message: aggregateText(errors) };
}

/** Undefined for groups that need no approval. */
export function approvalCondition(crd: CustomResourceDefinition): Condition | undefined {
  if (!isProtectedGroup(crd.spec.group)) return undefined;
  const { state, reason } = approvalOf(crd);
  const type = 'KubernetesAPIApprovalPolicyConformant';
  const status = state === 'Approved' ? 'True' : 'False';
  return { type, status, reason: `${state}Annotation`, message: reason };
}
