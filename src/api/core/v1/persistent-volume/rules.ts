/** PersistentVolumes. Upstream: pkg/apis/core/{v1/defaults.go,validation}, pkg/registry/core/persistentvolume. */
import { type Draft, type FieldError, FieldPath, forbiddenField, formatTime } from '#apimachinery';
import { roundResources } from '../../../defaulting.ts';
import type { KindRules } from '../../../kind.ts';
import { keepSpec } from '../../../strategies.ts';
import type { PersistentVolume, PersistentVolumeSpec, VolumeNodeAffinity } from '../../../types.ts';
import { checkImmutable, type Errors } from '../../../validation/common.ts';
import { internalEqual, internalText, invalidInternal } from '../../../validation/internal-value.ts';
import { checkVolumeSpec, type VolumeSpecOptions } from '../../../validation/persistent-volumes.ts';
import { hasInvalidTermValues } from '../../../validation/pod-specs.ts';
import { unifiedDiff } from '../../../validation/unified-diff.ts';

const path = FieldPath.of('spec');
const mountable = [
  ...(['gcePersistentDisk', 'awsElasticBlockStore', 'glusterfs', 'nfs', 'rbd', 'quobyte', 'iscsi', 'cinder'] as const),
  ...(['cephfs', 'azureFile', 'vsphereVolume', 'azureDisk', 'photonPersistentDisk'] as const),
];
const mountOptions = 'volume.beta.kubernetes.io/mount-options';
/** Labels that had another name before they were stable. */
const stableLabel: Readonly<Record<string, string>> = {
  'failure-domain.beta.kubernetes.io/zone': 'topology.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region': 'topology.kubernetes.io/region',
  'beta.kubernetes.io/os': 'kubernetes.io/os',
  'beta.kubernetes.io/arch': 'kubernetes.io/arch',
  'beta.kubernetes.io/instance-type': 'node.kubernetes.io/instance-type',
};

const notSource = new Set([
  ...['capacity', 'accessModes', 'claimRef', 'persistentVolumeReclaimPolicy', 'storageClassName', 'mountOptions'],
  ...['volumeMode', 'nodeAffinity', 'volumeAttributesClassName'],
]);

function sourceOf(spec: PersistentVolumeSpec): Record<string, unknown> {
  return Object.fromEntries(Object.entries(spec).filter(([name]) => !notSource.has(name)));
}

function checkSource(errors: Errors, now: PersistentVolumeSpec, before: PersistentVolumeSpec): void {
  const source = sourceOf(now);
  if (before.csi && !before.csi.controllerExpandSecretRef && now.csi?.controllerExpandSecretRef) {
    const { controllerExpandSecretRef: _, ...csi } = now.csi;
    source['csi'] = csi;
  }
  const old = sourceOf(before);
  const type = 'core.PersistentVolumeSource';
  if (internalEqual(type, source, old)) return;
  const diff = unifiedDiff(internalText(type, old), internalText(type, source));
  const text = `spec.persistentvolumesource is immutable after creation\n${diff}`;
  errors.push(forbiddenField(path.child('persistentvolumesource'), text));
}

function stable(affinity: VolumeNodeAffinity | undefined, like: VolumeNodeAffinity | undefined): unknown {
  const terms = affinity?.required?.nodeSelectorTerms?.map((term, i) => {
    const other = like?.required?.nodeSelectorTerms?.[i];
    const rename = (list: typeof term.matchExpressions, others: typeof term.matchExpressions) =>
      list?.map((each, j) => {
        const other = others?.[j];
        const key = other?.key ?? '';
        // Upstream's table answers the empty label for those that it does not know.
        return other && (stableLabel[each.key] ?? '') === key ? { ...each, key } : each;
      });
    return {
      ...term,
      ...(term.matchExpressions && { matchExpressions: rename(term.matchExpressions, other?.matchExpressions) }),
      ...(term.matchFields && { matchFields: rename(term.matchFields, other?.matchFields) }),
    };
  });
  return (
    affinity && {
      ...affinity,
      ...(affinity.required && { required: { ...affinity.required, nodeSelectorTerms: terms } }),
    }
  );
}

