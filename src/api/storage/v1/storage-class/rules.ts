/** StorageClasses. Upstream: pkg/apis/storage/{v1/defaults.go,validation}, pkg/registry/storage/storageclass. */
import {
  append,
  duplicate,
  type FieldError,
  FieldPath,
  notSupported,
  required,
  semanticEqual,
  validateLabelName,
} from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { StorageClass, TopologySelectorTerm } from '../../../types.ts';
import { checkImmutable, type Errors } from '../../../validation/common.ts';
import { checkParameters, checkProvisioner } from '../../../validation/storage-parameters.ts';

const at = (name: string): FieldPath => FieldPath.of(name);

function checkTerm(errors: Errors, path: FieldPath, term: TopologySelectorTerm): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  term.matchLabelExpressions?.forEach(({ key = '', values = [] }, i) => {
    const own = path.child('matchLabelExpressions').index(i);
    if (values.length === 0) errors.push(required(own.child('values')));
    values.forEach((value, j) => {
      if (values.indexOf(value) < j) errors.push(duplicate(own.child('values').index(j), value));
    });
    append(errors, validateLabelName(key, own.child('key')));
    if (found.has(key)) errors.push(duplicate(own.child('key'), key));
    found.set(key, new Set(values));
  });
  return found;
}

const canonical = (term: Map<string, Set<string>>): unknown =>
  [...term].map(([key, values]) => [key, [...values].sort()]).sort();

function checkTopologies(errors: Errors, terms: readonly TopologySelectorTerm[]): void {
  // Upstream begins with an empty shape for each term, and so finds a term that asks for nothing as often as there are
  // terms.
  const seen: unknown[] = terms.map(() => []);
  terms.forEach((term, i) => {
    const own = at('allowedTopologies').index(i);
    const shape = canonical(checkTerm(errors, own, term));
    for (const other of seen) {
      if (semanticEqual(other, shape)) errors.push(duplicate(own.child('matchLabelExpressions'), ''));
    }
    seen.push(shape);
  });
}

function validate(storage: StorageClass, old: StorageClass | null): FieldError[] {
  const errors: Errors = [];
  const { reclaimPolicy, volumeBindingMode: mode } = storage;
  checkProvisioner(errors, at('provisioner'), storage.provisioner);
  checkParameters(errors, at('parameters'), storage.parameters, true);
  const policies = ['Delete', 'Retain'];
  if (reclaimPolicy && !policies.includes(reclaimPolicy)) {
    errors.push(notSupported(at('reclaimPolicy'), reclaimPolicy, policies));
  }
  const modes = ['Immediate', 'WaitForFirstConsumer'];
  if (mode === undefined) errors.push(required(at('volumeBindingMode')));
  else if (!modes.includes(mode)) errors.push(notSupported(at('volumeBindingMode'), mode, modes));
  checkTopologies(errors, storage.allowedTopologies ?? []);
  if (old) {
    checkImmutable(errors, at('parameters'), storage.parameters ?? null, old.parameters ?? null);
    checkImmutable(errors, at('provisioner'), storage.provisioner ?? '', old.provisioner ?? '');
    checkImmutable(errors, at('reclaimPolicy'), storage.reclaimPolicy, old.reclaimPolicy);
    checkImmutable(errors, at('volumeBindingMode'), storage.volumeBindingMode, old.volumeBindingMode);
  }
  return errors;
}

export const storageClassRules: KindRules<StorageClass> = {
  defaults(draft) {
    draft.reclaimPolicy ??= 'Delete';
    draft.volumeBindingMode ??= 'Immediate';
  },
  validate,
  allowUnconditionalUpdate: true,
};
