/**
 * Namespaces die in two steps: the first DELETE marks them Terminating, the namespace controller empties them and takes
 * their finalizer, and that update removes them. Upstream: pkg/registry/core/namespace/storage/storage.go.
 */
import { type DeleteOptions, type Draft, formatTime, type KubeObject } from '#apimachinery';
import type { RegistryHook } from '../registry.ts';

interface NamespaceShape {
  spec?: { finalizers?: string[] };
  status?: { phase?: string };
}

function wanted(options: DeleteOptions, policy: string, orphan: boolean, standing: boolean): boolean {
  if (options.orphanDependents !== undefined) return options.orphanDependents === orphan;
  if (options.propagationPolicy !== undefined) return options.propagationPolicy === policy;
  return standing;
}

export const namespaceHook: RegistryHook = {
  prepare: () => undefined,
  mayDelete: object => ((object as NamespaceShape).spec?.finalizers ?? []).length === 0,
  beginDelete(draft: Draft<KubeObject>, options: DeleteOptions, nowMs: number) {
    const namespace = draft as unknown as NamespaceShape & Draft<KubeObject>;
    const { metadata } = namespace;
    if (metadata.deletionTimestamp) return (namespace.spec?.finalizers ?? []).length > 0 ? 'pending' : 'continue';
    metadata.deletionTimestamp = formatTime(nowMs);
    namespace.status = { ...namespace.status, phase: 'Terminating' };
    const finalizers = new Set(metadata.finalizers ?? []);
    for (const [name, policy, orphan] of [
      ['orphan', 'Orphan', true],
      ['foregroundDeletion', 'Foreground', false],
    ] as const) {
      if (wanted(options, policy, orphan, finalizers.has(name))) finalizers.add(name);
      else finalizers.delete(name);
    }
    if (finalizers.size > 0) metadata.finalizers = [...finalizers];
    else delete metadata.finalizers;
    return 'mark';
  },
};
