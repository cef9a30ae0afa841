/**
 * The lasting identity of a StatefulSet's pods: name, host name, claims; and the order in which they come and go.
 * Upstream: pkg/controller/statefulset/{stateful_set_utils,stateful_set_control}.go.
 *
 * Worked example: `web` with 3 replicas has web-0, web-1, web-2, each with claims `<template>-web-<n>` that outlive it.
 * They are made 0, 1, 2, each when the one before is ready, and taken away 2, 1, 0.
 */
import type { PersistentVolumeClaim, Pod, PodTemplateSpec, StatefulSet } from '#api/types';
import { revisionLabel } from '../history/revisions.ts';
import { isPodAvailable, isPodReady } from '../pod-control.ts';

const podNameLabel = 'statefulset.kubernetes.io/pod-name';
const podIndexLabel = 'apps.kubernetes.io/pod-index';

/** The number at the end of a pod's name; -1 when it is not one of the set's names. */
export function ordinalOf(set: StatefulSet, pod: Pod): number {
  const name = pod.metadata.name ?? '';
  const prefix = `${set.metadata.name}-`;
  const digits = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return /^(0|[1-9][0-9]*)$/.test(digits) ? Number(digits) : -1;
}

export function claimName(set: StatefulSet, template: PersistentVolumeClaim, ordinal: number): string {
  return `${template.metadata.name}-${set.metadata.name}-${ordinal}`;
}

/** The claims of one pod, as they are created. */
export function claimsFor(set: StatefulSet, ordinal: number): PersistentVolumeClaim[] {
  return (set.spec.volumeClaimTemplates ?? []).map(template => {
    const { status: _, ...rest } = template;
    const labels = { ...template.metadata.labels, ...(set.spec.selector as { matchLabels?: object }).matchLabels };
    return {
      ...rest,
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: {
        ...template.metadata,
        labels,
        name: claimName(set, template, ordinal),
        namespace: set.metadata.namespace,
      },
    } as PersistentVolumeClaim;
  });
}

/** The template with one pod's identity. */
export function templateFor(
  set: StatefulSet,
  template: PodTemplateSpec,
  ordinal: number,
  hash: string,
): PodTemplateSpec {
  const name = `${set.metadata.name}-${ordinal}`;
  const claims = set.spec.volumeClaimTemplates ?? [];
  const own = (template.spec!.volumes ?? []).filter(volume => !claims.some(each => each.metadata.name === volume.name));
  const volumes = [
    ...claims.map(each => ({
      name: each.metadata.name!,
      persistentVolumeClaim: { claimName: claimName(set, each, ordinal) },
    })),
    ...own,
  ];
  return {
    metadata: {
      ...template.metadata,
      labels: {
        ...template.metadata?.labels,
        [revisionLabel]: hash,
        [podNameLabel]: name,
        [podIndexLabel]: String(ordinal),
      },
    },
    spec: {
      ...template.spec!,
      hostname: name,
      ...(set.spec.serviceName && { subdomain: set.spec.serviceName }),
      ...(volumes.length > 0 && { volumes }),
    },
  } as PodTemplateSpec;
}

export type StatefulStep =
  | { readonly act: 'create'; readonly ordinal: number; readonly revision: 'current' | 'update' }
  | { readonly act: 'remove'; readonly pod: Pod };

export interface StatefulView {
  readonly set: StatefulSet;
  readonly pods: readonly Pod[];
  readonly currentHash: string;
  readonly updateHash: string;
  readonly nowMs: number;
}

const hashOf = (pod: Pod): string | undefined => pod.metadata.labels?.[revisionLabel];
const isTerminating = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined;
const isDone = (pod: Pod): boolean => pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded';

