/** Small words for strategies: what most kinds do before they are validated. */
import type { Draft, KubeObject } from '#apimachinery';

/** Sets `draft[field]` to what `old` has, or takes it away. */
export function keepField(draft: object, old: object, field: string): void {
  const value = (old as Readonly<Record<string, unknown>>)[field];
  if (value === undefined) delete (draft as Record<string, unknown>)[field];
  else (draft as Record<string, unknown>)[field] = structuredClone(value);
}

/** On creation: a client's status does not count. */
export function dropStatus(draft: Draft<KubeObject>): void {
  delete draft['status'];
}

/** On update: the status is changed through its own subresource. */
export function keepStatus(draft: Draft<KubeObject>, old: KubeObject): void {
  keepField(draft, old, 'status');
}

/** On a write to the status: the spec is changed through the main resource. */
export function keepSpec(draft: Draft<KubeObject>, old: KubeObject): void {
  keepField(draft, old, 'spec');
}

/** On writes that are not about metadata: what clients may change of it stays as it was. Upstream: ResetObjectMetaForStatus. */
export function keepMetadata(draft: Draft<KubeObject>, old: KubeObject): void {
  for (const field of ['deletionTimestamp', 'selfLink', 'labels', 'annotations', 'finalizers', 'ownerReferences']) {
    keepField(draft.metadata, old.metadata, field);
  }
}

/** On a write to the status, of the kinds whose metadata is then the old one, but for who owns which field. */
export function keepSpecAndAllMetadata(draft: Draft<KubeObject>, old: KubeObject): void {
  keepSpec(draft, old);
  for (const field of new Set([...Object.keys(draft.metadata), ...Object.keys(old.metadata)])) {
    if (field !== 'managedFields') keepField(draft.metadata, old.metadata, field);
  }
}

/** On a write to the status, of the kinds that let it change no metadata either. */
export function keepAllButStatus(draft: Draft<KubeObject>, old: KubeObject): void {
  keepSpec(draft, old);
  keepMetadata(draft, old);
}
