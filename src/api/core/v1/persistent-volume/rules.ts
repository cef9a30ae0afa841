/** PersistentVolumes. Upstream: pkg/apis/core/v1/defaults.go, pkg/registry/core/persistentvolume/strategy.go. */
import { formatTime } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { PersistentVolume } from '../../../types.ts';

export const persistentVolumeRules: KindRules<PersistentVolume> = {
  defaults(draft) {
    if (!draft.spec.persistentVolumeReclaimPolicy) draft.spec.persistentVolumeReclaimPolicy = 'Retain';
    draft.spec.volumeMode ??= 'Filesystem';
    if (draft.spec.hostPath) draft.spec.hostPath.type ??= '';
    draft.status ??= {};
    if (!draft.status.phase) draft.status.phase = 'Pending';
  },
  prepareCreate(draft, { nowMs }) {
    draft.status = { phase: 'Pending', lastPhaseTransitionTime: formatTime(nowMs) };
  },
  selectableFields: { names: ['name'], read: volume => ({ name: volume.metadata.name ?? '' }) },
  allowUnconditionalUpdate: true,
};