function checkUpdate(errors: Errors, volume: PersistentVolume, old: PersistentVolume): void {
  const { spec } = volume;
  const before = old.spec;
  checkSource(errors, spec, before);
  checkImmutable(errors, FieldPath.of('volumeMode'), spec.volumeMode, before.volumeMode);
  if (
    before.nodeAffinity &&
    !internalEqual('core.VolumeNodeAffinity', spec.nodeAffinity, stable(before.nodeAffinity, spec.nodeAffinity))
  ) {
    const text = 'field is immutable, except for updating from beta label to GA';
    errors.push(invalidInternal(FieldPath.of('nodeAffinity'), 'core.VolumeNodeAffinity', spec.nodeAffinity, text));
  }
  if (before.volumeAttributesClassName !== undefined && spec.volumeAttributesClassName === undefined) {
    const text = 'update from non-nil value to nil is forbidden';
    errors.push(forbiddenField(path.child('volumeAttributesClassName'), text));
  }
}

function validate(volume: PersistentVolume, old: PersistentVolume | null): FieldError[] {
  const errors: Errors = [];
  const options: VolumeSpecOptions = {
    volumeName: volume.metadata.name ?? '',
    allowInvalidNodeAffinityValues: hasInvalidTermValues(old?.spec.nodeAffinity?.required?.nodeSelectorTerms),
  };
  checkVolumeSpec(errors, path, volume.spec, options);
  if (volume.metadata.annotations?.[mountOptions] !== undefined && !mountable.some(name => volume.spec[name])) {
    const at = FieldPath.of('metadata', 'annotations', mountOptions);
    errors.push(forbiddenField(at, 'may not specify mount options for this volume type'));
  }
  if (old) {
    // Upstream checks the spec a second time.
    checkVolumeSpec(errors, path, volume.spec, options);
    checkUpdate(errors, volume, old);
  }
  return errors;
}

/** Of the source, also where it stands in a VolumeAttachment. */
export function volumeSourceDefaults(spec: Draft<PersistentVolume>['spec']): void {
  if (spec.hostPath) spec.hostPath.type ??= '';
  if (spec.iscsi && !spec.iscsi.iscsiInterface) spec.iscsi.iscsiInterface = 'default';
  if (spec.rbd) {
    if (!spec.rbd.pool) spec.rbd.pool = 'rbd';
    if (!spec.rbd.user) spec.rbd.user = 'admin';
    if (!spec.rbd.keyring) spec.rbd.keyring = '/etc/ceph/keyring';
  }
  if (spec.azureDisk) {
    spec.azureDisk.cachingMode ??= 'ReadWrite';
    spec.azureDisk.kind ??= 'Shared';
    spec.azureDisk.fsType ??= 'ext4';
    spec.azureDisk.readOnly ??= false;
  }
  if (spec.scaleIO) {
    if (!spec.scaleIO.storageMode) spec.scaleIO.storageMode = 'ThinProvisioned';
    if (!spec.scaleIO.fsType) spec.scaleIO.fsType = 'xfs';
  }
}

function defaults(draft: Draft<PersistentVolume>): void {
  const { spec } = draft;
  roundResources(spec.capacity);
  if (!spec.persistentVolumeReclaimPolicy) spec.persistentVolumeReclaimPolicy = 'Retain';
  spec.volumeMode ??= 'Filesystem';
  volumeSourceDefaults(spec);
  draft.status ??= {};
  if (!draft.status.phase) draft.status.phase = 'Pending';
}

export const persistentVolumeRules: KindRules<PersistentVolume> = {
  defaults,
  prepareCreate(draft, { nowMs }) {
    draft.status = { phase: 'Pending', lastPhaseTransitionTime: formatTime(nowMs) };
  },
  prepareStatus(draft, old, { nowMs }) {
    keepSpec(draft, old);
    const status = (draft.status ??= {});
    const since = old.status?.lastPhaseTransitionTime;
    if (old.status?.phase === status.phase) {
      if (!status.lastPhaseTransitionTime && since) status.lastPhaseTransitionTime = since;
    } else if (!status.lastPhaseTransitionTime || status.lastPhaseTransitionTime === since) {
      status.lastPhaseTransitionTime = formatTime(nowMs);
    }
  },
  validate,
  allowUnconditionalUpdate: true,
};
