/**
 * Containers of pods. Upstream: pkg/apis/core/validation (validateContainerCommon, validateContainers,
 * validateInitContainers, validateEphemeralContainers).
 */
import {
  duplicate,
  type FieldPath,
  forbiddenField,
  invalidValue,
  isValidPortName,
  isValidPortNum,
  notFoundValue,
  notSupported,
  required,
  tooMany,
} from '#apimachinery';
import type { Container, ContainerPort, EphemeralContainer, Volume, VolumeDevice, VolumeMount } from '../types.ts';
import {
  checkChoice,
  checkDNSLabel,
  checkLocalDescendingPath,
  checkSupported,
  type Errors,
  refuseEach,
  requireText,
} from './common.ts';
import { checkEnv, checkEnvFrom } from './environment.ts';
import { checkLifecycle, checkProbes } from './probes.ts';
import { checkContainerResources } from './resources.ts';
import { checkSecurityContext, type SecurityOptions } from './security-contexts.ts';

export interface ContainerContext extends SecurityOptions {
  readonly volumes: ReadonlyMap<string, Volume>;
  readonly claims: ReadonlySet<string>;
  readonly restartPolicy: string;
  readonly grace: number | undefined;
  readonly os: string | undefined;
  readonly allowIndivisibleHugePages?: boolean;
  /** The old pod has init containers that are restarted on resize though they are no sidecars. */
  readonly allowRestartOnResize?: boolean;
}

type AnyContainer = Container | EphemeralContainer;

const protocols = ['SCTP', 'TCP', 'UDP'];

function checkPorts(errors: Errors, path: FieldPath, ports: readonly ContainerPort[] = []): void {
  const names = new Set<string>();
  ports.forEach((port, i) => {
    const at = path.index(i);
    const { name = '', containerPort = 0, hostPort = 0 } = port;
    if (name) {
      const texts = isValidPortName(name);
      if (texts.length > 0) {
        // Upstream counts these messages in the loop's own variable: the ports after a bad name have its index.
        refuseEach(errors, at.child('name'), name, texts);
      } else if (names.has(name)) errors.push(duplicate(at.child('name'), name));
      else names.add(name);
    }
    if (containerPort === 0) errors.push(required(at.child('containerPort')));
    else refuseEach(errors, at.child('containerPort'), containerPort, isValidPortNum(containerPort));
    if (hostPort !== 0) refuseEach(errors, at.child('hostPort'), hostPort, isValidPortNum(hostPort));
    checkChoice(errors, at.child('protocol'), port.protocol, protocols);
  });
}

function checkMounts(errors: Errors, path: FieldPath, container: AnyContainer, context: ContainerContext): void {
  const paths = new Set<string>();
  const devices = container.volumeDevices ?? [];
  container.volumeMounts?.forEach((mount, i) => {
    const at = path.index(i);
    const { name = '', mountPath = '', subPath = '', subPathExpr = '' } = mount;
    if (!name) errors.push(required(at.child('name')));
    if (!context.volumes.has(name)) errors.push(notFoundValue(at.child('name'), name));
    if (!mountPath) errors.push(required(at.child('mountPath')));
    if (paths.has(mountPath)) errors.push(invalidValue(at.child('mountPath'), mountPath, 'must be unique'));
    paths.add(mountPath);
    if (devices.some(device => device.name === name)) {
      errors.push(invalidValue(at.child('name'), name, 'must not already exist in volumeDevices'));
    }
    if (devices.some(device => device.devicePath === mountPath)) {
      const text = 'must not already exist as a path in volumeDevices';
      errors.push(invalidValue(at.child('mountPath'), mountPath, text));
    }
    if (subPath) checkLocalDescendingPath(errors, path.child('subPath'), subPath);
    if (subPathExpr) {
      const text = 'subPathExpr and subPath are mutually exclusive';
      if (subPath) errors.push(invalidValue(at.child('subPathExpr'), subPathExpr, text));
      checkLocalDescendingPath(errors, path.child('subPathExpr'), subPathExpr);
    }
    checkMountModes(errors, path, mount, container);
  });
}

function checkMountModes(errors: Errors, path: FieldPath, mount: VolumeMount, container: AnyContainer): void {
  const { mountPropagation: propagation, recursiveReadOnly } = mount;
  if (propagation !== undefined) {
    const at = path.child('mountPropagation');
    checkSupported(errors, at, propagation, ['Bidirectional', 'HostToContainer', 'None']);
    if (propagation === 'Bidirectional' && !container.securityContext?.privileged) {
      const text = 'Bidirectional mount propagation is available only to privileged containers';
      errors.push(forbiddenField(at, text));
    }
  }
  if (recursiveReadOnly === undefined || recursiveReadOnly === 'Disabled') return;
  const at = path.child('recursiveReadOnly');
  const supported = ['Disabled', 'Enabled', 'IfPossible'];
  if (!supported.includes(recursiveReadOnly)) {
    errors.push(notSupported(at, recursiveReadOnly, supported));
    return;
  }
  if (!mount.readOnly) errors.push(forbiddenField(at, 'may only be specified when readOnly is true'));
  if (propagation !== undefined && propagation !== 'None') {
    errors.push(forbiddenField(at, 'may only be specified when mountPropagation is None or not specified'));
  }
}

