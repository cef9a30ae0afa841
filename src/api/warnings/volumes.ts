/** Persistent volumes and their claims. Upstream: pkg/api/persistentvolume/util.go, pkg/api/persistentvolumeclaim/util.go. */
import { FieldPath } from '#apimachinery';
import type {
  PersistentVolume,
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
  PersistentVolumeSpec,
} from '../types.ts';
import { selectorTermWarnings } from './node-labels.ts';
import { fractionalBytesWarnings } from './quantities.ts';

const spec = FieldPath.of('spec');
const annotations = FieldPath.of('metadata', 'annotations');
const betaClass = 'volume.beta.kubernetes.io/storage-class';
const betaMountOptions = 'volume.beta.kubernetes.io/mount-options';
const useClassName = 'deprecated since v1.8; use "storageClassName" attribute instead';

/** Sources that no longer work, with the name that upstream's path has. */
const sources: readonly (readonly [keyof PersistentVolumeSpec, string, string])[] = [
  ['cephfs', 'cephfs', 'deprecated in v1.28, non-functional in v1.31+'],
  ['photonPersistentDisk', 'photonPersistentDisk', 'deprecated in v1.11, non-functional in v1.16+'],
  ['scaleIO', 'scaleIO', 'deprecated in v1.16, non-functional in v1.22+'],
  ['storageos', 'storageOS', 'deprecated in v1.22, non-functional in v1.25+'],
  ['glusterfs', 'glusterfs', 'deprecated in v1.25, non-functional in v1.26+'],
  ['rbd', 'rbd', 'deprecated in v1.28, non-functional in v1.31+'],
];

export function persistentVolumeWarnings(volume: PersistentVolume): string[] {
  const warnings: string[] = [];
  const given = volume.metadata.annotations ?? {};
  if (given[betaClass] !== undefined) warnings.push(`${annotations.key(betaClass)}: ${useClassName}`);
  if (given[betaMountOptions] !== undefined) {
    const text = 'deprecated since v1.31; use "mountOptions" attribute instead';
    warnings.push(`${annotations.key(betaMountOptions)}: ${text}`);
  }
  if (volume.spec?.persistentVolumeReclaimPolicy === 'Recycle') {
    const text = 'Instead, the recommended approach is to use dynamic provisioning.';
    warnings.push(`spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. ${text}`);
  }
  const terms = spec.child('nodeAffinity', 'required', 'nodeSelectorTerms');
  volume.spec?.nodeAffinity?.required?.nodeSelectorTerms?.forEach((term, i) => {
    warnings.push(...selectorTermWarnings(terms.index(i), term, false));
  });
  for (const [source, shown, text] of sources) {
    if (volume.spec?.[source] !== undefined) warnings.push(`${spec.child(shown)}: ${text}`);
  }
  return warnings;
}

export function claimSpecWarnings(path: FieldPath, claim: PersistentVolumeClaimSpec | undefined): string[] {
  return (['requests', 'limits'] as const).flatMap(list =>
    fractionalBytesWarnings(path.child('resources', list), claim?.resources?.[list], 'storage'),
  );
}

export function persistentVolumeClaimWarnings(claim: PersistentVolumeClaim): string[] {
  const old = claim.metadata.annotations?.[betaClass] !== undefined;
  return [...(old ? [`${annotations.key(betaClass)}: ${useClassName}`] : []), ...claimSpecWarnings(spec, claim.spec)];
}
