/**
 * Names and amounts of resources. Upstream: pkg/apis/core/validation (validateResourceRequirements and its like),
 * pkg/apis/core/helper/helpers.go.
 */
import {
  duplicate,
  type FieldError,
  type FieldPath,
  forbiddenField,
  invalidValue,
  isQualifiedName,
  notFoundValue,
  notSupported,
  parseQuantity,
  required,
} from '#apimachinery';
import type { CoreV1ResourceClaim, ResourceRequirements } from '../types.ts';
import { checkDNSLabel, type Errors, isNegativeText, isNotPositiveText, refuseEach, sortedKeys } from './common.ts';

export type ResourceList = Readonly<Record<string, string>>;

const counted = [
  ...['pods', 'resourcequotas', 'services', 'replicationcontrollers', 'secrets', 'configmaps'],
  ...['persistentvolumeclaims', 'services.nodeports', 'services.loadbalancers'],
];
const compute = [
  ...['cpu', 'memory', 'ephemeral-storage', 'requests.cpu', 'requests.memory', 'requests.ephemeral-storage'],
  ...['limits.cpu', 'limits.memory', 'limits.ephemeral-storage'],
];
const quotaNames = new Set([...compute, ...counted, 'requests.storage']);
const standardNames = new Set([...quotaNames, 'storage']);
const containerNames = ['cpu', 'memory', 'ephemeral-storage'];
const hugePages = 'hugepages-';

export function isHugePage(name: string): boolean {
  return name.startsWith(hugePages);
}

function isQuotaHugePage(name: string): boolean {
  return isHugePage(name) || name.startsWith('requests.hugepages-');
}

export function isNativeResource(name: string): boolean {
  return !name.includes('/') || name.includes('kubernetes.io/');
}

export function isExtendedResource(name: string): boolean {
  if (isNativeResource(name) || name.startsWith('requests.')) return false;
  return isQualifiedName(`requests.${name}`).length === 0;
}

export function isOvercommitAllowed(name: string): boolean {
  return isNativeResource(name) && !isHugePage(name);
}

export function isStandardQuotaResource(name: string): boolean {
  return quotaNames.has(name) || isQuotaHugePage(name);
}

function isIntegerResource(name: string): boolean {
  return counted.includes(name) || isExtendedResource(name);
}

export function checkResourceName(errors: Errors, path: FieldPath, name: string): void {
  const texts = isQualifiedName(name);
  refuseEach(errors, path, name, texts);
  if (texts.length > 0 || name.includes('/')) return;
  if (!standardNames.has(name) && !isQuotaHugePage(name)) {
    errors.push(invalidValue(path, name, 'must be a standard resource type or fully qualified'));
  }
}

export function checkContainerResourceName(errors: Errors, path: FieldPath, name: string): void {
  checkResourceName(errors, path, name);
  if (!name.includes('/')) {
    if (!containerNames.includes(name) && !isHugePage(name)) {
      errors.push(invalidValue(path, name, 'must be a standard resource for containers'));
    }
  } else if (!isNativeResource(name) && !isExtendedResource(name)) {
    errors.push(invalidValue(path, name, "doesn't follow extended resource name standard"));
  }
}

/** Resources that a pod as a whole may ask for. */
function isPodLevelResource(name: string): boolean {
  return name === 'cpu' || name === 'memory' || isHugePage(name);
}

function checkPodResourceName(errors: Errors, path: FieldPath, name: string): void {
  const before = errors.length;
  checkResourceName(errors, path, name);
  if (errors.length > before || isPodLevelResource(name)) return;
  errors.push(notSupported(path, name, ['cpu', 'hugepages-', 'memory']));
}

export function checkQuotaResourceName(errors: Errors, path: FieldPath, name: string): void {
  checkResourceName(errors, path, name);
  if (!name.includes('/') && !isStandardQuotaResource(name)) {
    errors.push(invalidValue(path, name, 'must be a standard resource for quota'));
  }
}

export function checkQuantityValue(errors: Errors, path: FieldPath, name: string, text: string): void {
  const quantity = parseQuantity(text);
  if (quantity.sign < 0) errors.push(invalidValue(path, text, isNegativeText));
  if (isIntegerResource(name) && !quantity.isWhole) {
    errors.push(invalidValue(path, text, 'must be an integer'));
  }
}

export function checkPositiveQuantity(errors: Errors, path: FieldPath, text: string): void {
  if (parseQuantity(text).sign <= 0) errors.push(invalidValue(path, text, isNotPositiveText));
}

/** A negative amount shows as the integer that it is rounded to; some that are too large are one, too. */
export function checkBasicResource(errors: Errors, path: FieldPath, text: string): void {
  const value = parseQuantity(text).int64Value();
  if (value < 0n) errors.push(invalidValue(path, value, 'must be a valid resource quantity'));
}

