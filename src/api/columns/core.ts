/** Rows of the core group's kinds. Upstream: pkg/printers/internalversion/printers.go. */
import type {
  ComponentStatus,
  ConfigMap,
  Namespace,
  PodTemplate,
  ReplicationController,
  ResourceQuota,
  Secret,
  ServiceAccount,
} from '../types.ts';
import { age, containerCells, labelsText, type Row, type RowOf, row } from './cells.ts';
import { eventRow } from './event.ts';
import { nodeRow } from './node.ts';
import { podRow } from './pod.ts';
import { endpointsRow, serviceRow } from './service.ts';
import { claimRow, volumeRow } from './volume.ts';

const size = (map: object | undefined): number => Object.keys(map ?? {}).length;

function componentStatusRow({ metadata, conditions }: ComponentStatus): Row {
  const healthy = conditions?.find(each => each.type === 'Healthy');
  const state = healthy ? (healthy.status === 'True' ? 'Healthy' : 'Unhealthy') : 'Unknown';
  return row(metadata.name ?? '', state, healthy?.message ?? '', healthy?.error ?? '');
}

function configMapRow({ metadata, data, binaryData }: ConfigMap, nowMs: number): Row {
  return row(metadata.name ?? '', size(data) + size(binaryData), age(metadata.creationTimestamp, nowMs));
}

function namespaceRow({ metadata, status }: Namespace, nowMs: number): Row {
  return row(metadata.name ?? '', status?.phase ?? '', age(metadata.creationTimestamp, nowMs));
}

function podTemplateRow({ metadata, template }: PodTemplate): Row {
  return row(
    metadata.name ?? '',
    ...containerCells(template?.spec?.containers),
    labelsText(template?.metadata?.labels),
  );
}

function replicationControllerRow({ metadata, spec, status }: ReplicationController, nowMs: number): Row {
  return row(
    metadata.name ?? '',
    spec.replicas ?? 0,
    status?.replicas ?? 0,
    status?.readyReplicas ?? 0,
    age(metadata.creationTimestamp, nowMs),
    ...containerCells(spec.template?.spec?.containers),
    labelsText(spec.selector),
  );
}

function resourceQuotaRow({ metadata, status }: ResourceQuota, nowMs: number): Row {
  const names = Object.keys(status?.hard ?? {}).sort();
  const text = (limits: boolean): string =>
    names
      .filter(name => name.startsWith('limits.') === limits)
      .map(name => `${name}: ${status?.used?.[name] ?? '0'}/${status?.hard?.[name]}`)
      .join(', ');
  return row(metadata.name ?? '', text(false), text(true), age(metadata.creationTimestamp, nowMs));
}

function secretRow({ metadata, type, data }: Secret, nowMs: number): Row {
  return row(metadata.name ?? '', type ?? '', size(data), age(metadata.creationTimestamp, nowMs));
}

function serviceAccountRow({ metadata }: ServiceAccount, nowMs: number): Row {
  return row(metadata.name ?? '', age(metadata.creationTimestamp, nowMs));
}

/** By kind. */
export const rows: Readonly<Record<string, RowOf>> = {
  ComponentStatus: componentStatusRow,
  ConfigMap: configMapRow,
  Endpoints: endpointsRow,
  Event: eventRow,
  Namespace: namespaceRow,
  Node: nodeRow,
  PersistentVolume: volumeRow,
  PersistentVolumeClaim: claimRow,
  Pod: podRow,
  PodTemplate: podTemplateRow,
  ReplicationController: replicationControllerRow,
  ResourceQuota: resourceQuotaRow,
  Secret: secretRow,
  Service: serviceRow,
  ServiceAccount: serviceAccountRow,
};