function checkDevices(
  errors: Errors,
  path: FieldPath,
  devices: readonly VolumeDevice[],
  mounts: readonly VolumeMount[],
  volumes: ReadonlyMap<string, Volume>,
): void {
  const names = new Set<string>();
  const paths = new Set<string>();
  devices.forEach((device, i) => {
    const at = path.index(i);
    const { name = '', devicePath = '' } = device;
    const namePath = at.child('name');
    const volume = volumes.get(name);
    if (!name) errors.push(required(namePath));
    if (names.has(name)) errors.push(invalidValue(namePath, name, 'must be unique'));
    if (!volume) errors.push(notFoundValue(namePath, name));
    else if (!volume.persistentVolumeClaim && !volume.ephemeral) {
      const text = 'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode';
      errors.push(invalidValue(namePath, name, text));
    }
    const devPath = at.child('devicePath');
    if (!devicePath) errors.push(required(devPath));
    if (paths.has(devicePath)) errors.push(invalidValue(devPath, devicePath, 'must be unique'));
    if (devicePath.split('/').includes('..')) {
      errors.push(invalidValue(devPath, devicePath, "can not contain backsteps ('..')"));
    } else paths.add(devicePath);
    if (mounts.some(mount => mount.name === name)) {
      errors.push(invalidValue(namePath, name, 'must not already exist in volumeMounts'));
    }
    if (mounts.some(mount => mount.mountPath === devicePath)) {
      errors.push(invalidValue(devPath, devicePath, 'must not already exist as a path in volumeMounts'));
    }
    if (name) names.add(name);
  });
}

function checkResizePolicy(errors: Errors, path: FieldPath, container: AnyContainer, restartPolicy: string): void {
  const seen = new Set<string>();
  container.resizePolicy?.forEach((policy, i) => {
    const { resourceName = '', restartPolicy: own = '' } = policy;
    if (seen.has(resourceName)) errors.push(duplicate(path.index(i), resourceName));
    seen.add(resourceName);
    checkChoice(errors, path, resourceName, ['cpu', 'memory']);
    checkChoice(errors, path, own, ['NotRequired', 'RestartContainer']);
    if (restartPolicy === 'Never' && own !== 'NotRequired') {
      errors.push(invalidValue(path, own, "must be 'NotRequired' when pod `restartPolicy` is 'Never'"));
    }
  });
}

function checkCommon(errors: Errors, path: FieldPath, container: AnyContainer, context: ContainerContext): void {
  if (requireText(errors, path.child('name'), container.name)) {
    checkDNSLabel(errors, path.child('name'), container.name);
  }
  if (!container.image) errors.push(required(path.child('image')));
  const policies = ['File', 'FallbackToLogsOnError'];
  checkChoice(errors, path.child('terminationMessagePolicy'), container.terminationMessagePolicy, policies);
  checkPorts(errors, path.child('ports'), container.ports);
  checkEnv(errors, path.child('env'), container.env);
  checkEnvFrom(errors, path.child('envFrom'), container.envFrom);
  checkMounts(errors, path.child('volumeMounts'), container, context);
  const { volumeDevices = [], volumeMounts = [] } = container;
  checkDevices(errors, path.child('volumeDevices'), volumeDevices, volumeMounts, context.volumes);
  checkChoice(errors, path.child('imagePullPolicy'), container.imagePullPolicy, ['Always', 'IfNotPresent', 'Never']);
  checkContainerResources(errors, path.child('resources'), container.resources, context);
  checkResizePolicy(errors, path.child('resizePolicy'), container, context.restartPolicy);
  checkSecurityContext(errors, path.child('securityContext'), container.securityContext, context);
}

/** A host port may be taken once for each protocol and address. */
function checkHostPorts(errors: Errors, path: FieldPath, containers: readonly Container[]): void {
  const taken = new Set<string>();
  containers.forEach((container, i) => {
    container.ports?.forEach(({ hostPort = 0, hostIP = '', protocol = '' }, j) => {
      if (hostPort === 0) return;
      const key = `${protocol}/${hostIP}/${hostPort}`;
      if (taken.has(key)) errors.push(duplicate(path.index(i).child('ports').index(j).child('hostPort'), key));
      taken.add(key);
    });
  });
}

const policyNeeded = 'must specify restartPolicy when restart rules are used';

