/** What a pod may not ask of its operating system. Upstream: pkg/apis/core/validation (validateLinux, validateWindows). */
import { type FieldPath, forbiddenField, invalidValue, notSupported, required } from '#apimachinery';
import type { PodSpec } from '../types.ts';
import type { Errors } from './common.ts';
import { visitContainers } from './visit-containers.ts';

const notOnWindows = 'cannot be set for a windows pod';
const notOnLinux = 'windows options cannot be set for a linux pod';

/** Fields of a Windows pod that must be absent, in upstream's order: of the pod, and of its security context. */
const podFields: ReadonlyArray<readonly ['spec' | 'context', string]> = [
  ['context', 'appArmorProfile'],
  ['context', 'seLinuxOptions'],
  ['spec', 'hostUsers'],
  ['spec', 'hostPID'],
  ['spec', 'hostIPC'],
  ['context', 'seccompProfile'],
  ['context', 'fsGroup'],
  ['context', 'fsGroupChangePolicy'],
  ['context', 'sysctls'],
  ['spec', 'shareProcessNamespace'],
  ['context', 'runAsUser'],
  ['context', 'runAsGroup'],
  ['context', 'supplementalGroups'],
  ['context', 'supplementalGroupsPolicy'],
  ['context', 'seLinuxChangePolicy'],
];
const containerFields = [
  ...(['appArmorProfile', 'seLinuxOptions', 'seccompProfile', 'capabilities', 'readOnlyRootFilesystem'] as const),
  ...(['privileged', 'allowPrivilegeEscalation', 'procMount', 'runAsUser', 'runAsGroup'] as const),
];

function checkWindows(errors: Errors, path: FieldPath, spec: PodSpec): void {
  const context = (spec.securityContext ?? {}) as Readonly<Record<string, unknown>>;
  const own = spec as unknown as Readonly<Record<string, unknown>>;
  for (const [place, name] of podFields) {
    const value = place === 'spec' ? own[name] : context[name];
    if (value === undefined) continue;
    const at = place === 'spec' ? path.child(name) : path.child('securityContext', name);
    errors.push(forbiddenField(at, notOnWindows));
  }
  for (const { container, path: at } of visitContainers(spec, path)) {
    for (const name of containerFields) {
      if (container.securityContext?.[name] === undefined) continue;
      errors.push(forbiddenField(at.child('securityContext', name), notOnWindows));
    }
  }
}

function checkLinux(errors: Errors, path: FieldPath, spec: PodSpec): void {
  if (spec.securityContext?.windowsOptions) {
    errors.push(forbiddenField(path.child('securityContext', 'windowsOptions'), notOnLinux));
  }
  for (const { container, path: at } of visitContainers(spec, path)) {
    if (!container.securityContext?.windowsOptions) continue;
    errors.push(forbiddenField(at.child('securityContext', 'windowsOptions'), notOnLinux));
  }
}

export function checkOperatingSystem(errors: Errors, path: FieldPath, spec: PodSpec): void {
  if (!spec.os) return;
  const { name } = spec.os;
  const at = path.child('os');
  if (!name) errors.push(required(at.child('name')));
  else if (name === 'linux') checkLinux(errors, path, spec);
  else if (name === 'windows') checkWindows(errors, path, spec);
  else errors.push(notSupported(at, name, ['linux', 'windows']));
}

/** Windows containers that run as processes of the host: all of the pod or none. */
export function checkWindowsHostProcess(
  errors: Errors,
  path: FieldPath,
  spec: PodSpec,
  allowPrivileged: boolean,
): void {
  const ofPod = spec.securityContext?.windowsOptions?.hostProcess;
  const visited = visitContainers(spec, path);
  let count = 0;
  for (const { container, path: at } of visited) {
    const own = container.securityContext?.windowsOptions?.hostProcess;
    if (ofPod !== undefined && own !== undefined && ofPod !== own) {
      const text = `pod hostProcess value must be identical if both are specified, was ${ofPod}`;
      errors.push(invalidValue(at.child('securityContext', 'windowsOptions', 'hostProcess'), own, text));
    }
    if (own ?? ofPod) count++;
  }
  if (count === 0) return;
  if (count !== visited.length) {
    const text = 'If pod contains any hostProcess containers then all containers must be HostProcess containers';
    errors.push(invalidValue(path, '', text));
  }
  if (!spec.hostNetwork) {
    const text = 'hostNetwork must be true if pod contains any hostProcess containers';
    errors.push(invalidValue(path.child('hostNetwork'), false, text));
  }
  if (!allowPrivileged) {
    errors.push(forbiddenField(path, 'hostProcess containers are disallowed by cluster policy'));
  }
}
