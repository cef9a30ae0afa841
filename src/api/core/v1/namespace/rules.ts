/** Namespaces. Upstream: pkg/apis/core/{v1/defaults.go,validation}, pkg/registry/core/namespace/strategy.go. */
import {
  type Draft,
  type FieldError,
  FieldPath,
  invalidValue,
  nameIsDNSLabel,
  validateFinalizerName,
} from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import { keepSpec, keepStatus } from '../../../strategies.ts';
import type { Namespace } from '../../../types.ts';

const finalizer = 'kubernetes';
const nameLabel = 'kubernetes.io/metadata.name';
const standard = [finalizer, 'orphan', 'foregroundDeletion'];
const finalizersPath = FieldPath.of('spec', 'finalizers');

function setLabel(draft: Draft<Namespace>): void {
  if (draft.metadata.name) (draft.metadata.labels ??= {})[nameLabel] = draft.metadata.name;
}

function checkFinalizer(name: string, path: FieldPath): FieldError[] {
  const errors = validateFinalizerName(name, path);
  if (!name.includes('/') && !standard.includes(name)) {
    const text = 'name is neither a standard finalizer name nor is it fully qualified';
    errors.push(invalidValue(path, name, text));
  }
  return errors;
}

export const namespaceRules: KindRules<Namespace> = {
  defaults(draft) {
    setLabel(draft);
    draft.status ??= {};
    if (!draft.status.phase) draft.status.phase = 'Active';
  },
  prepareCreate(draft) {
    draft.status = { phase: 'Active' };
    draft.spec ??= {};
    draft.spec.finalizers ??= [];
    if (!draft.spec.finalizers.includes(finalizer)) draft.spec.finalizers.push(finalizer);
  },
  prepareUpdate(draft, old, context) {
    keepStatus(draft, old);
    if (context.subresource === 'finalize') return;
    draft.spec ??= {};
    if (old.spec?.finalizers) draft.spec.finalizers = [...old.spec.finalizers];
    else delete draft.spec.finalizers;
  },
  prepareStatus: keepSpec,
  validate(namespace, _old, context) {
    const each = (name: string, i: number): FieldError[] =>
      checkFinalizer(name, context.subresource === 'finalize' ? finalizersPath.index(i) : finalizersPath);
    return (namespace.spec?.finalizers ?? []).flatMap(each);
  },
  validateStatus(namespace) {
    const phase = namespace.status?.phase ?? '';
    const wanted = namespace.metadata.deletionTimestamp ? 'Terminating' : 'Active';
    if (phase === wanted) return [];
    const when = wanted === 'Active' ? 'is empty' : 'is not empty';
    const text = `may only be '${wanted}' if \`deletionTimestamp\` ${when}`;
    return [invalidValue(FieldPath.of('status', 'Phase'), phase, text)];
  },
  canonicalize: setLabel,
  validateName: nameIsDNSLabel,
  selectableFields: {
    names: ['status.phase'],
    read: namespace => ({ 'status.phase': namespace.status?.phase ?? '' }),
  },
  allowUnconditionalUpdate: true,
};
