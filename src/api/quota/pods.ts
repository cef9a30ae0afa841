/** What pods use of a quota, and which scopes they are in. Upstream: pkg/quota/v1/evaluator/core/pods.go. */
import { type KubeObject, parseTimeMs } from '#apimachinery';
import { isPodTerminal } from '../core/helpers/pod-status.ts';
import { qosClass } from '../core/helpers/qos.ts';
import type { Container, ContainerStatus, Pod, PodAffinityTerm } from '../types.ts';
import { type Amounts, addAmounts, amountsOf, maxAmounts } from './amounts.ts';
import { one, type QuotaEvaluator, type Scope, scopeTakes } from './evaluator.ts';

const names = new Set([
  'count/pods',
  'pods',
  ...['cpu', 'memory', 'ephemeral-storage'].flatMap(name => [name, `requests.${name}`, `limits.${name}`]),
]);
/** Once limited, these must be said by every container: a rule that upstream regrets and keeps. */
const compulsory = new Set(['cpu', 'memory', 'requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory']);

const requestsPrefix = 'requests.';
const deviceClassPrefix = 'deviceclass.resource.kubernetes.io/';

/** Not of Kubernetes itself: a name with a domain that is not kubernetes.io's. */
function isNative(name: string): boolean {
  return !name.includes('/') || name.includes('kubernetes.io/');
}

function isExtendedForQuota(name: string): boolean {
  if (!name.startsWith(requestsPrefix)) return false;
  return !isNative(name) || name.startsWith(requestsPrefix + deviceClassPrefix);
}

function isExtended(name: string): boolean {
  if (name.startsWith(deviceClassPrefix)) return true;
  return !isNative(name) && !name.startsWith(requestsPrefix);
}

export function isTerminatingPod(pod: Pod): boolean {
  return (pod.spec?.activeDeadlineSeconds ?? -1) >= 0;
}

/** Whether its compute resources count: it has not ended, and is not stuck beyond its grace. */
export function isQuotaPod(pod: Pod, nowMs: number): boolean {
  if (isPodTerminal(pod)) return false;
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
  if (!deletionTimestamp || deletionGracePeriodSeconds === undefined) return true;
  return nowMs <= parseTimeMs(deletionTimestamp) + deletionGracePeriodSeconds * 1000;
}

function computeUsage(requests: Amounts, limits: Amounts): Amounts {
  const used = new Map([['pods', one]]);
  for (const name of ['cpu', 'memory', 'ephemeral-storage']) {
    const request = requests.get(name);
    const limit = limits.get(name);
    if (request) used.set(name, request).set(requestsPrefix + name, request);
    if (limit) used.set(`limits.${name}`, limit);
  }
  for (const [name, request] of requests) {
    if (name.startsWith('hugepages-')) used.set(name, request).set(requestsPrefix + name, request);
    if (isExtended(name)) used.set(requestsPrefix + name, request);
  }
  return used;
}

/** What containers ask for counts, and what they still have while a resize is under way. */
function effective(pod: Pod, container: Container, list: 'requests' | 'limits'): Amounts {
  const spec = amountsOf(container.resources?.[list]);
  const status = statusOf(pod, container.name);
  if (!status?.resources) return spec;
  const actuated = amountsOf(status.resources[list]);
  const pending = pod.status?.conditions?.find(each => each.type === 'PodResizePending');
  const infeasible = pending?.reason === 'Infeasible';
  if (list === 'limits') return infeasible ? actuated : maxAmounts(spec, actuated);
  const allocated = amountsOf(status.allocatedResources);
  return infeasible ? maxAmounts(actuated, allocated) : maxAmounts(spec, actuated, allocated);
}

function statusOf(pod: Pod, name: string): ContainerStatus | undefined {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  return [...containerStatuses, ...initContainerStatuses].find(each => each.name === name);
}

function podLevelNames(list: Readonly<Record<string, string>> | undefined): string[] {
  return Object.keys(list ?? {}).filter(each => each === 'cpu' || each === 'memory' || each.startsWith('hugepages-'));
}

