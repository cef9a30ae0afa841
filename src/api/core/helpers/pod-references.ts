/** Which Secrets and ConfigMaps a pod refers to. Upstream: pkg/api/pod/util.go. */
import type { Container, PodSpec } from '../../types.ts';

/** Of all sorts. */
export function podContainers(spec: PodSpec): readonly Container[] {
  const { initContainers = [], containers, ephemeralContainers = [] } = spec;
  return [...initContainers, ...(containers ?? []), ...(ephemeralContainers as unknown as Container[])];
}

const isName = (name: string | undefined): name is string => Boolean(name);

/** Names of the Secrets that anything in the pod refers to, in no order, with repetitions. */
export function podSecretNames(spec: PodSpec): string[] {
  const pulled = (spec.imagePullSecrets ?? []).map(each => each.name);
  const environment = podContainers(spec).flatMap(({ env, envFrom }) => [
    ...(env ?? []).map(each => each.valueFrom?.secretKeyRef?.name),
    ...(envFrom ?? []).map(each => each.secretRef?.name),
  ]);
  const volumes = (spec.volumes ?? []).flatMap(volume => [
    volume.azureFile?.secretName,
    volume.cephfs?.secretRef?.name,
    volume.cinder?.secretRef?.name,
    volume.flexVolume?.secretRef?.name,
    ...(volume.projected?.sources ?? []).map(each => each.secret?.name),
    volume.rbd?.secretRef?.name,
    volume.secret?.secretName,
    volume.scaleIO?.secretRef?.name,
    volume.iscsi?.secretRef?.name,
    volume.storageos?.secretRef?.name,
    volume.csi?.nodePublishSecretRef?.name,
  ]);
  return [...pulled, ...environment, ...volumes].filter(isName);
}

/** The same of ConfigMaps. */
export function podConfigMapNames(spec: PodSpec): string[] {
  const environment = podContainers(spec).flatMap(({ env, envFrom }) => [
    ...(env ?? []).map(each => each.valueFrom?.configMapKeyRef?.name),
    ...(envFrom ?? []).map(each => each.configMapRef?.name),
  ]);
  const volumes = (spec.volumes ?? []).flatMap(volume => [
    volume.configMap?.name,
    ...(volume.projected?.sources ?? []).map(each => each.configMap?.name),
  ]);
  return [...environment, ...volumes].filter(isName);
}
