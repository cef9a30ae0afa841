/**
 * References to fields of the pod and to resources of a container, in environments and volumes.
 * Upstream: pkg/apis/core/validation (validateObjectFieldSelector …), pkg/apis/core/pods, pkg/fieldpath.
 */
import { type FieldPath, goQuote, invalidValue, notSupported, parseQuantity, required } from '#apimachinery';
import type { DownwardAPIVolumeFile, ObjectFieldSelector, ResourceFieldSelector } from '../types.ts';
import { checkLocalNonReservedPath, checkQualifiedName, type Errors, requireText } from './common.ts';
import { checkFileMode } from './files.ts';

const volumeFields = ['metadata.annotations', 'metadata.labels', 'metadata.name', 'metadata.namespace', 'metadata.uid'];
export const envFields: readonly string[] = [
  ...['metadata.name', 'metadata.namespace', 'metadata.uid', 'spec.nodeName', 'spec.serviceAccountName'],
  ...['status.hostIP', 'status.hostIPs', 'status.podIP', 'status.podIPs'],
];
const knownLabels = new Set([
  ...envFields,
  ...['metadata.annotations', 'metadata.labels', 'spec.restartPolicy', 'spec.schedulerName', 'status.phase'],
]);
const resourceFields = [
  ...['limits.cpu', 'limits.ephemeral-storage', 'limits.memory'],
  ...['requests.cpu', 'requests.ephemeral-storage', 'requests.memory'],
];
const hugePagesPrefixes = ['limits.hugepages-', 'requests.hugepages-'];
const byteDivisors = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei'];

/** `metadata.labels['x']` as its path and subscript. */
function splitSubscript(text: string): { path: string; subscript: string } | undefined {
  const match = /^(.+?)\['(.*)'\]$/.exec(text);
  return match ? { path: match[1]!, subscript: match[2]! } : undefined;
}

/** The error of upstream's conversion of a field label; undefined when it knows the label. */
function labelError(version: string, label: string): string | undefined {
  if (version !== 'v1') return `unsupported pod version: ${version}`;
  const split = splitSubscript(label);
  if (split) {
    const known = split.path === 'metadata.annotations' || split.path === 'metadata.labels';
    return known ? undefined : `field label does not support subscript: ${label}`;
  }
  return knownLabels.has(label) || label === 'spec.host' ? undefined : `field label not supported: ${label}`;
}

export function checkObjectField(
  errors: Errors,
  path: FieldPath,
  selector: ObjectFieldSelector,
  allowed: readonly string[],
): void {
  const { apiVersion = '', fieldPath = '' } = selector;
  if (!requireText(errors, path.child('apiVersion'), apiVersion)) return;
  if (!requireText(errors, path.child('fieldPath'), fieldPath)) return;
  const error = labelError(apiVersion, fieldPath);
  if (error) {
    errors.push(invalidValue(path.child('fieldPath'), fieldPath, `error converting fieldPath: ${error}`));
    return;
  }
  const split = splitSubscript(fieldPath);
  const internal = fieldPath === 'spec.host' ? 'spec.nodeName' : fieldPath;
  if (split) {
    const key = split.path === 'metadata.annotations' ? split.subscript.toLowerCase() : split.subscript;
    checkQualifiedName(errors, path, key);
  } else if (!allowed.includes(internal)) {
    errors.push(notSupported(path.child('fieldPath'), internal, allowed));
  }
}

function divisorRefusal(resource: string, divisor: string): string | undefined {
  const list = byteDivisors.join(', ');
  const inBytes = !byteDivisors.includes(divisor);
  if (resource.endsWith('.cpu')) {
    const valid = divisor === '1m' || divisor === '1';
    return valid ? undefined : "only divisor's values 1m and 1 are supported with the cpu resource";
  }
  if (!inBytes) return undefined;
  if (resource.endsWith('.memory')) return `only divisor's values ${list} are supported with the memory resource`;
  if (resource.endsWith('.ephemeral-storage')) {
    return `only divisor's values ${list} are supported with the local ephemeral storage resource`;
  }
  return `only divisor's values ${list} are supported with the hugepages resource`;
}

export function checkResourceField(
  errors: Errors,
  path: FieldPath,
  selector: ResourceFieldSelector,
  inVolume: boolean,
): void {
  const { resource = '', containerName = '', divisor = '0' } = selector;
  const known = resourceFields.includes(resource) || hugePagesPrefixes.some(prefix => resource.startsWith(prefix));
  if (inVolume && !containerName) errors.push(required(path.child('containerName')));
  else if (!resource) errors.push(required(path.child('resource')));
  else if (!known) errors.push(notSupported(path.child('resource'), resource, resourceFields));
  if (!known || parseQuantity(divisor).isZero) return;
  const refusal = divisorRefusal(resource, divisor);
  if (refusal) errors.push(invalidValue(path.child('divisor'), resource, refusal));
}

export function checkDownwardAPIFile(errors: Errors, path: FieldPath, file: DownwardAPIVolumeFile): void {
  requireText(errors, path.child('path'), file.path);
  checkLocalNonReservedPath(errors, path.child('path'), file.path ?? '');
  if (file.fieldRef) {
    checkObjectField(errors, path.child('fieldRef'), file.fieldRef, volumeFields);
    if (file.resourceFieldRef) {
      const text = 'fieldRef and resourceFieldRef can not be specified simultaneously';
      errors.push(invalidValue(path, 'resource', text));
    }
  } else if (file.resourceFieldRef) {
    checkResourceField(errors, path.child('resourceFieldRef'), file.resourceFieldRef, true);
  } else errors.push(required(path, 'one of fieldRef and resourceFieldRef is required'));
  checkFileMode(errors, path.child('mode'), file.mode);
}

export { goQuote };
