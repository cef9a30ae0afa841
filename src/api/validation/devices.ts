/**
 * What the kinds of resource.k8s.io have in common: names of drivers, pools, attributes; selectors, opaque parameters,
 * taints, binding conditions; bounded lists and sets. Upstream: pkg/apis/resource/validation/validation.go.
 */
import {
  append,
  byteLength,
  duplicate,
  type FieldPath,
  forbiddenField,
  internalFieldError,
  invalidValue,
  isCIdentifier,
  isLabelValue,
  type Json,
  notSupported,
  required,
  tooLong,
  tooMany,
  validateLabelName,
} from '#apimachinery';
import { compileDeviceSelector } from '../expressions/index.ts';
import type { DeviceClassConfiguration, DeviceSelector, DeviceTaint, DeviceToleration } from '../types.ts';
import { checkDNSLabel, checkDNSSubdomain, checkSupported, type Errors, refuseEach, requireText } from './common.ts';
import { checkCSIDriverName } from './volume-sources.ts';

const taintEffects = ['NoExecute', 'NoSchedule', 'None'];
const tolerationOperators = ['Equal', 'Exists'];
const maxIdBytes = 32;
const maxExpressionBytes = 10 * 1024;
const maxSelectorCost = 1_000_000;
export const maxParametersBytes: number = 10 * 1024;

/** A bounded list: one that is too long is refused whole. */
export function checkList<T>(
  errors: Errors,
  path: FieldPath,
  list: readonly T[] | undefined,
  max: number,
  check: (item: T, path: FieldPath) => void,
): void {
  const items = list ?? [];
  if (max >= 0 && items.length > max) errors.push(tooMany(path, items.length, max));
  else items.forEach((item, i) => check(item, path.index(i)));
}

/** A bounded list whose items differ in what `keyOf` says of them. */
export function checkSet<T>(
  errors: Errors,
  path: FieldPath,
  list: readonly T[] | undefined,
  max: number,
  check: (item: T, path: FieldPath) => void,
  keyOf: (item: T) => unknown,
): void {
  checkList(errors, path, list, max, check);
  if (max >= 0 && (list?.length ?? 0) > max) return;
  const seen = new Set<string>();
  list?.forEach((item, i) => {
    const key = keyOf(item);
    const text = JSON.stringify(key);
    if (seen.has(text)) errors.push(duplicate(path.index(i), key));
    seen.add(text);
  });
}

export function checkPoolName(errors: Errors, path: FieldPath, name: string | undefined): void {
  if (!requireText(errors, path, name)) return;
  if (byteLength(name) > 253) errors.push(tooLong(path, 253));
  for (const part of name.split('/')) checkDNSSubdomain(errors, path, part);
}

export function checkDeviceName(errors: Errors, path: FieldPath, name: string | undefined): void {
  checkDNSLabel(errors, path, name ?? '');
}

function checkIdentifier(errors: Errors, path: FieldPath, id: string): void {
  if (byteLength(id) > maxIdBytes) errors.push(tooLong(path, maxIdBytes));
  refuseEach(errors, path, id, isCIdentifier(id));
}

/** `name` or `domain/name`. As upstream, what has more slashes is not looked at. */
export function checkQualifiedAttribute(errors: Errors, path: FieldPath, name: string): void {
  const parts = name.split('/');
  if (parts.length === 1) checkIdentifier(errors, path, name);
  if (parts.length !== 2) return;
  const [domain, id] = parts as [string, string];
  if (domain === '') errors.push(invalidValue(path, '', 'the domain must not be empty'));
  else checkCSIDriverName(errors, path, domain);
  if (id === '') errors.push(invalidValue(path, '', 'the name must not be empty'));
  else checkIdentifier(errors, path, id);
}

export function checkFullyQualifiedAttribute(errors: Errors, path: FieldPath, name: string): void {
  checkQualifiedAttribute(errors, path, name);
  if (name.includes('/')) return;
  errors.push(invalidValue(path, name, 'a fully qualified name must be a domain and a name separated by a slash'));
}

export function checkSelectors(
  errors: Errors,
  path: FieldPath,
  selectors: readonly DeviceSelector[] | undefined,
): void {
  checkList(errors, path, selectors, 32, ({ cel }, at) => {
    if (cel) checkExpression(errors, at.child('cel', 'expression'), cel.expression ?? '');
    else errors.push(required(at.child('cel')));
  });
}

