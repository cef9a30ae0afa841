/** The rows of volumes and claims. Upstream: printPersistentVolume, printPersistentVolumeClaim in printers.go. */
import type { PersistentVolume, PersistentVolumeClaim } from '../types.ts';
import { age, type Row, row } from './cells.ts';

const shortModes = { ReadWriteOnce: 'RWO', ReadOnlyMany: 'ROX', ReadWriteMany: 'RWX', ReadWriteOncePod: 'RWOP' };
const classAnnotation = 'volume.beta.kubernetes.io/storage-class';

function accessModes(modes: readonly string[] | undefined): string {
  const found = Object.entries(shortModes).filter(([mode]) => modes?.includes(mode));
  return found.map(([, short]) => short).join(',');
}

function className(object: PersistentVolume | PersistentVolumeClaim): string {
  return object.metadata.annotations?.[classAnnotation] ?? object.spec.storageClassName ?? '';
}

/** Name, size, modes, policy, state, claim, class, reason, age, mode. */
export function volumeRow(volume: PersistentVolume, nowMs: number): Row {
  const { metadata, spec, status } = volume;
  const { claimRef } = spec;
  return row(
    metadata.name ?? '',
    spec.capacity?.['storage'] ?? '0',
    accessModes(spec.accessModes),
    spec.persistentVolumeReclaimPolicy ?? '',
    metadata.deletionTimestamp ? 'Terminating' : (status?.phase ?? ''),
    claimRef ? `${claimRef.namespace ?? ''}/${claimRef.name ?? ''}` : '',
    className(volume),
    spec.volumeAttributesClassName ?? '<unset>',
    status?.reason ?? '',
    age(metadata.creationTimestamp, nowMs),
    spec.volumeMode ?? '<unset>',
  );
}

/** Name, state, volume, size, modes, class, age, mode. */
export function claimRow(claim: PersistentVolumeClaim, nowMs: number): Row {
  const { metadata, spec, status } = claim;
  const bound = Boolean(spec.volumeName);
  return row(
    metadata.name ?? '',
    metadata.deletionTimestamp ? 'Terminating' : (status?.phase ?? ''),
    spec.volumeName ?? '',
    bound ? (status?.capacity?.['storage'] ?? '0') : '',
    bound ? accessModes(status?.accessModes) : '',
    className(claim),
    spec.volumeAttributesClassName ?? '<unset>',
    age(metadata.creationTimestamp, nowMs),
    spec.volumeMode ?? '<unset>',
  );
}
