/**
 * Defaults of Pods and of every pod template.
 * Upstream: pkg/apis/core/v1/defaults.go, zz_generated.defaults.go (SetObjectDefaults_Pod).
 */
import type { Draft } from '#apimachinery';
import { ensure, setDefault } from '../../../defaulting.ts';
import type { Container, EphemeralContainer, Lifecycle, Pod, PodSpec, Probe, Volume } from '../../../types.ts';

type AnyContainer = Draft<Container> | Draft<EphemeralContainer>;

/** Name that stands for the latest of an image: its pull policy is Always. */
function isLatest(image: string): boolean {
  if (image.includes('@')) return false;
  const last = image.slice(image.lastIndexOf('/') + 1);
  return !last.includes(':') || last.endsWith(':latest');
}

function probeDefaults(probe: Draft<Probe> | undefined): void {
  if (!probe) return;
  setDefault(probe, 'timeoutSeconds', 1);
  setDefault(probe, 'periodSeconds', 10);
  setDefault(probe, 'successThreshold', 1);
  setDefault(probe, 'failureThreshold', 3);
  // Go's zero of these scalars counts as absent.
  for (const field of ['timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'] as const) {
    if (probe[field] === 0)
      probe[field] = { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 }[field];
  }
  if (probe.httpGet) httpGetDefaults(probe.httpGet);
  if (probe.grpc) setDefault(probe.grpc, 'service', '');
}

function httpGetDefaults(action: { path?: string; scheme?: string }): void {
  if (!action.path) action.path = '/';
  if (!action.scheme) action.scheme = 'HTTP';
}

function lifecycleDefaults(lifecycle: Draft<Lifecycle> | undefined): void {
  for (const handler of [lifecycle?.postStart, lifecycle?.preStop]) {
    if (handler?.httpGet) httpGetDefaults(handler.httpGet);
  }
}

function containerDefaults(container: AnyContainer): void {
  if (!container.imagePullPolicy)
    container.imagePullPolicy = isLatest(container.image ?? '') ? 'Always' : 'IfNotPresent';
  if (!container.terminationMessagePath) container.terminationMessagePath = '/dev/termination-log';
  if (!container.terminationMessagePolicy) container.terminationMessagePolicy = 'File';
  for (const port of container.ports ?? []) if (!port.protocol) port.protocol = 'TCP';
  for (const env of container.env ?? []) {
    const fieldRef = env.valueFrom?.fieldRef;
    if (fieldRef && !fieldRef.apiVersion) fieldRef.apiVersion = 'v1';
    const fileKeyRef = env.valueFrom?.fileKeyRef;
    if (fileKeyRef) setDefault(fileKeyRef, 'optional', false);
    const divided = env.valueFrom?.resourceFieldRef;
    if (divided) setDefault(divided, 'divisor', '0');
  }
  const resources = ensure(container as { resources?: Draft<Container>['resources'] }, 'resources');
  for (const [name, limit] of Object.entries(resources?.limits ?? {})) {
    const requests = ensure(resources as { requests?: Record<string, string> }, 'requests');
    requests[name] ??= limit as string;
  }
  probeDefaults(container.livenessProbe);
  probeDefaults(container.readinessProbe);
  probeDefaults(container.startupProbe);
  lifecycleDefaults(container.lifecycle);
}

function volumeDefaults(volume: Draft<Volume>): void {
  const sources = Object.keys(volume).filter(key => key !== 'name');
  if (sources.length === 0) volume.emptyDir = {};
  if (volume.hostPath) setDefault(volume.hostPath, 'type', '');
  if (volume.secret) setDefault(volume.secret, 'defaultMode', 0o644);
  if (volume.configMap) setDefault(volume.configMap, 'defaultMode', 0o644);
  if (volume.downwardAPI) {
    setDefault(volume.downwardAPI, 'defaultMode', 0o644);
    for (const item of volume.downwardAPI.items ?? []) downwardItemDefaults(item);
  }
  if (volume.projected) {
    setDefault(volume.projected, 'defaultMode', 0o644);
    for (const source of volume.projected.sources ?? []) {
      for (const item of source.downwardAPI?.items ?? []) downwardItemDefaults(item);
      if (source.serviceAccountToken) setDefault(source.serviceAccountToken, 'expirationSeconds', 3600);
    }
  }
  const { iscsi, rbd, azureDisk, scaleIO, ephemeral } = volume;
  if (iscsi && !iscsi.iscsiInterface) iscsi.iscsiInterface = 'default';
  if (rbd) {
    if (!rbd.pool) rbd.pool = 'rbd';
    if (!rbd.user) rbd.user = 'admin';
    if (!rbd.keyring) rbd.keyring = '/etc/ceph/keyring';
  }
  if (azureDisk) {
    setDefault(azureDisk, 'cachingMode', 'ReadWrite');
    setDefault(azureDisk, 'kind', 'Shared');
    setDefault(azureDisk, 'fsType', 'ext4');
    setDefault(azureDisk, 'readOnly', false);
  }
  if (scaleIO) {
    if (!scaleIO.storageMode) scaleIO.storageMode = 'ThinProvisioned';
    if (!scaleIO.fsType) scaleIO.fsType = 'xfs';
  }
  if (ephemeral?.volumeClaimTemplate?.spec) setDefault(ephemeral.volumeClaimTemplate.spec, 'volumeMode', 'Filesystem');
}

function downwardItemDefaults(item: {
  fieldRef?: { apiVersion?: string };
  resourceFieldRef?: { divisor?: unknown };
}): void {
  if (item.fieldRef && !item.fieldRef.apiVersion) item.fieldRef.apiVersion = 'v1';
  if (item.resourceFieldRef) item.resourceFieldRef.divisor ??= '0';
}

/** Defaults of a pod's spec, in a Pod or in a template. Idempotent. */
export function podSpecDefaults(spec: Draft<PodSpec>): void {
  if (!spec.dnsPolicy) spec.dnsPolicy = 'ClusterFirst';
  if (!spec.restartPolicy) spec.restartPolicy = 'Always';
  if (!spec.hostNetwork) delete spec.hostNetwork;
  ensure(spec, 'securityContext');
  setDefault(spec, 'terminationGracePeriodSeconds', 30);
  if (!spec.schedulerName) spec.schedulerName = 'default-scheduler';
  for (const volume of spec.volumes ?? []) volumeDefaults(volume);
  for (const container of spec.initContainers ?? []) containerDefaults(container);
  for (const container of spec.containers ?? []) containerDefaults(container);
  for (const container of spec.ephemeralContainers ?? []) containerDefaults(container);
  if (spec.hostNetwork) hostPorts(spec);
}

/** On the host's network a container port is a host port. */
function hostPorts(spec: Draft<PodSpec>): void {
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    for (const port of container.ports ?? []) if (!port.hostPort) port.hostPort = port.containerPort;
  }
}

/** Defaults of a Pod itself: those of templates and what only a Pod has. */
export function podDefaults(pod: Draft<Pod>): void {
  podSpecDefaults(pod.spec);
  const { spec } = pod;
  setDefault(spec, 'enableServiceLinks', true);
  podLevelRequests(spec);
}

/** Pod-level limits are the pod-level requests' default. Upstream: defaultPodRequests. */
function podLevelRequests(spec: Draft<PodSpec>): void {
  const limits = spec.resources?.limits;
  if (!limits) return;
  const requests = ensure(spec.resources as { requests?: Record<string, string> }, 'requests');
  for (const [name, limit] of Object.entries(limits)) requests[name] ??= limit as string;
}
