/**
 * As much of admission and allocation as the oracle's rows show: the server proper has the whole of it. A pod gets its
 * service account, token volume, tolerations and priority; a Service its address and ports.
 */
import type { KindRecord } from '#api/kind';
import type { Draft, KubeObject } from '#apimachinery';
import {
  allocatesNodePorts,
  initFamilies,
  needsHealthCheck,
  normalizeClusterIPs,
  patchAllocatedValues,
} from '../../src/apiserver/registry/hooks/service-families.ts';
import type { Outcome } from './pipeline.ts';

const tokenVolume = 'kube-api-access-abcde';

function addTolerations(spec: any): void {
  for (const key of ['not-ready', 'unreachable']) {
    const full = `node.kubernetes.io/${key}`;
    const has = spec.tolerations?.some(
      (t: any) => (t.key === full || !t.key) && (t.effect === 'NoExecute' || !t.effect),
    );
    if (has) continue;
    spec.tolerations ??= [];
    spec.tolerations.push({ key: full, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 });
  }
}

/** Of the classes that every server has. */
const priorities: Readonly<Record<string, number>> = {
  '': 0,
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};

function podAdmission(pod: any): Outcome | undefined {
  const { spec } = pod;
  if (!spec) return undefined;
  spec.serviceAccountName ||= spec.serviceAccount || 'default';
  spec.serviceAccount = spec.serviceAccountName;
  if (spec.serviceAccountName !== 'default') return { code: 403 };
  addTolerations(spec);
  const priority = priorities[spec.priorityClassName ?? ''];
  if (priority !== undefined) {
    spec.priority ??= priority;
    spec.preemptionPolicy ??= 'PreemptLowerPriority';
  }
  if (spec.automountServiceAccountToken === false) return undefined;
  const sources = [
    { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
    { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
    {
      downwardAPI: {
        items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
      },
    },
  ];
  const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount';
  let needed = false;
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    if (container.volumeMounts?.some((m: any) => m.mountPath === mountPath)) continue;
    container.volumeMounts ??= [];
    container.volumeMounts.push({ name: tokenVolume, readOnly: true, mountPath });
    needed = true;
  }
  if (needed) (spec.volumes ??= []).push({ name: tokenVolume, projected: { sources, defaultMode: 420 } });
  return undefined;
}

/** What admission does to the spec of a pod that exists. */
function keepPriority(spec: any, old: any): void {
  addTolerations(spec);
  spec.priority ??= old.priority;
  spec.preemptionPolicy ??= old.preemptionPolicy;
}

function taint(node: any): void {
  const taints = ((node.spec ??= {}).taints ??= []);
  const key = 'node.kubernetes.io/not-ready';
  if (!taints.some((each: any) => each.key === key && each.effect === 'NoSchedule')) {
    taints.push({ key, effect: 'NoSchedule' });
  }
}

/** Changes the object as mutating admission does; answers a refusal, if any. */
export function admit(record: KindRecord, object: Draft<KubeObject>, old: KubeObject | undefined): Outcome | undefined {
  if (record.kind === 'Node' && !old) taint(object);
  if (record.kind === 'Pod' && !old) return podAdmission(object);
  if (record.kind === 'Pod' && (object as any).spec) keepPriority((object as any).spec, (old as any).spec);
  return undefined;
}

let addresses = 0;
let ports = 0;

/** Gives a Service its addresses and ports as the registry does before validation. */
export function allocate(
  record: KindRecord,
  object: Draft<KubeObject>,
  old: KubeObject | undefined,
): Outcome | undefined {
  if (record.kind !== 'Service') return undefined;
  const spec = ((object as any).spec ??= {});
  const before = (old as any)?.spec ?? null;
  if (before) patchAllocatedValues(spec, before);
  normalizeClusterIPs(spec, before);
  const errors = initFamilies(spec, before, ['IPv4']);
  if (errors.length > 0) {
    return { code: 422, causes: errors.map(({ type, field, body }) => ({ reason: type, message: body, field })) };
  }
  const refusal = giveAddress(spec, before);
  if (refusal) return refusal;
  givePorts(spec);
  return undefined;
}

function giveAddress(spec: any, before: any): Outcome | undefined {
  const isNew = !before || before.type === 'ExternalName';
  if (!isNew || spec.type === 'ExternalName' || spec.clusterIPs?.[0] === 'None') return undefined;
  const wanted = spec.clusterIPs?.[0];
  if (wanted && !wanted.startsWith('10.96.')) {
    const range = `the provided IP (${wanted}) is not in the valid range. The range of valid IPs is 10.96.0.0/16`;
    const message = `Invalid value: ["${wanted}"]: failed to allocate IP ${wanted}: ${range}`;
    return { code: 422, causes: [{ reason: 'FieldValueInvalid', message, field: 'spec.clusterIPs' }] };
  }
  spec.clusterIPs = [spec.clusterIPs?.[0] || `10.96.1.${++addresses % 250}`];
  spec.clusterIP = spec.clusterIPs[0];
  return undefined;
}

function givePorts(spec: any): void {
  const ported = spec.type === 'NodePort' || spec.type === 'LoadBalancer';
  const given = new Map<number, number>();
  for (const port of ported ? (spec.ports ?? []) : []) {
    if (!port.nodePort && allocatesNodePorts(spec)) port.nodePort = given.get(port.port) ?? 30000 + (++ports % 2000);
    if (port.nodePort) given.set(port.port, port.nodePort);
  }
  if (needsHealthCheck(spec) && !spec.healthCheckNodePort) spec.healthCheckNodePort = 32000 + (++ports % 700);
}
