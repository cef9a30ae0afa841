/**
 * Which IP families a Service has, from what it asks for and what the cluster has.
 * Upstream: pkg/registry/core/service/storage/alloc.go initIPFamilyFields, normalizeClusterIPs, patchAllocatedValues.
 */
import type { Service } from '#api/types';
import { type Draft, type FieldError, FieldPath, invalid, invalidValue, parseIp } from '#apimachinery';

export type Family = 'IPv4' | 'IPv6';
type DraftService = Draft<Service>;

const spec = FieldPath.of('spec');

export function familyOf(address: string): Family {
  return address.includes(':') ? 'IPv6' : 'IPv4';
}

function sameList(a: readonly string[] = [], b: readonly string[] = []): boolean {
  return a.length === b.length && a.every((each, at) => each === b[at]);
}

/** `clusterIP` and `clusterIPs[0]` say the same; the singular wins where an old client changed it alone. */
export function normalizeClusterIPs(service: DraftService, old: Service | null): void {
  const { spec: now } = service;
  if (!old) {
    if (now.clusterIP && !now.clusterIPs?.length) now.clusterIPs = [now.clusterIP];
    return;
  }
  const same = sameList(now.clusterIPs, old.spec.clusterIPs);
  if (!now.clusterIP && old.spec.clusterIP && same) {
    delete now.clusterIPs;
    return;
  }
  if (now.clusterIP && now.clusterIP !== old.spec.clusterIP && same) now.clusterIPs = [now.clusterIP];
}

/** What an update leaves out of the allocated values, it keeps. */
export function patchAllocatedValues(service: DraftService, old: Service): void {
  const { spec: now } = service;
  if (now.type !== 'ExternalName' && old.spec.type !== 'ExternalName') {
    if (!now.clusterIP && old.spec.clusterIP) now.clusterIP = old.spec.clusterIP;
    if (!now.clusterIPs?.length && now.clusterIP === old.spec.clusterIP && old.spec.clusterIPs) {
      now.clusterIPs = [...old.spec.clusterIPs];
    }
  }
  const ported = (type: string | undefined) => type === 'NodePort' || type === 'LoadBalancer';
  if (!ported(now.type) || !ported(old.spec.type)) return;
  const before = new Map((old.spec.ports ?? []).map(port => [`${port.protocol}/${port.port}`, port.nodePort]));
  const wanted = new Set((now.ports ?? []).map(port => port.nodePort).filter(Boolean));
  for (const port of now.ports ?? []) {
    const kept = before.get(`${port.protocol}/${port.port}`);
    if (!port.nodePort && kept && !wanted.has(kept)) port.nodePort = kept;
  }
}

/** Fills ipFamilyPolicy and ipFamilies. Throws 422 with upstream's texts. */
export function initFamilies(service: DraftService, old: Service | null, cluster: readonly Family[]): void {
  const { spec: now } = service;
  if (now.type === 'ExternalName') return;
  const headless = now.clusterIP === 'None';
  const selectorless = Object.keys(now.selector ?? {}).length === 0;
  if (!now.ipFamilyPolicy) {
    now.ipFamilyPolicy = old?.spec.ipFamilyPolicy ?? (headless && selectorless ? 'RequireDualStack' : 'SingleStack');
  }
  const policy = now.ipFamilyPolicy;
  if (old && policy === 'SingleStack') {
    if (sameList(now.clusterIPs, old.spec.clusterIPs) && (now.clusterIPs?.length ?? 0) > 1) {
      now.clusterIPs = now.clusterIPs!.slice(0, 1);
    }
    if (sameList(now.ipFamilies, old.spec.ipFamilies) && (now.ipFamilies?.length ?? 0) > 1) {
      now.ipFamilies = now.ipFamilies!.slice(0, 1);
    }
  }
  refuse(service, [...policyErrors(service), ...inferFamilies(service, cluster)]);
  if (headless && selectorless) {
    now.ipFamilies ??= [cluster[0]!];
    if (now.ipFamilies.length === 0) now.ipFamilies = [cluster[0]!];
    if (now.ipFamilies.length < 2 && policy !== 'SingleStack') now.ipFamilies.push(other(now.ipFamilies[0] as Family));
    return;
  }
  const errors: FieldError[] = [];
  if (policy === 'RequireDualStack' && cluster.length < 2) {
    errors.push(
      invalidValue(spec.child('ipFamilyPolicy'), policy, 'this cluster is not configured for dual-stack services'),
    );
  }
  for (const [at, family] of (now.ipFamilies ?? []).entries()) {
    if (!cluster.includes(family as Family)) {
      errors.push(invalidValue(spec.child('ipFamilies').index(at), family, 'not configured on this cluster'));
    }
  }
  refuse(service, errors);
  if (!now.ipFamilies?.length) now.ipFamilies = [cluster[0]!];
  if (policy !== 'SingleStack' && now.ipFamilies.length === 1 && cluster.length === 2) {
    now.ipFamilies.push(other(now.ipFamilies[0] as Family));
  }
}

function other(family: Family): Family {
  return family === 'IPv4' ? 'IPv6' : 'IPv4';
}

function policyErrors({ spec: now }: DraftService): FieldError[] {
  if (now.ipFamilyPolicy !== 'SingleStack') return [];
  const errors: FieldError[] = [];
  const path = spec.child('ipFamilyPolicy');
  const must = "must be 'RequireDualStack' or 'PreferDualStack' when multiple";
  if (now.clusterIPs?.length === 2) {
    errors.push(invalidValue(path, now.ipFamilyPolicy, `${must} cluster IPs are specified`));
  }
  if (now.ipFamilies?.length === 2) {
    errors.push(invalidValue(path, now.ipFamilyPolicy, `${must} IP families are specified`));
  }
  return errors;
}

/** Families that clusterIPs imply. */
function inferFamilies({ spec: now }: DraftService, cluster: readonly Family[]): FieldError[] {
  const errors: FieldError[] = [];
  for (const [at, address] of (now.clusterIPs ?? []).entries()) {
    if (address === 'None') break;
    if (!parseIp(address) || at < (now.ipFamilies?.length ?? 0)) continue;
    const family = familyOf(address);
    if (cluster.includes(family)) now.ipFamilies = [...(now.ipFamilies ?? []), family];
    else {
      const path = spec.child('clusterIPs').index(at);
      errors.push(invalidValue(path, now.clusterIPs, `${family} is not configured on this cluster`));
    }
  }
  return errors;
}

export function refuse(service: DraftService, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalid({ group: '', kind: 'Service' }, service.metadata.name ?? '', errors);
}
