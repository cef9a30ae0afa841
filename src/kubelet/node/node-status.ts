/**
 * The status of the node. Pure. Upstream: pkg/kubelet/nodestatus/setters.go, kubelet_node_status.go.
 */
import { formatTime, parseQuantity, Quantity } from '#apimachinery';
import type { ImageInfo } from '#cri';
import type { NodeCondition, NodeStatus, ResourceList } from '../api-objects.ts';
import type { Machine } from './machine.ts';

export interface NodeFacts {
  readonly machine: Machine;
  readonly nodeIps: readonly string[];
  readonly hostname: string;
  readonly maxPods: number;
  readonly port: number;
  readonly kubeletVersion: string;
  readonly runtime: { readonly name: string; readonly version: string };
  readonly images: readonly ImageInfo[];
  readonly reserved: ReadonlyArray<Readonly<Record<string, string>>>;
  readonly evictionHard: Readonly<Record<string, string>>;
  /** Undefined when ready; else what is wrong. */
  readonly notReady: string | undefined;
  readonly memoryPressure: boolean;
  readonly diskPressure: boolean;
  readonly pidPressure: boolean;
  readonly nowMs: number;
}

const maxImages = 50;
const maxNamesPerImage = 5;

function capacityOf({ machine, maxPods }: Pick<NodeFacts, 'machine' | 'maxPods'>): ResourceList {
  return {
    cpu: String(machine.cpus),
    'ephemeral-storage': `${Math.trunc(machine.storageBytes / 1024)}Ki`,
    'hugepages-1Gi': '0',
    'hugepages-2Mi': '0',
    memory: `${Math.trunc(machine.memoryBytes / 1024)}Ki`,
    pods: String(maxPods),
  };
}

/** Capacity less what is reserved for the system and for eviction. */
export function allocatableOf(
  facts: Pick<NodeFacts, 'machine' | 'maxPods' | 'reserved' | 'evictionHard'>,
): ResourceList {
  const capacity = capacityOf(facts);
  const result: Record<string, string> = { ...capacity };
  const subtract = (name: string, amount: Quantity): void => {
    const left = parseQuantity(result[name] ?? '0').sub(amount);
    result[name] = left.sign < 0 ? '0' : left.toString();
  };
  for (const reserved of facts.reserved) {
    for (const [name, text] of Object.entries(reserved)) if (result[name]) subtract(name, parseQuantity(text));
  }
  const threshold = (signal: string, name: string): void => {
    const text = facts.evictionHard[signal];
    if (!text) return;
    const total = parseQuantity(capacity[name] ?? '0').toNumber();
    const amount = text.endsWith('%')
      ? Quantity.of(Math.trunc((total * Number(text.slice(0, -1))) / 100))
      : parseQuantity(text);
    subtract(name, amount);
  };
  threshold('memory.available', 'memory');
  threshold('nodefs.available', 'ephemeral-storage');
  return result;
}

export function nodeStatus(facts: NodeFacts, old: NodeStatus | undefined): NodeStatus {
  const { machine, nodeIps, hostname, port, runtime, kubeletVersion } = facts;
  return {
    ...old,
    capacity: capacityOf(facts),
    allocatable: allocatableOf(facts),
    conditions: conditions(facts, old),
    addresses: [...nodeIps.map(address => ({ type: 'InternalIP', address })), { type: 'Hostname', address: hostname }],
    daemonEndpoints: { kubeletEndpoint: { Port: port } },
    nodeInfo: {
      machineID: machine.machineId,
      systemUUID: machine.systemUuid,
      bootID: machine.bootId,
      kernelVersion: machine.kernelVersion,
      osImage: machine.osImage,
      containerRuntimeVersion: `${runtime.name}://${runtime.version}`,
      kubeletVersion,
      kubeProxyVersion: '',
      operatingSystem: machine.operatingSystem,
      architecture: machine.architecture,
      ...(machine.swapBytes > 0 && { swap: { capacity: machine.swapBytes } }),
    },
    images: imagesOf(facts.images),
    runtimeHandlers: [{ name: '', features: { recursiveReadOnlyMounts: false, userNamespaces: false } }],
    features: { supplementalGroupsPolicy: false },
  };
}

function imagesOf(images: readonly ImageInfo[]): NonNullable<NodeStatus['images']> {
  return [...images]
    .sort((a, b) => b.sizeBytes - a.sizeBytes)
    .slice(0, maxImages)
    .map(({ repoDigests, repoTags, sizeBytes }) => ({
      names: [...repoDigests, ...repoTags].slice(0, maxNamesPerImage),
      sizeBytes,
    }));
}

interface Verdict {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

function conditions(facts: NodeFacts, old: NodeStatus | undefined): NodeCondition[] {
  const pressure = (
    type: string,
    on: boolean,
    reasons: readonly [string, string],
    messages: readonly [string, string],
  ) => ({ type, status: on ? 'True' : 'False', reason: reasons[on ? 0 : 1], message: messages[on ? 0 : 1] }) as const;
  const verdicts: Verdict[] = [
    pressure(
      'MemoryPressure',
      facts.memoryPressure,
      ['KubeletHasInsufficientMemory', 'KubeletHasSufficientMemory'],
      ['kubelet has insufficient memory available', 'kubelet has sufficient memory available'],
    ),
    pressure(
      'DiskPressure',
      facts.diskPressure,
      ['KubeletHasDiskPressure', 'KubeletHasNoDiskPressure'],
      ['kubelet has disk pressure', 'kubelet has no disk pressure'],
    ),
    pressure(
      'PIDPressure',
      facts.pidPressure,
      ['KubeletHasInsufficientPID', 'KubeletHasSufficientPID'],
      ['kubelet has insufficient PID available', 'kubelet has sufficient PID available'],
    ),
    facts.notReady === undefined
      ? { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' }
      : { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message: facts.notReady },
  ];
  const at = formatTime(facts.nowMs);
  const own = verdicts.map(verdict => {
    const before = old?.conditions?.find(each => each.type === verdict.type);
    const same = before?.status === verdict.status && before.lastTransitionTime;
    return { ...verdict, lastHeartbeatTime: at, lastTransitionTime: same ? before.lastTransitionTime! : at };
  });
  const types = new Set(own.map(({ type }) => type));
  return [...(old?.conditions ?? []).filter(({ type }) => !types.has(type)), ...own];
}

/** The labels that every node has. */
export function nodeLabels(
  { machine, hostname }: Pick<NodeFacts, 'machine' | 'hostname'>,
  own: Readonly<Record<string, string>>,
): Record<string, string> {
  const { operatingSystem, architecture } = machine;
  return {
    'kubernetes.io/hostname': hostname,
    'kubernetes.io/os': operatingSystem,
    'kubernetes.io/arch': architecture,
    'beta.kubernetes.io/os': operatingSystem,
    'beta.kubernetes.io/arch': architecture,
    ...own,
  };
}
