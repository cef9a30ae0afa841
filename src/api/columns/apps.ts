/** Rows of the kinds of apps. Upstream: pkg/printers/internalversion/printers.go. */
import { controllerOf, labelSelectorAsSelector, parseApiVersion } from '#apimachinery';
import type { ControllerRevision, DaemonSet, Deployment, LabelSelector, ReplicaSet, StatefulSet } from '../types.ts';
import { age, containerCells, labelsText, type Row, type RowOf, row, selectorText } from './cells.ts';

/** A Deployment shows an empty selector as empty, and a wrong one in words of its own. */
function deploymentSelector(selector: LabelSelector | undefined): string {
  try {
    return labelSelectorAsSelector(selector as never).toString();
  } catch {
    return '<invalid>';
  }
}

function deploymentRow({ metadata, spec, status }: Deployment, nowMs: number): Row {
  return row(
    metadata.name ?? '',
    `${status?.readyReplicas ?? 0}/${spec.replicas ?? 0}`,
    status?.updatedReplicas ?? 0,
    status?.availableReplicas ?? 0,
    age(metadata.creationTimestamp, nowMs),
    ...containerCells(spec.template.spec?.containers),
    deploymentSelector(spec.selector),
  );
}

function replicaSetRow({ metadata, spec, status }: ReplicaSet, nowMs: number): Row {
  return row(
    metadata.name ?? '',
    spec.replicas ?? 0,
    status?.replicas ?? 0,
    status?.readyReplicas ?? 0,
    age(metadata.creationTimestamp, nowMs),
    ...containerCells(spec.template?.spec?.containers),
    selectorText(spec.selector),
  );
}

function statefulSetRow({ metadata, spec, status }: StatefulSet, nowMs: number): Row {
  return row(
    metadata.name ?? '',
    `${status?.readyReplicas ?? 0}/${spec.replicas ?? 0}`,
    age(metadata.creationTimestamp, nowMs),
    ...containerCells(spec.template.spec?.containers),
  );
}

function daemonSetRow({ metadata, spec, status }: DaemonSet, nowMs: number): Row {
  return row(
    metadata.name ?? '',
    status?.desiredNumberScheduled ?? 0,
    status?.currentNumberScheduled ?? 0,
    status?.numberReady ?? 0,
    status?.updatedNumberScheduled ?? 0,
    status?.numberAvailable ?? 0,
    labelsText(spec.template.spec?.nodeSelector),
    age(metadata.creationTimestamp, nowMs),
    ...containerCells(spec.template.spec?.containers),
    selectorText(spec.selector),
  );
}

function controllerRevisionRow(revision: ControllerRevision, nowMs: number): Row {
  const owner = controllerOf(revision);
  let controller = '<none>';
  if (owner) {
    const { group } = parseApiVersion(owner.apiVersion);
    controller = `${(group ? `${owner.kind}.${group}` : owner.kind).toLowerCase()}/${owner.name}`;
  }
  const { metadata } = revision;
  return row(metadata.name ?? '', controller, revision.revision ?? 0, age(metadata.creationTimestamp, nowMs));
}

/** By kind. */
export const rows: Readonly<Record<string, RowOf>> = {
  ControllerRevision: controllerRevisionRow,
  DaemonSet: daemonSetRow,
  Deployment: deploymentRow,
  ReplicaSet: replicaSetRow,
  StatefulSet: statefulSetRow,
};
