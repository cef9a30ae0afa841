/** Specs of PersistentVolumes. Upstream: pkg/apis/core/validation (ValidatePersistentVolumeSpec). */
import { type FieldPath, forbiddenField, notSupported, required } from '#apimachinery';
import type { PersistentVolumeSpec } from '../types.ts';
import { checkObjectName, type Errors, sortedKeys } from './common.ts';
import { checkAccessModes } from './persistent-volume-claims.ts';
import { checkBasicResource, checkPositiveQuantity } from './resources.ts';
import { checkNodeSelector } from './scheduling.ts';
import * as sources from './volume-sources.ts';

type SourceCheck = (errors: Errors, path: FieldPath, source: never, volumeName: string) => void;

interface SourceRule {
  readonly name: keyof PersistentVolumeSpec;
  readonly check: SourceCheck;
  readonly inner?: string;
  readonly second?: string;
}

const rule = <N extends keyof PersistentVolumeSpec>(
  name: N,
  check: (errors: Errors, path: FieldPath, source: NonNullable<PersistentVolumeSpec[N]>, volumeName: string) => void,
  more: { inner?: string; second?: string } = {},
): SourceRule => ({ name, check: check as SourceCheck, ...more });

/** In upstream's order. */
const sourceRules: readonly SourceRule[] = [
  rule('hostPath', sources.checkHostPath),
  rule('gcePersistentDisk', sources.checkGcePersistentDisk, { inner: 'persistentDisk' }),
  rule('awsElasticBlockStore', sources.checkAwsBlockStore),
  rule('glusterfs', sources.checkPersistentGlusterfs),
  rule('flocker', sources.checkFlocker),
  rule('nfs', sources.checkNfs),
  rule('rbd', sources.checkPresent('monitors', 'image')),
  rule('quobyte', sources.checkQuobyte),
  rule('cephfs', sources.checkPresent('monitors'), { second: 'cephFS' }),
  rule('iscsi', sources.checkPersistentIscsi),
  rule('cinder', sources.checkPersistentCinder),
  rule('fc', sources.checkFibreChannel),
  rule('flexVolume', sources.checkFlexVolume),
  rule('azureFile', sources.checkPersistentAzureFile),
  rule('vsphereVolume', sources.checkPresent('volumePath')),
  rule('photonPersistentDisk', sources.checkPresent('pdID')),
  rule('portworxVolume', sources.checkPresent('volumeID')),
  rule('azureDisk', sources.checkAzureDisk),
  rule('scaleIO', sources.checkPresent('gateway', 'system', 'volumeName')),
  rule('local', sources.checkLocal),
  rule('storageos', sources.checkPersistentStorageOS),
  rule('csi', sources.checkPersistentCSI),
];

const inlineText = 'in the context of inline volumes';

export interface VolumeSpecOptions {
  readonly volumeName: string;
  /** Part of a VolumeAttachment rather than a volume of its own. */
  readonly inline?: boolean;
  readonly allowInvalidNodeAffinityValues?: boolean;
}

function checkCapacity(errors: Errors, path: FieldPath, spec: PersistentVolumeSpec): void {
  const capacity = (spec.capacity ?? {}) as Readonly<Record<string, string>>;
  const names = sortedKeys(capacity);
  if (names.length === 0) errors.push(required(path));
  if (!names.includes('storage') || names.length > 1) {
    errors.push(notSupported(path, spec.capacity ?? null, ['storage']));
  }
  for (const name of names) {
    checkBasicResource(errors, path.key(name), capacity[name]!);
    checkPositiveQuantity(errors, path.key(name), capacity[name]!);
  }
}

function checkSources(errors: Errors, path: FieldPath, spec: PersistentVolumeSpec, options: VolumeSpecOptions): void {
  let count = 0;
  for (const { name, check, inner, second } of sourceRules) {
    const source = spec[name];
    if (source === undefined) continue;
    const again = count++ > 0 && name !== 'flexVolume';
    if (again) errors.push(forbiddenField(path.child(second ?? name), 'may not specify more than 1 volume type'));
    else check(errors, path.child(inner ?? name), source as never, options.volumeName);
    if (name === 'local' && !again && (!spec.nodeAffinity || options.inline)) {
      errors.push(required(path.child('nodeAffinity'), 'Local volume requires node affinity'));
    }
  }
  if (count === 0) errors.push(required(path, 'must specify a volume type'));
}

