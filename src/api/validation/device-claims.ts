/**
 * What a claim for devices asks for: requests, constraints between them, configuration; shared by ResourceClaims and
 * their templates. Upstream: pkg/apis/resource/{v1/defaults.go,validation/validation.go}, pkg/registry/resource/utils.go.
 */
import {
  type Draft,
  type FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  FieldPath as Path,
  required,
} from '#apimachinery';
import type {
  DeviceClaim,
  DeviceConstraint,
  DeviceRequest,
  DeviceSubRequest,
  DeviceToleration,
  ExactDeviceRequest,
  ResourceClaimSpec,
} from '../types.ts';
import { checkDNSLabel, checkDNSSubdomain, type Errors, requireText } from './common.ts';
import {
  checkDeviceConfiguration,
  checkDeviceToleration,
  checkFullyQualifiedAttribute,
  checkList,
  checkSelectors,
  checkSet,
} from './devices.ts';

const maxRequests = 32;
const refText = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";

/** Request names, with the names of their alternatives. */
export type RequestNames = ReadonlyMap<string, ReadonlySet<string>>;

export function requestNamesOf(claim: DeviceClaim | undefined): RequestNames {
  return new Map(
    (claim?.requests ?? []).map(({ name, firstAvailable }) => [
      name ?? '',
      new Set((firstAvailable ?? []).map(sub => sub.name ?? '')),
    ]),
  );
}

function requestDefaults(request: Draft<ExactDeviceRequest>): void {
  request.allocationMode ||= 'ExactCount';
  if (request.allocationMode === 'ExactCount') request.count ||= 1;
  tolerationDefaults(request.tolerations);
}

export function tolerationDefaults(tolerations: Draft<DeviceToleration>[] | undefined): void {
  for (const toleration of tolerations ?? []) toleration.operator ||= 'Equal';
}

export function claimDefaults(spec: Draft<ResourceClaimSpec> | undefined): void {
  for (const request of spec?.devices?.requests ?? []) {
    if (request.exactly) requestDefaults(request.exactly);
    for (const sub of request.firstAvailable ?? []) requestDefaults(sub);
  }
}

export function checkRequestRef(errors: Errors, path: FieldPath, ref: string, names: RequestNames): void {
  const segments = ref.split('/');
  if (segments.length > 2) {
    errors.push(invalidValue(path, ref, refText));
    return;
  }
  for (const segment of segments) checkDNSLabel(errors, path, segment);
  const [request, sub] = segments as [string, string?];
  const subs = names.get(request);
  if (!subs || (sub !== undefined && !subs.has(sub))) errors.push(invalidValue(path, ref, refText));
}

export function checkRequestRefs(
  errors: Errors,
  path: FieldPath,
  refs: readonly string[] | undefined,
  names: RequestNames,
): void {
  checkSet(
    errors,
    path,
    refs,
    maxRequests,
    (ref, at) => checkRequestRef(errors, at, ref, names),
    ref => ref,
  );
}

function checkAllocation(
  errors: Errors,
  path: FieldPath,
  { allocationMode = '', count = 0 }: ExactDeviceRequest,
): void {
  const at = path.child('count');
  if (allocationMode === 'All') {
    if (count !== 0) errors.push(invalidValue(at, count, "must not be specified when allocationMode is 'All'"));
  } else if (allocationMode === 'ExactCount') {
    if (count <= 0) errors.push(invalidValue(at, count, 'must be greater than zero'));
  } else errors.push(notSupported(path.child('allocationMode'), allocationMode, ['All', 'ExactCount']));
}

function checkExactRequest(errors: Errors, path: FieldPath, request: ExactDeviceRequest): void {
  const at = path.child('deviceClassName');
  if (requireText(errors, at, request.deviceClassName)) checkDNSSubdomain(errors, at, request.deviceClassName);
  checkSelectors(errors, path.child('selectors'), request.selectors);
  checkAllocation(errors, path, request);
  request.tolerations?.forEach((toleration, i) => {
    checkDeviceToleration(errors, path.child('tolerations').index(i), toleration);
  });
}