/** What to do next; one thing at a time, unless pods are managed in parallel. */
export function planSteps({ set, pods, currentHash, updateHash, nowMs }: StatefulView): StatefulStep[] {
  const replicas = set.spec.replicas ?? 1;
  const start = set.spec.ordinals?.start ?? 0;
  const parallel = set.spec.podManagementPolicy === 'Parallel';
  const byOrdinal = new Map(pods.map(pod => [ordinalOf(set, pod), pod]));
  const available = (pod: Pod): boolean =>
    isPodReady(pod) && !isTerminating(pod) && isPodAvailable(pod, set.spec.minReadySeconds ?? 0, nowMs);
  const partition = set.spec.updateStrategy?.rollingUpdate?.partition ?? 0;
  const rolling = (set.spec.updateStrategy?.type ?? 'RollingUpdate') === 'RollingUpdate';
  const steps: StatefulStep[] = [];
  for (let ordinal = start; ordinal < start + replicas; ordinal++) {
    const pod = byOrdinal.get(ordinal);
    if (!pod) {
      const held = rolling && ordinal < start + partition && currentHash !== updateHash;
      steps.push({ act: 'create', ordinal, revision: held ? 'current' : 'update' });
      if (!parallel) return steps;
      continue;
    }
    if (isDone(pod) && !isTerminating(pod)) {
      steps.push({ act: 'remove', pod });
      if (!parallel) return steps;
      continue;
    }
    if (!parallel && !available(pod)) return [...steps, ...brokenUpdate(pod, ordinal)];
  }
  const surplus = pods
    .filter(pod => ordinalOf(set, pod) >= start + replicas || ordinalOf(set, pod) < start)
    .sort((a, b) => ordinalOf(set, b) - ordinalOf(set, a));
  for (const pod of surplus) {
    if (!isTerminating(pod)) steps.push({ act: 'remove', pod });
    if (!parallel) return steps;
  }
  if (steps.length > 0 || !rolling || surplus.length > 0) return steps;
  for (let ordinal = start + replicas - 1; ordinal >= start + partition; ordinal--) {
    const pod = byOrdinal.get(ordinal)!;
    if (hashOf(pod) !== updateHash && !isTerminating(pod)) return [{ act: 'remove', pod }];
    if (!available(pod)) return [];
  }
  return steps;

  /** A pod of an old revision that never got ready does not hold up its own replacement. */
  function brokenUpdate(pod: Pod, ordinal: number): StatefulStep[] {
    const outdated = rolling && ordinal >= start + partition && hashOf(pod) !== updateHash;
    return outdated && !isTerminating(pod) && pod.status?.phase === 'Pending' ? [{ act: 'remove', pod }] : [];
  }
}

/** The status, with `currentRevision` moved on when an update is complete. */
export function statefulStatus(
  view: StatefulView,
  revisions: { current: string; update: string },
): NonNullable<StatefulSet['status']> {
  const { set, currentHash, updateHash, nowMs } = view;
  const count = (test: (pod: Pod) => boolean): number => view.pods.filter(test).length;
  const ready = (pod: Pod): boolean => pod.status?.phase === 'Running' && isPodReady(pod);
  const replicas = view.pods.length;
  const updated = count(pod => hashOf(pod) === updateHash && !isTerminating(pod));
  const readyReplicas = count(ready);
  const complete =
    (set.spec.updateStrategy?.type ?? 'RollingUpdate') === 'RollingUpdate' &&
    updated === replicas &&
    readyReplicas === replicas &&
    replicas === (set.spec.replicas ?? 1);
  const current = complete ? updated : count(pod => hashOf(pod) === currentHash && !isTerminating(pod));
  return {
    ...(set.status?.conditions && { conditions: set.status.conditions }),
    observedGeneration: set.metadata.generation ?? 0,
    replicas,
    ...(readyReplicas > 0 && { readyReplicas }),
    ...(current > 0 && { currentReplicas: current }),
    ...(updated > 0 && { updatedReplicas: updated }),
    currentRevision: complete ? revisions.update : revisions.current,
    updateRevision: revisions.update,
    collisionCount: set.status?.collisionCount ?? 0,
    availableReplicas: count(pod => ready(pod) && isPodAvailable(pod, set.spec.minReadySeconds ?? 0, nowMs)),
  };
}
