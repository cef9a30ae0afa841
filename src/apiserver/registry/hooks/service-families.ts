/**
 * What an update of a Service keeps of what was given out, and which IP families it has, from what it asks for and what
 * the cluster has. Upstream: pkg/registry/core/service/storage/{storage,alloc}.go (patchAllocatedValues,
 * normalizeClusterIPs, initIPFamilyFields).
 */
import { checkClusterIPs } from '#api/rules';
import type { Service } from '#api/types';
import { append, type Draft, type FieldError, FieldPath, invalid, invalidValue, parseIp } from '#apimachinery';

export type Family = 'IPv4' | 'IPv6';
type Spec = Service['spec'];
type DraftSpec = Draft<Service>['spec'];

const path = FieldPath.of('spec');

export function familyOf(address: string): Family {
  return parseIp(address)?.bytes.length === 16 ? 'IPv6' : 'IPv4';
}

/** The other one. */
function alternative(family: string | undefined): Family {
  return family === 'IPv4' ? 'IPv6' : 'IPv4';
}

function sameList(a: readonly string[] = [], b: readonly string[] = []): boolean {
  return a.length === b.length && a.every((each, at) => each === b[at]);
}

const isExternalName = ({ type }: Spec | DraftSpec): boolean => type === 'ExternalName';

/** Node ports are given out for it. */
export function allocatesNodePorts({ type, allocateLoadBalancerNodePorts: wanted }: Spec | DraftSpec): boolean {
  return type === 'NodePort' || (type === 'LoadBalancer' && wanted !== false);
}

export function needsHealthCheck({ type, externalTrafficPolicy }: Spec | DraftSpec): boolean {
  return type === 'LoadBalancer' && externalTrafficPolicy === 'Local';
}

/** What an update leaves out of the allocated values, it keeps. */
export function patchAllocatedValues(now: DraftSpec, old: Spec): void {
  if (!isExternalName(now) && !isExternalName(old)) {
    if (!now.clusterIP && old.clusterIP) now.clusterIP = old.clusterIP;
    if (!now.clusterIPs?.length && old.clusterIPs?.length) now.clusterIPs = [...old.clusterIPs];
  }
  if (allocatesNodePorts(now) && allocatesNodePorts(old)) keepNodePorts(now, old);
  if (needsHealthCheck(now) && needsHealthCheck(old) && !now.healthCheckNodePort && old.healthCheckNodePort) {
    now.healthCheckNodePort = old.healthCheckNodePort;
  }
}

/** By the name of the port; numbers that another port asks for are not kept. */
function keepNodePorts(now: DraftSpec, old: Spec): void {
  const asked = new Set((now.ports ?? []).map(port => port.nodePort ?? 0));
  const before = new Map((old.ports ?? []).map(port => [port.name ?? '', port.nodePort ?? 0]));
  for (const port of now.ports ?? []) {
    const kept = before.get(port.name ?? '') ?? 0;
    if (!port.nodePort && kept !== 0 && !asked.has(kept)) port.nodePort = kept;
  }
}

/** `clusterIP` and `clusterIPs[0]` say the same; the singular wins where an old client changed it alone. */
export function normalizeClusterIPs(now: DraftSpec, old: Spec | null): void {
  if (!old) {
    if (now.clusterIP && !now.clusterIPs?.length) now.clusterIPs = [now.clusterIP];
    return;
  }
  const before = old.clusterIP ?? '';
  const single = now.clusterIP ?? '';
  if (old.clusterIPs?.length && !now.clusterIPs?.length && before === single) now.clusterIPs = [...old.clusterIPs];
  if (before === single || !sameList(now.clusterIPs, old.clusterIPs)) return;
  if (single !== '') now.clusterIPs = [single];
  else delete now.clusterIPs;
}

/** A preference for two families that is not touched is not acted upon when the cluster has changed. */
export function isSettledPreference(now: DraftSpec, old: Spec | null): boolean {
  if (!old || now.type !== old.type || isExternalName(now)) return false;
  const prefers = now.ipFamilyPolicy === 'PreferDualStack';
  const preferred = old.ipFamilyPolicy === undefined || old.ipFamilyPolicy === 'PreferDualStack';
  return prefers && preferred && sameList(now.clusterIPs, old.clusterIPs) && sameList(now.ipFamilies, old.ipFamilies);
}