function checkRestartPolicy(errors: Errors, path: FieldPath, container: Container): void {
  const { restartPolicy: policy, restartPolicyRules: rules = [] } = container;
  const at = path.child('restartPolicy');
  if (policy === undefined) {
    if (rules.length > 0) errors.push(required(at, policyNeeded));
  } else checkSupported(errors, at, policy, ['Always', 'Never', 'OnFailure']);
  const rulesPath = path.child('restartPolicyRules');
  if (rules.length > 20) errors.push(tooMany(rulesPath, rules.length, 20));
  rules.forEach((rule, i) => {
    const rulePath = rulesPath.index(i);
    checkSupported(errors, rulePath.child('action'), rule.action, ['Restart', 'RestartAllContainers']);
    const codes = rule.exitCodes;
    const codesPath = rulePath.child('exitCodes');
    if (!codes) errors.push(required(codesPath, 'must be specified'));
    else {
      checkSupported(errors, codesPath.child('operator'), codes.operator, ['In', 'NotIn']);
      const count = codes.values?.length ?? 0;
      if (count > 255) errors.push(tooMany(codesPath.child('values'), count, 255));
    }
  });
}

export function checkContainers(
  errors: Errors,
  path: FieldPath,
  containers: readonly Container[],
  context: ContainerContext,
): void {
  if (containers.length === 0) {
    errors.push(required(path));
    return;
  }
  const names = new Set<string>();
  containers.forEach((container, i) => {
    const at = path.index(i);
    checkCommon(errors, at, container, context);
    const { name = '' } = container;
    if (names.has(name)) errors.push(duplicate(at.child('name'), name));
    names.add(name);
    if (container.lifecycle) {
      checkLifecycle(errors, at.child('lifecycle'), container.lifecycle, context.grace, context.os);
    }
    checkProbes(errors, at, container, context.grace);
    checkRestartPolicy(errors, at, container);
  });
  checkHostPorts(errors, path, containers);
}

const sidecarsOnly = 'may not be set for init containers without restartPolicy=Always';

export function checkInitContainers(
  errors: Errors,
  path: FieldPath,
  containers: readonly Container[],
  regular: readonly Container[],
  context: ContainerContext,
): void {
  const names = new Set(regular.map(each => each.name ?? ''));
  containers.forEach((container, i) => {
    const at = path.index(i);
    checkCommon(errors, at, container, context);
    if (container.restartPolicy !== undefined) checkRestartPolicy(errors, at, container);
    else if (container.restartPolicyRules?.length) errors.push(required(at.child('restartPolicy'), policyNeeded));
    const { name = '' } = container;
    if (names.has(name)) errors.push(duplicate(at.child('name'), name));
    else if (name) names.add(name);
    checkHostPorts(errors, path, [container]);
    if (container.restartPolicy === 'Always') {
      if (container.lifecycle) {
        checkLifecycle(errors, at.child('lifecycle'), container.lifecycle, context.grace, context.os);
      }
      checkProbes(errors, at, container, context.grace);
      return;
    }
    for (const field of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
      if (container[field]) errors.push(forbiddenField(at.child(field), sidecarsOnly));
    }
    if (context.allowRestartOnResize) return;
    container.resizePolicy?.forEach((policy, j) => {
      if (policy.restartPolicy !== 'RestartContainer') return;
      const text = "must not be set to 'RestartContainer' for non-sidecar initContainers";
      const policyPath = at.child('resizePolicy').index(j).child('restartPolicy');
      errors.push(invalidValue(policyPath, policy.restartPolicy, text));
    });
  });
}

const ephemeralForbidden = [
  ...(['ports', 'resources', 'resizePolicy', 'restartPolicy', 'restartPolicyRules'] as const),
  ...(['livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle'] as const),
];
const notEphemeral = 'cannot be set for an Ephemeral Container';

export function checkEphemeralContainers(
  errors: Errors,
  path: FieldPath,
  containers: readonly EphemeralContainer[],
  others: readonly Container[],
  context: ContainerContext,
): void {
  const otherNames = new Set(others.map(each => each.name ?? ''));
  const names = new Set(otherNames);
  containers.forEach((container, i) => {
    const at = path.index(i);
    checkCommon(errors, at, container, context);
    checkImageSpaces(errors, at, container);
    const { name = '', targetContainerName: target = '' } = container;
    if (names.has(name)) errors.push(duplicate(at.child('name'), name));
    names.add(name);
    if (target && !otherNames.has(target)) errors.push(notFoundValue(at.child('targetContainerName'), target));
    for (const field of ephemeralForbidden) {
      const value: unknown = container[field];
      const empty = field === 'resources' && Object.keys(value ?? {}).length === 0;
      if (value !== undefined && !empty) errors.push(forbiddenField(at.child(field), notEphemeral));
    }
    container.volumeMounts?.forEach((mount, j) => {
      const mountPath = at.child('volumeMounts').index(j);
      if (mount.subPath) errors.push(forbiddenField(mountPath.child('subPath'), notEphemeral));
      if (mount.subPathExpr) errors.push(forbiddenField(mountPath.child('subPathExpr'), notEphemeral));
    });
  });
}

/** Images of pods; templates may have any. */
export function checkImageSpaces(errors: Errors, path: FieldPath, { image = '' }: { image?: string }): void {
  if (image.trim() === image) return;
  errors.push(invalidValue(path.child('image'), image, 'must not have leading or trailing whitespace'));
}
