/**
 * Whether this node takes a pod. Pure. Upstream: pkg/kubelet/lifecycle/predicate.go, pkg/kubelet/eviction (Admit),
 * component-helpers scheduling/corev1/nodeaffinity.
 */
import { findUntoleratedTaint, matchesRequiredNodeAffinity, tolerationsTolerate } from '#api/core/helpers';
import { parseQuantity } from '#apimachinery';
import type { Container, Node, Pod, ResourceList } from '../api-objects.ts';
import { isCriticalPod, isRestartableInit, isStaticPod } from '../pod-helpers.ts';
import { computeQosClass } from '../status/qos.ts';

export interface Rejection {
  /** `OutOfcpu`, `NodeAffinity`, `NodePorts` … */
  readonly reason: string;
  readonly message: string;
}

export interface AdmissionContext {
  readonly node: Node | undefined;
  readonly allocatable: ResourceList;
  /** Pods that have not ended, without the one asked about. */
  readonly others: readonly Pod[];
  readonly memoryPressure: boolean;
  readonly diskPressure: boolean;
}

const memoryPressureTaint = { key: 'node.kubernetes.io/memory-pressure', effect: 'NoSchedule' };

export function admitPod(pod: Pod, context: AdmissionContext): Rejection | undefined {
  return pressure(pod, context) ?? system(pod, context.node) ?? resourcesFit(pod, context) ?? placement(pod, context);
}

function pressure(pod: Pod, { memoryPressure, diskPressure }: AdmissionContext): Rejection | undefined {
  if ((!memoryPressure && !diskPressure) || isCriticalPod(pod)) return undefined;
  const onlyMemory = memoryPressure && !diskPressure;
  if (onlyMemory && computeQosClass(pod) !== 'BestEffort') return undefined;
  if (onlyMemory && tolerationsTolerate(pod.spec.tolerations, memoryPressureTaint)) return undefined;
  const conditions = [...(memoryPressure ? ['MemoryPressure'] : []), ...(diskPressure ? ['DiskPressure'] : [])];
  return { reason: 'Evicted', message: `The node had condition: [${conditions.join(' ')}]. ` };
}

function system(pod: Pod, node: Node | undefined): Rejection | undefined {
  const wanted = pod.spec.os?.name;
  if (wanted && wanted !== 'linux') {
    return {
      reason: 'PodOSNotSupported',
      message: "Failed to admit pod as the OS field doesn't match node OS",
    };
  }
  const selected = pod.spec.nodeSelector?.['kubernetes.io/os'];
  const own = node?.metadata.labels?.['kubernetes.io/os'];
  if (!selected || !own || selected === own) return undefined;
  return {
    reason: 'PodOSSelectorNodeLabelDoesNotMatch',
    message: "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
  };
}

const units: Readonly<Record<string, (text: string) => number>> = {
  cpu: text => parseQuantity(text).milliValue(),
};
const amount = (name: string, text: string | undefined): number =>
  text === undefined ? 0 : (units[name] ?? (each => parseQuantity(each).value()))(text);

function resourcesFit(pod: Pod, { allocatable, others }: AdmissionContext): Rejection | undefined {
  const capacity = amount('pods', allocatable['pods']);
  if (others.length + 1 > capacity) return outOf('pods', 1, others.length, capacity);
  const names = new Set(['cpu', 'memory', 'ephemeral-storage', ...requestedNames(pod)]);
  for (const name of names) {
    const requested = podRequest(pod, name);
    if (requested === 0) continue;
    const used = others.reduce((sum, other) => sum + podRequest(other, name), 0);
    const total = amount(name, allocatable[name]);
    if (requested > total - used) return outOf(name, requested, used, total);
  }
  return undefined;
}

function outOf(name: string, requested: number, used: number, capacity: number): Rejection {
  const numbers = `requested: ${requested}, used: ${used}, capacity: ${capacity}`;
  return { reason: `OutOf${name}`, message: `Node didn't have enough resource: ${name}, ${numbers}` };
}

function requestedNames(pod: Pod): string[] {
  const containers: readonly Container[] = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  return containers.flatMap(container => Object.keys(container.resources?.requests ?? {}));
}

/** What the pod asks for: milli for cpu, else whole units. */
export function podRequest(pod: Pod, name: string): number {
  const overhead = amount(name, pod.spec.overhead?.[name]);
  const own = pod.spec.resources?.requests?.[name];
  if (own !== undefined) return amount(name, own) + overhead;
  const of = (container: Container): number => amount(name, container.resources?.requests?.[name]);
  let sidecars = 0;
  let most = 0;
  for (const init of pod.spec.initContainers ?? []) {
    if (isRestartableInit(init)) most = Math.max(most, (sidecars += of(init)));
    else most = Math.max(most, sidecars + of(init));
  }
  const regular = pod.spec.containers.reduce((sum, container) => sum + of(container), 0);
  return Math.max(regular + sidecars, most) + overhead;
}

function placement(pod: Pod, { node, others }: AdmissionContext): Rejection | undefined {
  const failed = (predicate: string, text: string): Rejection => ({
    reason: predicate,
    message: `Predicate ${predicate} failed: ${text}`,
  });
  if (node && !matchesRequiredNodeAffinity(pod.spec, node)) {
    return failed('NodeAffinity', "node(s) didn't match Pod's node affinity/selector");
  }
  if (node && pod.spec.nodeName && pod.spec.nodeName !== node.metadata.name) {
    return failed('NodeName', "node(s) didn't match the requested node name");
  }
  const taken = new Set(others.flatMap(hostPorts));
  if (hostPorts(pod).some(port => conflicts(port, taken))) {
    return failed('NodePorts', "node(s) didn't have free ports for the requested pod ports");
  }
  const evicts = findUntoleratedTaint(node?.spec?.taints, pod.spec.tolerations, ({ effect }) => effect === 'NoExecute');
  if (evicts && !isStaticPod(pod)) return failed('TaintToleration', "node(s) had taints that the pod didn't tolerate");
  return undefined;
}

/** `ip protocol port` of each host port. */
function hostPorts(pod: Pod): string[] {
  const sidecars = (pod.spec.initContainers ?? []).filter(isRestartableInit);
  return [...pod.spec.containers, ...sidecars].flatMap(container =>
    (container.ports ?? []).flatMap(port =>
      port.hostPort ? [`${port.hostIP || '0.0.0.0'} ${port.protocol ?? 'TCP'} ${port.hostPort}`] : [],
    ),
  );
}

function conflicts(port: string, taken: ReadonlySet<string>): boolean {
  const [ip, protocol, number] = port.split(' ');
  if (taken.has(port) || taken.has(`0.0.0.0 ${protocol} ${number}`)) return true;
  return ip === '0.0.0.0' && [...taken].some(each => each.endsWith(` ${protocol} ${number}`));
}
