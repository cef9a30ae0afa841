/**
 * The status of a ResourceClaim: what was allocated, for whom, and what drivers say of each device. Upstream:
 * pkg/registry/resource/resourceclaim/strategy.go, pkg/apis/resource/validation/validation.go.
 */
import {
  append,
  byteLength,
  type Draft,
  FieldPath,
  forbiddenField,
  invalidValue,
  isValidInterfaceAddress,
  semanticEqual,
  tooLong,
  tooMany,
  validateConditions,
} from '#apimachinery';
import type { RuleContext } from '../../../kind.ts';
import { keepAllButStatus } from '../../../strategies.ts';
import type {
  AllocatedDeviceStatus,
  AllocationResult,
  DeviceRequestAllocationResult,
  NetworkDeviceData,
  ResourceClaim,
} from '../../../types.ts';
import { checkChoice, checkImmutable, type Errors, requireText } from '../../../validation/common.ts';
import {
  checkAdminResults,
  checkRequestRef,
  checkRequestRefs,
  type RequestNames,
  requestNamesOf,
} from '../../../validation/device-claims.ts';
import {
  checkBindingParameters,
  checkDeviceConfiguration,
  checkDeviceName,
  checkList,
  checkPoolName,
  checkRawObject,
  checkSet,
  maxParametersBytes,
} from '../../../validation/devices.ts';
import { internalValue } from '../../../validation/internal-value.ts';
import { checkNodeSelector } from '../../../validation/scheduling.ts';
import { checkCSIDriverName } from '../../../validation/volume-sources.ts';

interface DeviceReference {
  readonly driver?: string;
  readonly pool?: string;
  readonly device?: string;
  readonly shareID?: string;
}

/** As upstream's SharedDeviceID is shown. */
function deviceId({ driver = '', pool = '', device = '', shareID = '' }: DeviceReference): Record<string, string> {
  return { Driver: driver, Pool: pool, Device: device, ShareID: shareID };
}

const idText = (device: DeviceReference): string => JSON.stringify(deviceId(device));

function allocatedIds(claim: ResourceClaim): Set<string> {
  return new Set((claim.status?.allocation?.devices?.results ?? []).map(idText));
}

/** What drivers said of devices that the claim has lost goes with them. */
export function prepareClaimStatus(draft: Draft<ResourceClaim>, old: ResourceClaim): void {
  keepAllButStatus(draft, old);
  const { status } = draft;
  if (!status?.devices) return;
  const lost = allocatedIds(old);
  for (const id of allocatedIds(draft as ResourceClaim)) lost.delete(id);
  status.devices = status.devices.filter(device => !lost.has(idText(device)));
  if (status.devices.length === 0) delete status.devices;
}