function checkSubRequest(errors: Errors, path: FieldPath, request: DeviceSubRequest): void {
  checkDNSLabel(errors, path.child('name'), request.name ?? '');
  checkExactRequest(errors, path, request);
}

function checkRequest(errors: Errors, path: FieldPath, request: DeviceRequest): void {
  checkDNSLabel(errors, path.child('name'), request.name ?? '');
  const { exactly, firstAvailable: alternatives = [] } = request;
  const text = 'exactly one of `exactly` or `firstAvailable` is required';
  if (exactly && alternatives.length > 0) {
    errors.push(invalidValue(path, null, `${text}, but multiple fields are set`));
  } else if (exactly) checkExactRequest(errors, path.child('exactly'), exactly);
  else if (alternatives.length === 0) errors.push(required(path, text));
  else {
    checkSet(
      errors,
      path.child('firstAvailable'),
      alternatives,
      8,
      (sub, at) => checkSubRequest(errors, at, sub),
      sub => sub.name ?? '',
    );
  }
}

function checkConstraint(errors: Errors, path: FieldPath, constraint: DeviceConstraint, names: RequestNames): void {
  const { matchAttribute, distinctAttribute } = constraint;
  checkRequestRefs(errors, path.child('requests'), constraint.requests, names);
  if (matchAttribute !== undefined) {
    checkFullyQualifiedAttribute(errors, path.child('matchAttribute'), matchAttribute);
  } else if (distinctAttribute !== undefined) {
    checkFullyQualifiedAttribute(errors, path.child('distinctAttribute'), distinctAttribute);
  } else {
    // The text is upstream's, although no field is set here.
    const text = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set';
    errors.push(required(path, text));
  }
}

export function checkClaimSpec(errors: Errors, path: FieldPath, spec: ResourceClaimSpec | undefined): void {
  const claim = spec?.devices ?? {};
  const at = path.child('devices');
  const names = requestNamesOf(claim);
  checkSet(
    errors,
    at.child('requests'),
    claim.requests,
    maxRequests,
    (request, where) => checkRequest(errors, where, request),
    request => request.name ?? '',
  );
  checkList(errors, at.child('constraints'), claim.constraints, 32, (constraint, where) => {
    checkConstraint(errors, where, constraint, names);
  });
  checkList(errors, at.child('config'), claim.config, 32, (config, where) => {
    checkRequestRefs(errors, where.child('requests'), config.requests, names);
    checkDeviceConfiguration(errors, where, config, false);
  });
}

const adminLabel = 'resource.kubernetes.io/admin-access';
const adminText = `admin access to devices requires the \`${adminLabel}: true\` label on the containing namespace`;

type Labels = Readonly<Record<string, string>> | undefined;

/** Access to devices that are in use by others is for namespaces that are labelled so. The path is always the claim's. */
export function checkAdminRequests(errors: Errors, spec: ResourceClaimSpec | undefined, labels: Labels): void {
  const i = (spec?.devices?.requests ?? []).findIndex(request => request.exactly?.adminAccess);
  if (i < 0 || labels?.[adminLabel] === 'true') return;
  errors.push(forbiddenField(Path.of('spec', 'devices', 'requests').index(i).child('adminAccess'), adminText));
}

type Results = readonly { readonly adminAccess?: boolean }[] | undefined;

export function checkAdminResults(errors: Errors, now: Results, before: Results, labels: Labels): void {
  const i = (now ?? []).findIndex(result => result.adminAccess);
  if (i < 0 || before?.some(result => result.adminAccess) || labels?.[adminLabel] === 'true') return;
  const path = Path.of('status', 'allocation', 'devices', 'results').index(i).child('adminAccess');
  errors.push(forbiddenField(path, adminText));
}