function checkExpression(errors: Errors, path: FieldPath, expression: string): void {
  if (byteLength(expression) > maxExpressionBytes) {
    errors.push(tooLong(path, maxExpressionBytes));
    return;
  }
  const compiled = compileDeviceSelector(expression);
  if (compiled.error !== undefined) {
    const { error, isInternal } = compiled;
    errors.push(isInternal ? internalFieldError(path, error) : invalidValue(path, expression, error));
  } else if (compiled.maxCost > maxSelectorCost) {
    errors.push(forbiddenField(path, 'too complex, exceeds cost limit'));
  }
}

/** A JSON object of bounded size. `stored` ones may be larger. */
export function checkRawObject(
  errors: Errors,
  path: FieldPath,
  value: Json | undefined,
  stored: boolean,
  maxBytes: number,
): void {
  if (value === undefined || value === null) errors.push(required(path));
  else if (!stored && byteLength(JSON.stringify(value)) > maxBytes) errors.push(tooLong(path, maxBytes));
  else if (typeof value !== 'object' || Array.isArray(value)) {
    errors.push(invalidValue(path, '<value omitted>', 'must be a valid JSON object'));
  }
}

export function checkDeviceConfiguration(
  errors: Errors,
  path: FieldPath,
  { opaque }: DeviceClassConfiguration,
  stored: boolean,
): void {
  const at = path.child('opaque');
  if (!opaque) {
    errors.push(required(at));
    return;
  }
  checkCSIDriverName(errors, at.child('driver'), opaque.driver);
  checkRawObject(errors, at.child('parameters'), opaque.parameters, stored, maxParametersBytes);
}

function checkLabelValue(errors: Errors, path: FieldPath, value: string): void {
  refuseEach(errors, path, value, isLabelValue(value));
}

export function checkDeviceTaint(errors: Errors, path: FieldPath, { key, value, effect }: DeviceTaint): void {
  append(errors, validateLabelName(key ?? '', path.child('key')));
  if (value) checkLabelValue(errors, path.child('value'), value);
  if (requireText(errors, path.child('effect'), effect)) {
    checkSupported(errors, path.child('effect'), effect, taintEffects);
  }
}

export function checkDeviceToleration(errors: Errors, path: FieldPath, toleration: DeviceToleration): void {
  const { key, operator, value = '', effect } = toleration;
  if (key) append(errors, validateLabelName(key, path.child('key')));
  if (operator === 'Exists') {
    if (value !== '') errors.push(invalidValue(path.child('value'), value, 'must be empty for operator `Exists`'));
  } else if (operator === 'Equal') checkLabelValue(errors, path.child('value'), value);
  else if (!operator) errors.push(required(path.child('operator')));
  else errors.push(notSupported(path.child('operator'), operator, tolerationOperators));
  if (effect) checkSupported(errors, path.child('effect'), effect, taintEffects);
}

interface BindingParameters {
  readonly bindingConditions?: readonly string[];
  readonly bindingFailureConditions?: readonly string[];
}

/** Conditions for which a scheduler waits before it binds a pod, and those on which it gives up. */
export function checkBindingParameters(errors: Errors, path: FieldPath, device: BindingParameters): void {
  const { bindingConditions: wanted = [], bindingFailureConditions: failing = [] } = device;
  const at = path.child('bindingConditions');
  const failingAt = path.child('bindingFailureConditions');
  const checkName = (name: string, where: FieldPath): void => {
    append(errors, validateLabelName(name, where));
  };
  checkList(errors, at, wanted, 4, checkName);
  checkList(errors, failingAt, failing, 4, checkName);
  wanted.forEach((name, i) => {
    if (wanted.indexOf(name) < i) errors.push(duplicate(at.index(i), name));
  });
  failing.forEach((name, i) => {
    if (failing.indexOf(name) < i) errors.push(duplicate(failingAt.index(i), name));
    if (wanted.includes(name)) {
      const text = 'bindingFailureConditions must not overlap with bindingConditions';
      errors.push(invalidValue(failingAt.index(i), name, text));
    }
  });
  if (wanted.length === 0 && failing.length > 0) {
    const text = 'bindingConditions are required to use bindingFailureConditions';
    errors.push(invalidValue(at, device.bindingConditions, text));
  }
  if (failing.length === 0 && wanted.length > 0) {
    const text = 'bindingFailureConditions are required to use bindingConditions';
    errors.push(invalidValue(failingAt, device.bindingFailureConditions, text));
  }
}