const uuidPattern = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/;
const uuidForms: readonly RegExp[] = [
  /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i,
  /^urn:uuid:[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i,
  /^\{[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}\}$/i,
  /^[0-9a-f]{32}$/i,
];

/** Why a text is no UUID, in the words of upstream's parser. */
function uuidProblem(uid: string): string | undefined {
  const length = byteLength(uid);
  if (uuidForms.some(form => form.test(uid))) return undefined;
  if (length === 45 && !/^urn:uuid:/i.test(uid)) return `invalid urn prefix: ${JSON.stringify(uid.slice(0, 9))}`;
  if (length === 38 && !/^\{.*\}$/s.test(uid)) return 'invalid bracketed UUID format';
  return [32, 36, 38, 45].includes(length) ? 'invalid UUID format' : `invalid UUID length: ${length}`;
}

function checkShareId(errors: Errors, path: FieldPath, uid: string | undefined): void {
  if (uid === undefined) return;
  const problem = uuidProblem(uid);
  if (problem !== undefined) errors.push(invalidValue(path, uid, `error validating uid: ${problem}`));
  else if (!uuidPattern.test(uid)) {
    const form = '`xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`';
    const text = `uid must be in RFC 4122 normalized form, ${form} with lowercase hexadecimal characters`;
    errors.push(invalidValue(path, uid, text));
  }
}

function checkDevice(errors: Errors, path: FieldPath, { driver, pool, device }: DeviceReference): void {
  checkCSIDriverName(errors, path.child('driver'), driver);
  checkPoolName(errors, path.child('pool'), pool);
  checkDeviceName(errors, path.child('device'), device);
}

function checkResult(
  errors: Errors,
  path: FieldPath,
  result: DeviceRequestAllocationResult,
  names: RequestNames,
): void {
  checkRequestRef(errors, path.child('request'), result.request ?? '', names);
  checkDevice(errors, path, result);
  checkBindingParameters(errors, path, result);
  checkShareId(errors, path.child('shareID'), result.shareID);
}

function checkAllocation(errors: Errors, path: FieldPath, allocation: AllocationResult, names: RequestNames): void {
  const at = path.child('devices');
  const { results, config } = allocation.devices ?? {};
  checkList(errors, at.child('results'), results, 32, (result, where) => checkResult(errors, where, result, names));
  checkList(errors, at.child('config'), config, 64, (each, where) => {
    checkChoice(errors, where.child('source'), each.source, ['FromClaim', 'FromClass']);
    checkRequestRefs(errors, where.child('requests'), each.requests, names);
    checkDeviceConfiguration(errors, where, each, false);
  });
  if (allocation.nodeSelector) checkNodeSelector(errors, path.child('nodeSelector'), allocation.nodeSelector);
}

function checkNetworkData(errors: Errors, path: FieldPath, data: NetworkDeviceData): void {
  const { interfaceName = '', hardwareAddress = '' } = data;
  if (byteLength(interfaceName) > 256) errors.push(tooLong(path.child('interfaceName'), 256));
  if (byteLength(hardwareAddress) > 128) errors.push(tooLong(path.child('hardwareAddress'), 128));
  checkSet(
    errors,
    path.child('ips'),
    data.ips,
    16,
    (address, at) => append(errors, isValidInterfaceAddress(at, address)),
    address => address,
  );
}

function checkDeviceStatus(
  errors: Errors,
  path: FieldPath,
  device: AllocatedDeviceStatus,
  allocated: ReadonlySet<string>,
): void {
  checkDevice(errors, path, device);
  checkShareId(errors, path.child('shareID'), device.shareID);
  if (!allocated.has(idText(device))) {
    errors.push(invalidValue(path, deviceId(device), 'must be an allocated device in the claim'));
  }
  const { conditions = [], data, networkData } = device;
  const at = path.child('conditions');
  if (conditions.length > 8) errors.push(tooMany(at, conditions.length, 8));
  append(errors, validateConditions(conditions, at));
  if (data !== undefined) checkRawObject(errors, path.child('data'), data, false, maxParametersBytes);
  if (networkData) checkNetworkData(errors, path.child('networkData'), networkData);
}

function checkReservations(errors: Errors, path: FieldPath, now: ResourceClaim, before: ResourceClaim): void {
  const { reservedFor = [], allocation } = now.status ?? {};
  if (reservedFor.length === 0) return;
  if (!allocation) {
    errors.push(forbiddenField(path, 'may not be specified when `allocated` is not set'));
    return;
  }
  if (!now.metadata.deletionTimestamp) return;
  const had = before.status?.reservedFor ?? [];
  if (reservedFor.some(each => !had.some(other => semanticEqual(each, other)))) {
    const text = 'new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set';
    errors.push(forbiddenField(path, text));
  }
}

export function validateClaimStatus(now: ResourceClaim, before: ResourceClaim, context: RuleContext): Errors {
  const errors: Errors = [];
  const path = FieldPath.of('status');
  const allocation = now.status?.allocation;
  const had = before.status?.allocation;
  checkAdminResults(errors, allocation?.devices?.results, had?.devices?.results, context.namespaceLabels);
  append(errors, context.refusals ?? []);
  checkSet(
    errors,
    path.child('reservedFor'),
    now.status?.reservedFor,
    256,
    (consumer, at) => {
      for (const name of ['resource', 'name', 'uid'] as const) requireText(errors, at.child(name), consumer[name]);
    },
    consumer => consumer.uid ?? '',
  );
  const allocated = allocatedIds(now);
  checkSet(
    errors,
    path.child('devices'),
    now.status?.devices,
    -1,
    (device, at) => checkDeviceStatus(errors, at, device, allocated),
    deviceId,
  );
  checkReservations(errors, path.child('reservedFor'), now, before);
  const at = path.child('allocation');
  const type = 'resource.AllocationResult';
  if (allocation && had) checkImmutable(errors, at, internalValue(type, allocation), internalValue(type, had));
  else if (allocation) checkAllocation(errors, at, allocation, requestNamesOf(now.spec.devices));
  return errors;
}