function checkPlacement(errors: Errors, path: FieldPath, spec: PersistentVolumeSpec, options: VolumeSpecOptions): void {
  const reclaim = spec.persistentVolumeReclaimPolicy;
  const reclaimPath = path.child('persistentVolumeReclaimPolicy');
  const policies = ['Delete', 'Recycle', 'Retain'];
  if (reclaim && options.inline && reclaim !== 'Retain') {
    errors.push(forbiddenField(reclaimPath, `may only be Retain ${inlineText}`));
  }
  if (reclaim && !options.inline && !policies.includes(reclaim)) {
    errors.push(notSupported(reclaimPath, reclaim, policies));
  }
  const affinity = spec.nodeAffinity;
  if (!affinity) return;
  const at = path.child('nodeAffinity');
  if (options.inline) errors.push(forbiddenField(at, `may not be specified ${inlineText}`));
  else if (affinity.required) {
    const lenient = { allowInvalidValues: options.allowInvalidNodeAffinityValues ?? false };
    checkNodeSelector(errors, at.child('required'), affinity.required, lenient);
  } else errors.push(required(at.child('required'), 'must specify required node constraints'));
}

/** `path.Clean(p) == "/"` of Go. */
function isRoot(target: string): boolean {
  if (!target.startsWith('/')) return false;
  const depth: string[] = [];
  for (const part of target.split('/')) {
    if (part === '..') depth.pop();
    else if (part !== '' && part !== '.') depth.push(part);
  }
  return depth.length === 0;
}

function checkClasses(errors: Errors, path: FieldPath, spec: PersistentVolumeSpec, inline: boolean): void {
  if (spec.hostPath && isRoot(spec.hostPath.path ?? '') && spec.persistentVolumeReclaimPolicy === 'Recycle') {
    const text = "may not be 'recycle' for a hostPath mount of '/'";
    errors.push(forbiddenField(path.child('persistentVolumeReclaimPolicy'), text));
  }
  const { storageClassName, volumeMode: mode, volumeAttributesClassName: attributes } = spec;
  const classPath = path.child('storageClassName');
  if (storageClassName && inline) errors.push(forbiddenField(classPath, `may not be specified ${inlineText}`));
  else if (storageClassName) checkObjectName(errors, classPath, storageClassName);
  const modes = ['Block', 'Filesystem'];
  if (mode !== undefined && inline && mode !== 'Filesystem') {
    const text = `may not specify volumeMode other than Filesystem ${inlineText}`;
    errors.push(forbiddenField(path.child('volumeMode'), text));
  } else if (mode !== undefined && !inline && !modes.includes(mode)) {
    errors.push(notSupported(path.child('volumeMode'), mode, modes));
  }
  // Of inline volumes upstream does not look at it.
  if (attributes === undefined || inline) return;
  const at = path.child('volumeAttributesClassName');
  if (attributes === '') errors.push(required(at, 'an empty string is disallowed'));
  else checkObjectName(errors, at, attributes);
  const text = 'has to be specified when using volumeAttributesClassName';
  if (!spec.csi) errors.push(required(path.child('csi'), text));
}

export function checkVolumeSpec(
  errors: Errors,
  path: FieldPath,
  spec: PersistentVolumeSpec,
  options: VolumeSpecOptions,
): void {
  const inline = options.inline ?? false;
  if (inline) {
    if (spec.claimRef) errors.push(forbiddenField(path.child('claimRef'), `may not be specified ${inlineText}`));
    if (sortedKeys(spec.capacity).length > 0) {
      errors.push(forbiddenField(path.child('capacity'), `may not be specified ${inlineText}`));
    }
    if (!spec.csi) errors.push(required(path.child('csi'), `has to be specified ${inlineText}`));
  }
  const modes = spec.accessModes ?? [];
  if (modes.length === 0) errors.push(required(path.child('accessModes')));
  checkAccessModes(errors, path.child('accessModes'), modes);
  if (!inline) checkCapacity(errors, path.child('capacity'), spec);
  checkPlacement(errors, path, spec, options);
  checkSources(errors, path, spec, options);
  checkClasses(errors, path, spec, inline);
}