function hugePagesRefusal(name: string, text: string): string | undefined {
  let divisible = false;
  try {
    const page = parseQuantity(name.slice(hugePages.length));
    divisible =
      page.sign > 0 &&
      page.scaledValue(-3) % 1000n === 0n &&
      parseQuantity(text).scaledValue(0) % page.scaledValue(0) === 0n;
  } catch {
    // A name without a size has nothing that it could be a multiple of.
  }
  return divisible ? undefined : `${text} is not positive integer multiple of ${name}`;
}

interface RequirementsOptions {
  readonly allowIndivisibleHugePages?: boolean;
  /** Names of the pod's resource claims; undefined where there are none to be named. */
  readonly claims?: ReadonlySet<string>;
}

type NameCheck = (errors: Errors, path: FieldPath, name: string) => void;

function checkRequirements(
  errors: Errors,
  path: FieldPath,
  requirements: ResourceRequirements,
  checkName: NameCheck,
  options: RequirementsOptions,
): void {
  const limits = (requirements.limits ?? {}) as ResourceList;
  const requests = (requirements.requests ?? {}) as ResourceList;
  const limitsPath = path.child('limits');
  const requestsPath = path.child('requests');
  const one = (name: string, text: string, at: FieldPath): void => {
    checkName(errors, at, name);
    checkQuantityValue(errors, at, name, text);
  };
  const hugePage = (name: string, text: string, at: FieldPath): void => {
    const refusal = isHugePage(name) && !options.allowIndivisibleHugePages ? hugePagesRefusal(name, text) : undefined;
    if (refusal) errors.push(invalidValue(at, text, refusal));
  };
  for (const name of sortedKeys(limits)) {
    const at = limitsPath.key(name);
    one(name, limits[name]!, at);
    hugePage(name, limits[name]!, at);
  }
  for (const name of sortedKeys(requests)) {
    const at = requestsPath.key(name);
    const text = requests[name]!;
    one(name, text, at);
    checkAgainstLimit(errors, path, name, text, limits[name]);
    hugePage(name, text, at);
  }
  const names = [...Object.keys(limits), ...Object.keys(requests)];
  if (names.some(isHugePage) && !names.some(name => name === 'cpu' || name === 'memory')) {
    errors.push(forbiddenField(path, 'HugePages require cpu or memory'));
  }
  checkClaimNames(errors, path.child('claims'), requirements.claims ?? [], options.claims ?? new Set());
}

function checkAgainstLimit(
  errors: Errors,
  path: FieldPath,
  name: string,
  text: string,
  limit: string | undefined,
): void {
  const at = path.child('requests');
  if (limit === undefined) {
    if (!isOvercommitAllowed(name)) {
      errors.push(required(path.child('limits'), 'Limit must be set for non overcommitable resources'));
    }
    return;
  }
  const order = parseQuantity(text).compare(parseQuantity(limit));
  if (order !== 0 && !isOvercommitAllowed(name)) {
    errors.push(invalidValue(at, text, `must be equal to ${name} limit of ${limit}`));
  } else if (order > 0) {
    errors.push(invalidValue(at, text, `must be less than or equal to ${name} limit of ${limit}`));
  }
}

/** Which of the pod's resource claims a container uses. */
function checkClaimNames(
  errors: Errors,
  path: FieldPath,
  claims: readonly CoreV1ResourceClaim[],
  podClaims: ReadonlySet<string>,
): void {
  const seen = new Set<string>();
  claims.forEach((claim, i) => {
    const at = path.index(i);
    const { name, request = '' } = claim;
    if (!name) errors.push(required(at));
    else {
      checkOneClaim(errors, at, name, request, seen);
      if (podClaims.has(name)) return;
    }
    if (name) errors.push(unknownClaim(at, name, podClaims));
  });
}

function checkOneClaim(errors: Errors, at: FieldPath, name: string, request: string, seen: Set<string>): void {
  if (seen.has(name)) {
    errors.push(duplicate(at, name));
    return;
  }
  if (request) checkDNSLabel(errors, at.child('request'), request);
  const key = request ? `${name}/${request}` : name;
  if (seen.has(key)) errors.push(duplicate(at, key));
  else if (!request) {
    for (const other of seen) if (other.startsWith(`${name}/`)) errors.push(duplicate(at, name));
  }
  seen.add(key);
}

function unknownClaim(at: FieldPath, name: string, podClaims: ReadonlySet<string>): FieldError {
  const list = [...podClaims].sort().join(', ');
  const detail = podClaims.size === 0 ? ' which is empty' : `: ${list}`;
  const error = notFoundValue(at, name);
  return { ...error, body: `${error.body}: must be one of the names in pod.spec.resourceClaims${detail}` };
}

export function checkContainerResources(
  errors: Errors,
  path: FieldPath,
  requirements: ResourceRequirements | undefined,
  options: RequirementsOptions = {},
): void {
  checkRequirements(errors, path, requirements ?? {}, checkContainerResourceName, options);
}

export function checkPodLevelResources(
  errors: Errors,
  path: FieldPath,
  requirements: ResourceRequirements,
  options: RequirementsOptions = {},
): void {
  checkRequirements(errors, path, requirements, checkPodResourceName, options);
}
