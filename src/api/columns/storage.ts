/** Rows of the kinds of storage.k8s.io. Upstream: pkg/printers/internalversion/printers.go. */
import type { CSIDriver, CSINode, StorageClass, VolumeAttachment, VolumeAttributesClass } from '../types.ts';
import { age, type Row, type RowOf, row } from './cells.ts';

const defaultAnnotations = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
];

function storageClassRow(storageClass: StorageClass, nowMs: number): Row {
  const { metadata } = storageClass;
  const isDefault = defaultAnnotations.some(name => metadata.annotations?.[name] === 'true');
  return row(
    (metadata.name ?? '') + (isDefault ? ' (default)' : ''),
    storageClass.provisioner,
    storageClass.reclaimPolicy ?? 'Delete',
    storageClass.volumeBindingMode ?? 'Immediate',
    storageClass.allowVolumeExpansion ?? false,
    age(metadata.creationTimestamp, nowMs),
  );
}

function csiDriverRow({ metadata, spec }: CSIDriver, nowMs: number): Row {
  return row(
    metadata.name ?? '',
    spec.attachRequired ?? true,
    spec.podInfoOnMount ?? false,
    spec.storageCapacity ?? false,
    spec.tokenRequests ? spec.tokenRequests.map(each => each.audience).join(',') : '<unset>',
    spec.requiresRepublish ?? false,
    (spec.volumeLifecycleModes ?? []).join(',') || '<none>',
    age(metadata.creationTimestamp, nowMs),
  );
}

function csiNodeRow({ metadata, spec }: CSINode, nowMs: number): Row {
  return row(metadata.name ?? '', spec.drivers?.length ?? 0, age(metadata.creationTimestamp, nowMs));
}

function volumeAttachmentRow({ metadata, spec, status }: VolumeAttachment, nowMs: number): Row {
  return row(
    metadata.name ?? '',
    spec.attacher,
    spec.source.persistentVolumeName ?? '',
    spec.nodeName,
    status?.attached ?? false,
    age(metadata.creationTimestamp, nowMs),
  );
}

function volumeAttributesClassRow({ metadata, driverName }: VolumeAttributesClass, nowMs: number): Row {
  return row(metadata.name ?? '', driverName, age(metadata.creationTimestamp, nowMs));
}

/** By kind. */
export const rows: Readonly<Record<string, RowOf>> = {
  CSIDriver: csiDriverRow,
  CSINode: csiNodeRow,
  StorageClass: storageClassRow,
  VolumeAttachment: volumeAttachmentRow,
  VolumeAttributesClass: volumeAttributesClassRow,
};