function total(pod: Pod, list: 'requests' | 'limits'): Amounts {
  let running: Amounts = new Map();
  let sidecars: Amounts = new Map();
  let starting: Amounts = new Map();
  for (const container of pod.spec?.containers ?? []) running = addAmounts(running, effective(pod, container, list));
  for (const container of pod.spec?.initContainers ?? []) {
    if (container.restartPolicy === 'Always') {
      const own = effective(pod, container, list);
      running = addAmounts(running, own);
      sidecars = addAmounts(sidecars, own);
      starting = maxAmounts(starting, sidecars);
    } else starting = maxAmounts(starting, addAmounts(amountsOf(container.resources?.[list]), sidecars));
  }
  const sum = maxAmounts(running, starting);
  const own = pod.spec?.resources?.[list];
  const parsed = amountsOf(own);
  for (const name of podLevelNames(own)) sum.set(name, parsed.get(name)!);
  for (const [name, amount] of amountsOf(pod.spec?.overhead)) {
    const known = sum.get(name);
    if (list === 'requests') sum.set(name, known?.add(amount) ?? amount);
    else if (known && !known.isZero) sum.set(name, known.add(amount));
  }
  return sum;
}

function isCrossNamespace(term: PodAffinityTerm): boolean {
  return Boolean(term.namespaces?.length) || term.namespaceSelector !== undefined;
}

function usesOtherNamespaces(pod: Pod): boolean {
  const { podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {};
  return [podAffinity, podAntiAffinity].some(
    each =>
      each?.requiredDuringSchedulingIgnoredDuringExecution?.some(isCrossNamespace) ||
      each?.preferredDuringSchedulingIgnoredDuringExecution?.some(term => isCrossNamespace(term.podAffinityTerm)),
  );
}

function inScope(scope: Scope, pod: Pod): boolean {
  switch (scope.scopeName) {
    case 'Terminating':
      return isTerminatingPod(pod);
    case 'NotTerminating':
      return !isTerminatingPod(pod);
    case 'BestEffort':
      return podQosOf(pod) === 'BestEffort';
    case 'NotBestEffort':
      return podQosOf(pod) !== 'BestEffort';
    case 'PriorityClass': {
      const name = pod.spec?.priorityClassName || undefined;
      return scope.operator === 'Exists' ? name !== undefined : scopeTakes(scope, name);
    }
    case 'CrossNamespacePodAffinity':
      return usesOtherNamespaces(pod);
    default:
      return false;
  }
}

function podQosOf(pod: Pod): string {
  return pod.status?.qosClass || qosClass(pod.spec);
}

function mustSpecify(required: readonly string[], pod: Pod): string | undefined {
  const own = pod.spec?.resources;
  if (podLevelNames(own?.requests).length > 0 || podLevelNames(own?.limits).length > 0) return undefined;
  const missing = new Map<string, Set<string>>();
  for (const container of [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])]) {
    const { requests, limits } = container.resources ?? {};
    const said = computeUsage(amountsOf(requests), amountsOf(limits));
    for (const name of required) {
      if (!compulsory.has(name) || said.has(name)) continue;
      missing.set(name, (missing.get(name) ?? new Set()).add(container.name));
    }
  }
  if (missing.size === 0) return undefined;
  const parts = [...missing.keys()].sort().map(name => `${name} for: ${[...missing.get(name)!].sort().join(',')}`);
  return `must specify ${parts.join('; ')}`;
}

export const podEvaluator: QuotaEvaluator = {
  group: '',
  resource: 'pods',
  scoped: true,
  handles({ operation, subresource, object, old }) {
    if (subresource === 'resize') return operation === 'UPDATE';
    if (subresource !== '') return false;
    if (operation !== 'UPDATE' || !old) return operation === 'CREATE';
    return isTerminatingPod(old as unknown as Pod) !== isTerminatingPod(object as unknown as Pod);
  },
  matching: all =>
    all.filter(
      name =>
        names.has(name) ||
        name.startsWith('hugepages-') ||
        name.startsWith('requests.hugepages-') ||
        isExtendedForQuota(name),
    ),
  matchesScope: (scope: Scope, object: KubeObject) => inScope(scope, object as unknown as Pod),
  constraints: (required, object) => mustSpecify(required, object as unknown as Pod),
  usage(object, nowMs) {
    const pod = object as unknown as Pod;
    const counted: Amounts = new Map([['count/pods', one]]);
    if (!isQuotaPod(pod, nowMs)) return counted;
    return addAmounts(counted, computeUsage(total(pod, 'requests'), total(pod, 'limits')));
  },
};
