/** One device of a ResourceSlice. Upstream: pkg/apis/resource/validation/validation.go. */
import {
  byteLength,
  type FieldPath,
  forbiddenField,
  invalidValue,
  nameIsDNSSubdomain,
  parseQuantity,
  required,
  semanticEqual,
  tooLong,
  tooMany,
} from '#apimachinery';
import type {
  CapacityRequestPolicy,
  CapacityRequestPolicyRange,
  Device,
  DeviceAttribute,
  DeviceCapacity,
} from '../../../types.ts';
import { checkDNSLabel, type Errors, refuseEach, requireText, sortedKeys } from '../../../validation/common.ts';
import {
  checkBindingParameters,
  checkDeviceName,
  checkDeviceTaint,
  checkList,
  checkQualifiedAttribute,
  checkSet,
} from '../../../validation/devices.ts';
import { internalValue } from '../../../validation/internal-value.ts';
import { checkNodeSelector } from '../../../validation/scheduling.ts';

const maxValueBytes = 64;
const maxAttributesAndCapacities = 32;
const maxAttributeValues = 48;
const maxCounters = 32;
/** A domain, a slash and an identifier. */
const maxKeyBytes = 63 + 1 + 32;

const identifier = '(0|[1-9]\\d*)';
const preRelease = '(0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*)';
const build = '[0-9a-zA-Z-]+';
const semver = new RegExp(
  `^${identifier}\\.${identifier}\\.${identifier}(-${preRelease}(\\.${preRelease})*)?(\\+${build}(\\.${build})*)?$`,
);

export const isNodeName = (name: string): readonly string[] => nameIsDNSSubdomain(name, false);

/** A key as paths show it: one that is too long loses its middle. */
function shortened(key: string, maxBytes: number): string {
  if (byteLength(key) <= maxBytes) return key;
  const left = maxBytes - 3;
  return `${key.slice(0, Math.floor((left + 1) / 2))}...${key.slice(key.length - Math.floor(left / 2))}`;
}

export function checkCounters(
  errors: Errors,
  path: FieldPath,
  counters: Readonly<Record<string, unknown>> | undefined,
): void {
  const names = sortedKeys(counters);
  if (names.length === 0) errors.push(required(path));
  else if (names.length > maxCounters) errors.push(tooMany(path, names.length, maxCounters));
  else for (const name of names) checkDNSLabel(errors, path, name);
}

function checkAttribute(errors: Errors, path: FieldPath, attribute: DeviceAttribute): void {
  const { string: text, version } = attribute;
  if (text !== undefined && byteLength(text) > maxValueBytes) errors.push(tooLong(path.child('string'), maxValueBytes));
  if (version !== undefined) {
    const at = path.child('version');
    if (!semver.test(version)) {
      errors.push(invalidValue(at, version, 'must be a string compatible with semver.org spec 2.0.0'));
    }
    if (byteLength(version) > maxValueBytes) errors.push(tooLong(at, maxValueBytes));
  }
  const set = (['bool', 'int', 'string', 'version'] as const).filter(name => attribute[name] !== undefined);
  if (set.length === 1) return;
  const shown = set.length === 0 ? '' : internalValue('resource.DeviceAttribute', attribute);
  errors.push(invalidValue(path, shown, 'exactly one value must be specified'));
}

function checkValidValues(errors: Errors, path: FieldPath, policy: CapacityRequestPolicy, capacity: string): void {
  const most = parseQuantity(capacity);
  const wanted = parseQuantity(policy.default!);
  const values = (policy.validValues ?? []).map(parseQuantity);
  for (let i = 1; i < values.length; i++) {
    if (values[i - 1]!.compare(values[i]!) <= 0) continue;
    errors.push(invalidValue(path.index(i), values[i]!.toString(), 'values must be sorted in ascending order'));
  }
  let found = false;
  checkSet(
    errors,
    path,
    values,
    10,
    (value, at) => {
      if (value.compare(most) > 0) {
        errors.push(invalidValue(at, value.toString(), `option is larger than capacity value: ${most}`));
      }
      if (value.equals(wanted)) found = true;
    },
    value => String(value.value()),
  );
  if (found) return;
  errors.push(invalidValue(path, wanted.toString(), 'default value is not valid according to the requestPolicy'));
}

function checkStep(errors: Errors, path: FieldPath, text: string, least: string, step: string): void {
  const [value, from, by] = [text, least, step].map(each => BigInt(parseQuantity(each).value())) as [
    bigint,
    bigint,
    bigint,
  ];
  // Upstream divides by the step without looking; a step of nothing crashes its handler and is refused here.
  if (by !== 0n && (value - from) % by === 0n) return;
  const shown = parseQuantity(text).toString();
  const detail = `value is not a multiple of a given step (${parseQuantity(step)}) from (${parseQuantity(least)})`;
  errors.push(invalidValue(path, shown, detail));
}

