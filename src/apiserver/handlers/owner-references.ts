/** Duplicate owner references are dropped with a warning. Upstream: handlers/rest.go dedupOwnerReferencesAndAddWarning. */
import type { Draft, KubeObject, OwnerReference } from '#apimachinery';

const text = (owner: OwnerReference): string =>
  JSON.stringify([owner.apiVersion, owner.kind, owner.name, owner.uid, owner.controller, owner.blockOwnerDeletion]);

/** `afterAdmission` only changes the wording. */
export function dedupOwnerReferences(
  object: Draft<KubeObject>,
  warn: (text: string) => void,
  afterAdmission: boolean,
): void {
  const { metadata } = object;
  const owners = metadata.ownerReferences;
  if (!owners || owners.length < 2) return;
  const seen = new Set<string>();
  const duplicates: string[] = [];
  const unique = owners.filter(owner => {
    const key = text(owner);
    if (!seen.has(key)) {
      seen.add(key);
      return true;
    }
    if (!duplicates.includes(owner.uid)) duplicates.push(owner.uid);
    return false;
  });
  if (duplicates.length === 0) return;
  metadata.ownerReferences = unique;
  const what = afterAdmission ? ' after mutating admission happens' : '';
  warn(
    `.metadata.ownerReferences contains duplicate entries${what}; API server dedups owner references in 1.20+, ` +
      `and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ` +
      `${duplicates.join(', ')}`,
  );
}
