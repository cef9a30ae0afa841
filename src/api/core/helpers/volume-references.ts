/** What volumes refer to. Upstream: pkg/api/v1/persistentvolume/util.go. */
import type { PersistentVolume } from '../../types.ts';

export interface SecretReferenceOfVolume {
  readonly namespace: string;
  readonly name: string;
}

/** The Secrets that a node needs to mount a volume; where the source names no namespace, those of its claim. */
export function volumeSecretsForNode(volume: PersistentVolume): SecretReferenceOfVolume[] {
  const { spec } = volume;
  const ofClaim = spec.claimRef?.namespace ?? '';
  const azure = spec.azureFile;
  const inClaim = [spec.cephfs, spec.flexVolume, spec.rbd, spec.scaleIO, spec.iscsi].map(source => source?.secretRef);
  const { csi } = spec;
  const explicit = [
    spec.cinder?.secretRef,
    spec.storageos?.secretRef,
    csi?.nodePublishSecretRef,
    csi?.nodeStageSecretRef,
    csi?.nodeExpandSecretRef,
  ];
  return [
    { namespace: azure?.secretNamespace || ofClaim, name: azure?.secretName ?? '' },
    ...inClaim.map(ref => ({ namespace: ref?.namespace || ofClaim, name: ref?.name ?? '' })),
    ...explicit.map(ref => ({ namespace: ref?.namespace ?? '', name: ref?.name ?? '' })),
  ].filter(({ name }) => name !== '');
}