function checkValidRange(
  errors: Errors,
  path: FieldPath,
  range: CapacityRequestPolicyRange,
  wantedText: string,
  capacity: string,
): void {
  if (range.min === undefined) {
    errors.push(required(path.child('min'), 'required when validRange is defined'));
    return;
  }
  const most = parseQuantity(capacity);
  const min = parseQuantity(range.min);
  const wanted = parseQuantity(wantedText);
  const refuse = (name: string, value: object, detail: string): void => {
    errors.push(invalidValue(path.child(name), String(value), detail));
  };
  if (min.compare(most) > 0) refuse('min', min, `min is larger than capacity value: ${most}`);
  if (wanted.compare(min) < 0) refuse('min', wanted, `default is less than min: ${min}`);
  const max = range.max === undefined ? undefined : parseQuantity(range.max);
  if (max) {
    if (min.compare(max) > 0) refuse('max', min, `min is larger than max: ${max}`);
    if (max.compare(most) > 0) refuse('max', max, `max is larger than capacity value: ${most}`);
    if (wanted.compare(max) > 0) refuse('max', wanted, `default is more than max: ${max}`);
  }
  if (range.step === undefined) return;
  const step = parseQuantity(range.step);
  const once = min.add(step);
  if (once.compare(most) > 0) refuse('step', step, `one step ${once} is larger than capacity value: ${most}`);
  checkStep(errors, path.child('step'), wantedText, range.min, range.step);
  if (range.max !== undefined) checkStep(errors, path.child('step'), range.max, range.min, range.step);
}

function checkPolicy(errors: Errors, path: FieldPath, policy: CapacityRequestPolicy, capacity: string): void {
  const { validValues = [], validRange } = policy;
  if (validValues.length > 0 && validRange) {
    const text = 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time';
    errors.push(forbiddenField(path, text));
  } else if (validValues.length > 0) {
    if (policy.default === undefined) {
      errors.push(required(path.child('default'), 'required when validValues is defined'));
    } else checkValidValues(errors, path.child('validValues'), policy, capacity);
  } else if (validRange) {
    if (policy.default === undefined) {
      errors.push(required(path.child('default'), 'required when validRange is defined'));
    } else checkValidRange(errors, path.child('validRange'), validRange, policy.default, capacity);
  }
}

function checkCapacity(errors: Errors, path: FieldPath, capacity: DeviceCapacity, shared: boolean): void {
  if (!capacity.requestPolicy) return;
  const at = path.child('requestPolicy');
  if (shared) checkPolicy(errors, at, capacity.requestPolicy, capacity.value ?? '0');
  else errors.push(forbiddenField(at, 'allowMultipleAllocations must be true'));
}

function checkAmounts(errors: Errors, path: FieldPath, device: Device): void {
  const { attributes = {}, capacity = {} } = device;
  const entries = Object.keys(attributes).length + Object.keys(capacity).length;
  if (entries > maxAttributesAndCapacities) {
    const text = `the total number of attributes and capacities must not exceed ${maxAttributesAndCapacities}`;
    errors.push(invalidValue(path, entries, text));
  }
  const values = Object.keys(attributes).length;
  if (values > maxAttributeValues) {
    const text = `the total number of attribute values must not exceed ${maxAttributeValues}`;
    errors.push(invalidValue(path, values, text));
  }
  for (const name of sortedKeys(attributes)) {
    const at = path.child('attributes');
    checkQualifiedAttribute(errors, at, name);
    checkAttribute(errors, at.key(shortened(name, maxKeyBytes)), attributes[name]!);
  }
  for (const name of sortedKeys(capacity)) {
    const at = path.child('capacity');
    checkQualifiedAttribute(errors, at, name);
    const where = at.key(shortened(name, maxKeyBytes));
    checkCapacity(errors, where, capacity[name]!, device.allowMultipleAllocations === true);
  }
}

function checkReach(errors: Errors, path: FieldPath, device: Device, perDevice: boolean): void {
  const { nodeName, nodeSelector, allNodes } = device;
  if (!perDevice) {
    if (nodeName === undefined && !nodeSelector && allNodes === undefined) return;
    const only = 'can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec';
    errors.push(invalidValue(path, null, `\`nodeName\`, \`nodeSelector\` and \`allNodes\` ${only}`));
    return;
  }
  const set: string[] = [];
  if (nodeName) {
    set.push('`nodeName`');
    refuseEach(errors, path.child('nodeName'), nodeName, isNodeName(nodeName));
  } else if (nodeName !== undefined) errors.push(invalidValue(path.child('nodeName'), nodeName, 'must not be empty'));
  if (nodeSelector) {
    set.push('`nodeSelector`');
    checkNodeSelector(errors, path.child('nodeSelector'), nodeSelector);
  }
  if (allNodes) set.push('`allNodes`');
  else if (allNodes === false) {
    errors.push(invalidValue(path.child('allNodes'), false, 'must be either unset or set to true'));
  }
  const when = 'is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec';
  const text = `exactly one of \`nodeName\`, \`nodeSelector\`, or \`allNodes\` ${when}`;
  if (set.length === 0) errors.push(required(path, text));
  else if (set.length > 1) errors.push(invalidValue(path, `{${set.join(', ')}}`, text));
}

/** `before` is the device of that name as it stood: taints that did not change are not looked at again. */
export function checkSliceDevice(
  errors: Errors,
  path: FieldPath,
  device: Device,
  before: Device | undefined,
  perDevice: boolean,
): void {
  checkDeviceName(errors, path.child('name'), device.name);
  checkAmounts(errors, path, device);
  if (!before || !semanticEqual(before.taints, device.taints)) {
    checkList(errors, path.child('taints'), device.taints, 16, (taint, at) => checkDeviceTaint(errors, at, taint));
  }
  checkSet(
    errors,
    path.child('consumesCounters'),
    device.consumesCounters,
    2,
    ({ counterSet, counters }, at) => {
      if (requireText(errors, at.child('counterSet'), counterSet)) {
        checkDNSLabel(errors, at.child('counterSet'), counterSet);
      }
      checkCounters(errors, at.child('counters'), counters);
    },
    consumption => consumption.counterSet ?? '',
  );
  checkReach(errors, path, device, perDevice);
  checkBindingParameters(errors, path, device);
}
