/** Namespaces. Upstream: pkg/apis/core/v1/defaults.go (SetDefaults_Namespace), pkg/registry/core/namespace/strategy.go. */
import { isDNS1123Label } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { Namespace } from '../../../types.ts';

const finalizer = 'kubernetes';
const nameLabel = 'kubernetes.io/metadata.name';

export const namespaceRules: KindRules<Namespace> = {
  defaults(draft) {
    if (draft.metadata.name) (draft.metadata.labels ??= {})[nameLabel] ??= draft.metadata.name;
  },
  prepareCreate(draft) {
    draft.status = { phase: 'Active' };
    draft.spec ??= {};
    draft.spec.finalizers ??= [];
    if (!draft.spec.finalizers.includes(finalizer)) draft.spec.finalizers.push(finalizer);
  },
  prepareUpdate(draft, old, context) {
    if (context.subresource !== 'finalize')
      draft.spec = { ...structuredClone(old.spec), finalizers: [...(old.spec?.finalizers ?? [])] };
    draft.status = structuredClone(old.status ?? {}) as never;
  },
  prepareStatus(draft, old) {
    draft.spec = structuredClone(old.spec) as never;
  },
  validateName: isDNS1123Label,
  selectableFields: {
    names: ['status.phase', 'name'],
    read: namespace => ({ 'status.phase': namespace.status?.phase ?? '', name: namespace.metadata.name ?? '' }),
  },
  allowUnconditionalUpdate: true,
};
