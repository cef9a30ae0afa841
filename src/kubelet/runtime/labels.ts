/**
 * Labels and annotations by which containers are found again after a restart, as upstream's CRI clients write them.
 * Upstream: pkg/kubelet/kuberuntime/labels.go, pkg/kubelet/container/helpers.go (HashContainer).
 *
 * Deviation: the hash is FNV-1a of name and image as JSON, not of Go's dump of it; it is only compared with itself.
 */
import type { Container, Pod } from '../api-objects.ts';

export const podNameLabel = 'io.kubernetes.pod.name';
export const podNamespaceLabel = 'io.kubernetes.pod.namespace';
export const podUidLabel = 'io.kubernetes.pod.uid';
export const containerNameLabel = 'io.kubernetes.container.name';

const hashAnnotation = 'io.kubernetes.container.hash';
const restartCountAnnotation = 'io.kubernetes.container.restartCount';
const terminationPathAnnotation = 'io.kubernetes.container.terminationMessagePath';
const terminationPolicyAnnotation = 'io.kubernetes.container.terminationMessagePolicy';
const preStopAnnotation = 'io.kubernetes.container.preStopHandler';
const portsAnnotation = 'io.kubernetes.container.ports';
const podDeletionGraceAnnotation = 'io.kubernetes.pod.deletionGracePeriod';
const podTerminationGraceAnnotation = 'io.kubernetes.pod.terminationGracePeriod';

type Texts = Readonly<Record<string, string>>;

export function podLabels(pod: Pod): Texts {
  return { ...pod.metadata.labels, ...identity(pod) };
}

export function containerLabels(container: Container, pod: Pod): Texts {
  return { ...identity(pod), [containerNameLabel]: container.name };
}

function identity(pod: Pod): Texts {
  const { name = '', namespace = '', uid = '' } = pod.metadata;
  return { [podNameLabel]: name, [podNamespaceLabel]: namespace, [podUidLabel]: uid };
}

export function containerAnnotations(container: Container, pod: Pod, restartCount: number): Texts {
  const grace = pod.metadata.deletionGracePeriodSeconds;
  const termination = pod.spec.terminationGracePeriodSeconds;
  const preStop = container.lifecycle?.preStop;
  return {
    [hashAnnotation]: containerHash(container),
    [restartCountAnnotation]: String(restartCount),
    [terminationPathAnnotation]: container.terminationMessagePath ?? '',
    [terminationPolicyAnnotation]: container.terminationMessagePolicy ?? '',
    ...(grace !== undefined && { [podDeletionGraceAnnotation]: String(grace) }),
    ...(termination !== undefined && { [podTerminationGraceAnnotation]: String(termination) }),
    ...(preStop && { [preStopAnnotation]: JSON.stringify(preStop) }),
    ...(container.ports?.length && { [portsAnnotation]: JSON.stringify(container.ports) }),
  };
}

export interface ContainerFacts {
  readonly hash: string;
  readonly restartCount: number;
  readonly terminationMessagePath: string;
  readonly terminationMessagePolicy: string;
}

export function containerFacts(annotations: Texts): ContainerFacts {
  return {
    hash: annotations[hashAnnotation] ?? '',
    restartCount: Number.parseInt(annotations[restartCountAnnotation] ?? '0', 10) || 0,
    terminationMessagePath: annotations[terminationPathAnnotation] ?? '',
    terminationMessagePolicy: annotations[terminationPolicyAnnotation] ?? '',
  };
}

/** A pod and a container as far as stopping needs them, when the API no longer knows the pod. */
export function restoreFromAnnotations(labels: Texts, annotations: Texts): { pod: Pod; container: Container } {
  const number = (key: string): number | undefined =>
    annotations[key] === undefined ? undefined : Number(annotations[key]);
  const parse = (key: string) => (annotations[key] === undefined ? undefined : JSON.parse(annotations[key]));
  const deletion = number(podDeletionGraceAnnotation);
  const termination = number(podTerminationGraceAnnotation);
  const preStop = parse(preStopAnnotation);
  const container: Container = {
    name: labels[containerNameLabel] ?? '',
    ports: parse(portsAnnotation) ?? [],
    ...(preStop && { lifecycle: { preStop } }),
  };
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: labels[podNameLabel] ?? '',
      namespace: labels[podNamespaceLabel] ?? '',
      uid: labels[podUidLabel] ?? '',
      ...(deletion !== undefined && { deletionGracePeriodSeconds: deletion }),
    },
    spec: {
      containers: [container],
      ...(termination !== undefined && { terminationGracePeriodSeconds: termination }),
    },
  };
  return { pod, container };
}

/** Changes when the container must be replaced: name or image. Eight hexadecimal digits. */
export function containerHash(container: Container): string {
  const text = JSON.stringify({ image: container.image ?? '', name: container.name });
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash.toString(16);
}
