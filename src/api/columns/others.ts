/** Rows of the kinds of small groups. Upstream: printers.go; kube-aggregator pkg/registry/apiservice/etcd/etcd.go. */
import { humanDuration } from '#apimachinery';
import type { ClusterTrustBundle } from '../certificates/v1beta1/cluster-trust-bundle/rules.ts';
import type {
  APIService,
  CertificateSigningRequest,
  ClusterRoleBinding,
  DeviceClass,
  FlowSchema,
  Lease,
  PodDisruptionBudget,
  PriorityClass,
  PriorityLevelConfiguration,
  ResourceClaim,
  ResourceClaimTemplate,
  ResourceSlice,
  RoleBinding,
  RuntimeClass,
} from '../types.ts';
import { age, type Row, type RowOf, row } from './cells.ts';

function nameAndAge({ metadata }: DeviceClass | ResourceClaimTemplate, nowMs: number): Row {
  return row(metadata.name ?? '', age(metadata.creationTimestamp, nowMs));
}

function apiServiceRow({ metadata, spec, status }: APIService, nowMs: number): Row {
  const service = spec.service ? `${spec.service.namespace ?? ''}/${spec.service.name ?? ''}` : 'Local';
  const available = status?.conditions?.find(each => each.type === 'Available');
  let state = available?.status ?? 'Unknown';
  if (available && available.status !== 'True' && available.reason) state += ` (${available.reason})`;
  return row(metadata.name ?? '', service, state, age(metadata.creationTimestamp, nowMs));
}

function signingState({ status }: CertificateSigningRequest): string {
  const has = (type: string): boolean => status?.conditions?.some(each => each.type === type) ?? false;
  const decision = has('Denied') ? 'Denied' : has('Approved') ? 'Approved' : 'Pending';
  return decision + (has('Failed') ? ',Failed' : '') + (status?.certificate ? ',Issued' : '');
}

function signingRequestRow(request: CertificateSigningRequest, nowMs: number): Row {
  const { metadata, spec } = request;
  const { expirationSeconds: seconds } = spec;
  return row(
    metadata.name ?? '',
    age(metadata.creationTimestamp, nowMs),
    spec.signerName || '<none>',
    spec.username ?? '',
    seconds === undefined ? '<none>' : humanDuration(seconds * 1000),
    signingState(request),
  );
}

function trustBundleRow({ metadata, spec }: ClusterTrustBundle): Row {
  return row(metadata.name ?? '', spec?.signerName || '<none>');
}

function leaseRow({ metadata, spec }: Lease, nowMs: number): Row {
  return row(metadata.name ?? '', spec?.holderIdentity ?? '', age(metadata.creationTimestamp, nowMs));
}

function flowSchemaRow({ metadata, spec, status }: FlowSchema, nowMs: number): Row {
  return row(
    metadata.name ?? '',
    spec.priorityLevelConfiguration?.name ?? '',
    spec.matchingPrecedence ?? 0,
    spec.distinguisherMethod?.type ?? '<none>',
    age(metadata.creationTimestamp, nowMs),
    status?.conditions?.find(each => each.type === 'Dangling')?.status ?? '?',
  );
}

function priorityLevelRow({ metadata, spec }: PriorityLevelConfiguration, nowMs: number): Row {
  const none = '<none>';
  const queuing = spec.limited?.limitResponse?.queuing;
  return row(
    metadata.name ?? '',
    spec.type,
    spec.limited ? (spec.limited.nominalConcurrencyShares ?? null) : none,
    queuing ? (queuing.queues ?? 0) : none,
    queuing ? (queuing.handSize ?? 0) : none,
    queuing ? (queuing.queueLengthLimit ?? 0) : none,
    age(metadata.creationTimestamp, nowMs),
  );
}

function runtimeClassRow({ metadata, handler }: RuntimeClass, nowMs: number): Row {
  return row(metadata.name ?? '', handler, age(metadata.creationTimestamp, nowMs));
}

function disruptionBudgetRow({ metadata, spec, status }: PodDisruptionBudget, nowMs: number): Row {
  return row(
    metadata.name ?? '',
    spec.minAvailable === undefined ? 'N/A' : String(spec.minAvailable),
    spec.maxUnavailable === undefined ? 'N/A' : String(spec.maxUnavailable),
    status?.disruptionsAllowed ?? 0,
    age(metadata.creationTimestamp, nowMs),
  );
}

function roleBindingRow({ metadata, roleRef, subjects = [] }: RoleBinding | ClusterRoleBinding, nowMs: number): Row {
  const of = (kind: string, text: (subject: (typeof subjects)[number]) => string): string =>
    subjects
      .filter(each => each.kind === kind)
      .map(text)
      .join(', ');
  return row(
    metadata.name ?? '',
    `${roleRef.kind}/${roleRef.name}`,
    age(metadata.creationTimestamp, nowMs),
    of('User', each => each.name),
    of('Group', each => each.name),
    of('ServiceAccount', each => `${each.namespace ?? ''}/${each.name}`),
  );
}

function claimState({ metadata, status }: ResourceClaim): string {
  const deleted = metadata.deletionTimestamp ? ['deleted'] : [];
  if (!status?.allocation) return deleted[0] ?? 'pending';
  return [...deleted, 'allocated', ...((status.reservedFor?.length ?? 0) > 0 ? ['reserved'] : [])].join(',');
}

function resourceClaimRow(claim: ResourceClaim, nowMs: number): Row {
  const { metadata } = claim;
  return row(metadata.name ?? '', claimState(claim), age(metadata.creationTimestamp, nowMs));
}

function resourceSliceRow({ metadata, spec }: ResourceSlice, nowMs: number): Row {
  return row(
    metadata.name ?? '',
    spec.nodeName ?? '',
    spec.driver,
    spec.pool.name,
    age(metadata.creationTimestamp, nowMs),
  );
}

function priorityClassRow(priority: PriorityClass, nowMs: number): Row {
  const { metadata } = priority;
  return row(
    metadata.name ?? '',
    priority.value ?? 0,
    priority.globalDefault ?? false,
    age(metadata.creationTimestamp, nowMs),
    priority.preemptionPolicy ?? '',
  );
}

/** By kind. */
export const rows: Readonly<Record<string, RowOf>> = {
  APIService: apiServiceRow,
  CertificateSigningRequest: signingRequestRow,
  ClusterTrustBundle: trustBundleRow,
  ClusterRoleBinding: roleBindingRow,
  DeviceClass: nameAndAge,
  FlowSchema: flowSchemaRow,
  Lease: leaseRow,
  PodDisruptionBudget: disruptionBudgetRow,
  PriorityClass: priorityClassRow,
  PriorityLevelConfiguration: priorityLevelRow,
  ResourceClaim: resourceClaimRow,
  ResourceClaimTemplate: nameAndAge,
  ResourceSlice: resourceSliceRow,
  RoleBinding: roleBindingRow,
  RuntimeClass: runtimeClassRow,
};
