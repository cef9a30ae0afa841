/** PersistentVolumeClaims. Upstream: pkg/apis/core/v1/defaults.go, pkg/registry/core/persistentvolumeclaim/strategy.go. */
import type { KindRules } from '../../../kind.ts';
import type { PersistentVolumeClaim } from '../../../types.ts';

export const persistentVolumeClaimRules: KindRules<PersistentVolumeClaim> = {
  defaults(draft) {
    draft.spec.volumeMode ??= 'Filesystem';
    draft.status ??= {};
    if (!draft.status.phase) draft.status.phase = 'Pending';
  },
  prepareCreate: draft => void (draft.status = { phase: 'Pending' }),
  selectableFields: { names: ['name'], read: claim => ({ name: claim.metadata.name ?? '' }) },
  allowUnconditionalUpdate: true,
};