/** Fills ipFamilyPolicy and ipFamilies; answers what is wrong with them. */
export function initFamilies(now: DraftSpec, old: Spec | null, cluster: readonly Family[]): FieldError[] {
  if (isExternalName(now) || isSettledPreference(now, old)) return [];
  const headless = now.clusterIP === 'None' && Object.keys(now.selector ?? {}).length === 0;
  if (now.ipFamilyPolicy === undefined) {
    now.ipFamilyPolicy = old?.ipFamilyPolicy ?? (headless ? 'RequireDualStack' : 'SingleStack');
  }
  const errors: FieldError[] = [];
  checkClusterIPs(errors, now as Spec, old ?? undefined);
  if (errors.length > 0) return errors;
  errors.push(...shrink(now, old), ...policyErrors(now), ...inferFamilies(now, cluster));
  if (errors.length > 0) return errors;
  if (headless) {
    fillHeadless(now, cluster);
    return [];
  }
  append(errors, missingFamilies(now, cluster));
  if (errors.length > 0) return errors;
  if (!now.ipFamilies?.length) now.ipFamilies = [cluster[0]!];
  if (now.ipFamilyPolicy !== 'SingleStack' && now.ipFamilies.length === 1 && cluster.length === 2) {
    now.ipFamilies.push(alternative(now.ipFamilies[0]));
  }
  return [];
}

/** Back to one family by the policy alone; by the lists alone it is refused. */
function shrink(now: DraftSpec, old: Spec | null): FieldError[] {
  if (!old) return [];
  if (now.ipFamilyPolicy === 'SingleStack') {
    if (sameList(now.clusterIPs, old.clusterIPs) && (now.clusterIPs?.length ?? 0) > 1)
      now.clusterIPs = now.clusterIPs!.slice(0, 1);
    if (sameList(now.ipFamilies, old.ipFamilies) && (now.ipFamilies?.length ?? 0) > 1) {
      now.ipFamilies = now.ipFamilies!.slice(0, 1);
    }
    return [];
  }
  const fewer = (a: readonly string[] = [], b: readonly string[] = []): boolean => a.length > 0 && a.length < b.length;
  const refusal = (what: string): FieldError =>
    invalidValue(
      path.child('ipFamilyPolicy'),
      now.ipFamilyPolicy,
      `must be 'SingleStack' to release the secondary ${what}`,
    );
  return [
    ...(fewer(now.clusterIPs, old.clusterIPs) ? [refusal('cluster IP')] : []),
    ...(fewer(now.ipFamilies, old.ipFamilies) ? [refusal('IP family')] : []),
  ];
}

function policyErrors(now: DraftSpec): FieldError[] {
  if (now.ipFamilyPolicy !== 'SingleStack') return [];
  const refusal = (what: string): FieldError => {
    const must = "must be 'RequireDualStack' or 'PreferDualStack' when multiple";
    return invalidValue(path.child('ipFamilyPolicy'), now.ipFamilyPolicy, `${must} ${what} are specified`);
  };
  return [
    ...(now.clusterIPs?.length === 2 ? [refusal('cluster IPs')] : []),
    ...(now.ipFamilies?.length === 2 ? [refusal('IP families')] : []),
  ];
}

/** Families that clusterIPs imply. */
function inferFamilies(now: DraftSpec, cluster: readonly Family[]): FieldError[] {
  const errors: FieldError[] = [];
  for (const [at, address] of (now.clusterIPs ?? []).entries()) {
    if (address === 'None') break;
    if (at < (now.ipFamilies?.length ?? 0)) continue;
    const family = familyOf(address);
    if (cluster.includes(family)) now.ipFamilies = [...(now.ipFamilies ?? []), family];
    else {
      const text = `${family} is not configured on this cluster`;
      errors.push(invalidValue(path.child('clusterIPs').index(at), now.clusterIPs, text));
    }
  }
  return errors;
}

/** Without a selector nobody knows the families of what stands behind it: both, unless told otherwise. */
function fillHeadless(now: DraftSpec, cluster: readonly Family[]): void {
  if (!now.ipFamilies?.length) now.ipFamilies = [cluster[0]!];
  if (now.ipFamilies.length < 2 && now.ipFamilyPolicy !== 'SingleStack') {
    now.ipFamilies.push(alternative(now.ipFamilies[0]));
  }
}

function missingFamilies(now: DraftSpec, cluster: readonly Family[]): FieldError[] {
  const errors: FieldError[] = [];
  if (now.ipFamilyPolicy === 'RequireDualStack' && cluster.length < 2) {
    const text = 'this cluster is not configured for dual-stack services';
    errors.push(invalidValue(path.child('ipFamilyPolicy'), now.ipFamilyPolicy, text));
  }
  now.ipFamilies?.forEach((family, at) => {
    if (cluster.includes(family as Family)) return;
    errors.push(invalidValue(path.child('ipFamilies').index(at), family, 'not configured on this cluster'));
  });
  return errors;
}

export function refuse(service: Draft<Service>, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalid({ group: '', kind: 'Service' }, service.metadata.name ?? '', errors);
}
