/**
 * Defaults of Pods and of every pod template.
 * Upstream: pkg/apis/core/v1/defaults.go, zz_generated.defaults.go (SetObjectDefaults_Pod).
 */
import type { Draft } from '#apimachinery';
import { ensure, roundResources, setDefault } from '../../../defaulting.ts';
import type { Container, EphemeralContainer, Lifecycle, Pod, PodSpec, Probe, Volume } from '../../../types.ts';
import { aggregateLimits, aggregateRequests } from '../../helpers.ts';
import { syncPodIPs } from './status.ts';

type AnyContainer = Draft<Container> | Draft<EphemeralContainer>;

const reference =
  /^(?:([a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::[0-9]+)?|\[[a-fA-F0-9:]+\](?::[0-9]+)?)\/)?[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*)*(?::([\w][\w.-]{0,127}))?(?:@([A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?$/;
const maxNameLength = 255;

/**
 * Whether an image is the latest of its name, so that its pull policy is Always: it has that tag, or neither tag nor
 * digest. What is no image reference at all is not. Upstream: pkg/util/parsers/parsers.go.
 */
function isLatest(image: string): boolean {
  // No reference is longer; the bound keeps the pattern's work small.
  if (image.length > 2 * maxNameLength) return false;
  const match = reference.exec(image);
  if (!match || normalLength(image) > maxNameLength || /^[a-f0-9]{64}$/.test(image)) return false;
  const [, , tag, digest] = match;
  return tag === 'latest' || (tag === undefined && digest === undefined);
}

/** The length of the name without tag and digest, with the registry and the folder that are meant when none is named. */
function normalLength(image: string): number {
  const name = image.replace(/@.*$/, '').replace(/:[^/]*$/, '');
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const hasHost = slash >= 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  if (hasHost) return name.length;
  return name.length + 'docker.io/'.length + (slash < 0 ? 'library/'.length : 0);
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
  roundResources(resources?.limits);
  roundResources(resources?.requests);
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
  const { image } = volume;
  if (image && !image.pullPolicy) image.pullPolicy = isLatest(image.reference ?? '') ? 'Always' : 'IfNotPresent';
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
  // Two names of one field, of which the newer counts.
  if (!spec.serviceAccountName && spec.serviceAccount) spec.serviceAccountName = spec.serviceAccount;
  if (spec.serviceAccountName) spec.serviceAccount = spec.serviceAccountName;
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
  roundResources(spec.overhead);
  roundResources(spec.resources?.limits);
  roundResources(spec.resources?.requests);
}

/** On the host's network a container port is a host port. */
function hostPorts(spec: Draft<PodSpec>): void {
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    for (const port of container.ports ?? []) if (!port.hostPort) port.hostPort = port.containerPort;
  }
}

type Amounts = Record<string, string> | undefined;

/** Limits that have no request are the request. */
function requestsFromLimits(owner: { resources?: Draft<Container>['resources'] }): void {
  const limits = owner.resources?.limits;
  if (!limits) return;
  const requests = ensure(owner.resources as { requests?: Record<string, string> }, 'requests');
  for (const [name, limit] of Object.entries(limits)) requests[name] ??= limit as string;
}

/** Defaults of a Pod itself: those of templates and what only a Pod has. */
export function podDefaults(pod: Draft<Pod>): void {
  podSpecDefaults(pod.spec);
  const { spec } = pod;
  // Negative grace was let in once; it means the shortest.
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0) spec.terminationGracePeriodSeconds = 1;
  for (const container of [...(spec.containers ?? []), ...(spec.initContainers ?? [])]) requestsFromLimits(container);
  podLevelLimits(spec);
  podLevelRequests(spec);
  setDefault(spec, 'enableServiceLinks', true);
  if (spec.hostNetwork) hostPorts(spec);
  syncPodIPs(pod.status);
}

/** Huge pages that the containers limit and the pod does not. Upstream: defaultHugePagePodLimits. */
function podLevelLimits(spec: Draft<PodSpec>): void {
  const own = spec.resources as { requests?: Amounts; limits?: Amounts } | undefined;
  if (!own || (isEmpty(own.limits) && isEmpty(own.requests))) return;
  for (const [name, amount] of aggregateLimits(spec as PodSpec)) {
    if (!name.startsWith('hugepages-') || own.requests?.[name] !== undefined) continue;
    own.limits ??= {};
    own.limits[name] ??= amount.toString();
  }
}

const isEmpty = (list: Amounts): boolean => Object.keys(list ?? {}).length === 0;

/** What the containers ask for, and then the limits, are the pod's requests. Upstream: defaultPodRequests. */
function podLevelRequests(spec: Draft<PodSpec>): void {
  const own = spec.resources as { requests?: Amounts; limits?: Amounts } | undefined;
  if (!own || isEmpty(own.limits)) return;
  const requests: Record<string, string> = { ...own.requests };
  for (const [name, amount] of aggregateRequests(spec as PodSpec)) {
    if (name === 'cpu' || name === 'memory') requests[name] ??= amount.toString();
  }
  for (const [name, limit] of Object.entries(own.limits!)) {
    if (name === 'cpu' || name === 'memory' || name.startsWith('hugepages-')) requests[name] ??= limit;
  }
  if (!isEmpty(requests)) own.requests = requests;
}
