/** Writes to a Pod's status. Upstream: pkg/apis/core/validation (ValidatePodStatusUpdate). */
import {
  append,
  type Draft,
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  isIPv4,
  isValidIPForLegacyField,
  parseIp,
} from '#apimachinery';
import type { ContainerStatus, Pod, PodSpec, PodStatus } from '../../../types.ts';
import { checkImmutable, checkObjectName, checkQualifiedName, type Errors } from '../../../validation/common.ts';
import { checkAnnotationUpdates } from '../../../validation/pods.ts';
import {
  checkAllocatedStatuses,
  checkClaimStatuses,
  checkExtendedClaimStatus,
  checkStatusUsers,
  dropDisabledStatusFields,
} from './container-status.ts';

const path = FieldPath.of('status');
const systemConditions = ['PodScheduled', 'Ready', 'Initialized'];

function checkConditions(errors: Errors, pod: Pod): void {
  pod.status?.conditions?.forEach((condition, i) => {
    const at = path.child('conditions').index(i);
    if ((condition.observedGeneration ?? 0) < 0) {
      const text = 'must be a non-negative integer';
      errors.push(invalidValue(at.child('observedGeneration'), condition.observedGeneration, text));
    }
    if (!systemConditions.includes(condition.type)) checkQualifiedName(errors, at.child('Type'), condition.type ?? '');
  });
}

/** Whether a container that ended with this code may run again. Upstream: podutil.ContainerShouldRestart. */
function mayRestart(spec: PodSpec, name: string, code: number): boolean {
  const container = [...(spec.containers ?? []), ...(spec.initContainers ?? [])].find(each => each.name === name);
  for (const { exitCodes, action } of container?.restartPolicyRules ?? []) {
    if (!exitCodes || action === undefined) continue;
    const listed = (exitCodes.values ?? []).includes(code);
    if (exitCodes.operator === 'In' ? listed : !listed) return true;
  }
  const policy = container?.restartPolicy ?? spec.restartPolicy ?? 'Always';
  return policy === 'Always' || (policy === 'OnFailure' && code !== 0);
}

function restartsAll(spec: PodSpec): boolean {
  const all = [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
  return all.some(each => each.restartPolicyRules?.some(rule => rule.action === 'RestartAllContainers'));
}

type Statuses = readonly ContainerStatus[] | undefined;

function checkTransitions(errors: Errors, at: FieldPath, now: Statuses, before: Statuses, spec?: PodSpec): void {
  if (spec && (spec.restartPolicy === 'Always' || restartsAll(spec))) return;
  before?.forEach((old, i) => {
    const ended = old.state?.terminated;
    if (!ended) return;
    const next = now?.find(each => each.name === old.name);
    if (!next || next.state?.terminated) return;
    if (spec && mayRestart(spec, old.name, ended.exitCode ?? 0)) return;
    errors.push(forbiddenField(at.index(i).child('state'), 'may not be transitioned to non-terminated state'));
  });
}

function checkAddresses(
  errors: Errors,
  at: FieldPath,
  now: ReadonlyArray<{ readonly ip?: string }> = [],
  before: ReadonlyArray<{ readonly ip?: string }> = [],
): void {
  const known = before.map(each => each.ip ?? '');
  now.forEach(({ ip = '' }, i) => {
    append(errors, isValidIPForLegacyField(at.index(i), ip, known));
  });
  if (now.length < 2) return;
  const families = new Set(now.map(({ ip = '' }) => (isIPv4(parseIp(ip) ?? parseIp('::')!) ? 4 : 6)));
  if (families.size < 2 || now.length > 2) {
    const shown = now.map(({ ip = '' }) => ({ IP: ip }));
    errors.push(invalidValue(at, shown, 'may specify no more than one IP for each IP family'));
  }
}

/** `podIP` and the first of `podIPs` are one: where they differ the single one, which older kubelets write, counts. */
export function syncPodIPs(status: Draft<PodStatus> | undefined): void {
  if (!status) return;
  const { podIP, podIPs } = status;
  if (podIP && podIP !== podIPs?.[0]?.ip) status.podIPs = [{ ip: podIP }];
  if (!podIP && podIPs?.[0]?.ip) status.podIP = podIPs[0].ip;
}

/** The class, decided at creation, and generations that the writer left out stay as they were. */
export function keepServerStatus(status: Draft<PodStatus>, old: PodStatus = {}): void {
  dropDisabledStatusFields(status, old);
  if (!status.qosClass && old.qosClass) status.qosClass = old.qosClass;
  if (!status.observedGeneration && old.observedGeneration) status.observedGeneration = old.observedGeneration;
  const before = [...(old.conditions ?? [])];
  for (const condition of status.conditions ?? []) {
    const at = before.findIndex(each => each.type === condition.type);
    const [found] = at < 0 ? [] : before.splice(at, 1);
    if (!condition.observedGeneration && found?.observedGeneration) {
      condition.observedGeneration = found.observedGeneration;
    }
  }
}

export function validatePodStatus(pod: Pod, old: Pod): FieldError[] {
  const errors: Errors = [];
  const { status = {} } = pod;
  const before = old.status ?? {};
  checkAnnotationUpdates(errors, pod, old);
  checkConditions(errors, pod);
  const nominated = status.nominatedNodeName;
  const at = path.child('nominatedNodeName');
  if (nominated && nominated !== before.nominatedNodeName) {
    checkObjectName(errors, at, nominated);
    if (old.spec.nodeName) errors.push(forbiddenField(at, 'may not be set on pods that are already bound to a node'));
  }
  if ((status.observedGeneration ?? 0) < 0) {
    const text = 'must be a non-negative integer';
    errors.push(invalidValue(path.child('observedGeneration'), status.observedGeneration, text));
  }
  checkImmutable(errors, path.child('qosClass'), status.qosClass ?? '', before.qosClass ?? '');
  const { spec } = old;
  const lists = ['containerStatuses', 'initContainerStatuses'] as const;
  for (const list of lists) checkTransitions(errors, path.child(list), status[list], before[list], spec);
  const ephemeral = 'ephemeralContainerStatuses';
  checkTransitions(errors, path.child(ephemeral), status[ephemeral], before[ephemeral]);
  checkClaimStatuses(errors, pod.spec, status);
  checkExtendedClaimStatus(errors, pod.spec, status);
  checkAddresses(errors, path.child('podIPs'), status.podIPs, before.podIPs);
  const { hostIPs = [] } = status;
  if (hostIPs.length > 0 && (status.hostIP ?? '') !== hostIPs[0]!.ip) {
    errors.push(invalidValue(path.child('hostIPs').index(0).child('ip'), hostIPs[0]!.ip, 'must be equal to `hostIP`'));
  }
  checkAddresses(errors, path.child('hostIPs'), hostIPs, before.hostIPs);
  checkStatusUsers(errors, pod.spec, status);
  checkAllocatedStatuses(errors, pod.spec, status);
  return errors;
}
