/**
 * Volumes of pods. Upstream: pkg/apis/core/validation/validation.go (ValidateVolumes, validateVolumeSource).
 */
import {
  append,
  duplicate,
  type FieldPath,
  forbiddenField,
  goQuote,
  invalidValue,
  nameIsDNSSubdomain,
  parseQuantity,
  required,
} from '#apimachinery';
import type { CSIVolumeSource, EphemeralVolumeSource, KeyToPath, Volume } from '../types.ts';
import {
  checkChoice,
  checkDNSLabel,
  checkLocalDescendingPath,
  type Errors,
  refuseEach,
  requireText,
} from './common.ts';
import { checkDownwardAPIFile } from './field-references.ts';
import { checkFileMode, checkKeyToPath } from './files.ts';
import { checkClaimSpec } from './persistent-volume-claims.ts';
import { checkProjected } from './projected-volumes.ts';
import { checkTemplateMetadata } from './template-metadata.ts';
import * as sources from './volume-sources.ts';

export interface VolumeContext {
  /** Name of the pod; empty in templates. */
  readonly podName: string;
  /** Old objects may have tokens at paths that are refused now. */
  readonly allowNonLocalTokenPath?: boolean;
  /** Templates may leave out an image's reference. */
  readonly isPod: boolean;
}

interface FileSource {
  readonly defaultMode?: number;
  readonly items?: readonly KeyToPath[];
}

function checkFiles(errors: Errors, path: FieldPath, source: FileSource): void {
  checkFileMode(errors, path.child('defaultMode'), source.defaultMode);
  source.items?.forEach((item, i) => {
    checkKeyToPath(errors, path.child('items').index(i), item);
  });
}

function checkCSI(errors: Errors, path: FieldPath, source: CSIVolumeSource): void {
  sources.checkCSIDriverName(errors, path.child('driver'), source.driver);
  const secret = source.nodePublishSecretRef;
  if (!secret) return;
  if (requireText(errors, path.child('nodePublishSecretRef', 'name'), secret.name)) {
    refuseEach(errors, path.child('name'), secret.name, nameIsDNSSubdomain(secret.name, false));
  }
}

function checkEphemeral(errors: Errors, path: FieldPath, source: EphemeralVolumeSource): void {
  const at = path.child('volumeClaimTemplate');
  const template = source.volumeClaimTemplate;
  if (!template) {
    errors.push(required(at));
    return;
  }
  checkTemplateMetadata(errors, at.child('metadata'), template.metadata);
  checkClaimSpec(errors, at.child('spec'), template.spec ?? ({} as typeof template.spec), {});
}

type SourceName = Exclude<keyof Volume, 'name'>;
type SourceCheck = (errors: Errors, path: FieldPath, source: never, context: VolumeContext) => void;

interface SourceRule {
  readonly name: SourceName;
  readonly check: SourceCheck;
  /** Name in the path of what the check refuses, where upstream spells it in another way. */
  readonly inner?: string;
  /** The same where there are two sources. */
  readonly second?: string;
}

const rule = <N extends SourceName>(
  name: N,
  check: (errors: Errors, path: FieldPath, source: NonNullable<Volume[N]>, context: VolumeContext) => void,
  more: { inner?: string; second?: string } = {},
): SourceRule => ({ name, check: check as SourceCheck, ...more });

/** In upstream's order. */
const sourceRules: readonly SourceRule[] = [
  rule('emptyDir', (errors, path, source) => {
    if (source.sizeLimit === undefined || parseQuantity(source.sizeLimit).sign >= 0) return;
    errors.push(forbiddenField(path.child('sizeLimit'), 'SizeLimit field must be a valid resource quantity'));
  }),
  rule('hostPath', sources.checkHostPath),
  rule('gitRepo', (errors, path, source) => {
    requireText(errors, path.child('repository'), source.repository);
    checkLocalDescendingPath(errors, path.child('directory'), source.directory ?? '');
  }),
  rule('gcePersistentDisk', sources.checkGcePersistentDisk, { inner: 'persistentDisk' }),
  rule('awsElasticBlockStore', sources.checkAwsBlockStore),
  rule('secret', (errors, path, source) => {
    requireText(errors, path.child('secretName'), source.secretName);
    checkFiles(errors, path, source);
  }),
  rule('nfs', sources.checkNfs),
  rule('iscsi', sources.checkIscsi),
  rule('glusterfs', sources.checkGlusterfs),
  rule('flocker', sources.checkFlocker),
  rule('persistentVolumeClaim', sources.checkPresent('claimName')),
  rule('rbd', sources.checkPresent('monitors', 'image')),
  rule('cinder', sources.checkCinder),
  rule('cephfs', sources.checkPresent('monitors'), { second: 'cephFS' }),
  rule('quobyte', sources.checkQuobyte),
  rule(
    'downwardAPI',
    (errors, path, source) => {
      checkFileMode(errors, path.child('defaultMode'), source.defaultMode);
      for (const file of source.items ?? []) checkDownwardAPIFile(errors, path, file);
    },
    { second: 'downwarAPI' },
  ),
  rule('fc', sources.checkFibreChannel),
  rule('flexVolume', sources.checkFlexVolume),
  rule('configMap', (errors, path, source) => {
    requireText(errors, path.child('name'), source.name);
    checkFiles(errors, path, source);
  }),
  rule('azureFile', sources.checkAzureFile),
  rule('vsphereVolume', sources.checkPresent('volumePath')),
  rule('photonPersistentDisk', sources.checkPresent('pdID')),
  rule('portworxVolume', sources.checkPresent('volumeID')),
  rule('azureDisk', sources.checkAzureDisk),
  rule('storageos', sources.checkStorageOS),
  rule('projected', (errors, path, source, context) =>
    checkProjected(errors, path, source, context.allowNonLocalTokenPath ?? false),
  ),
  rule('scaleIO', sources.checkPresent('gateway', 'system', 'volumeName')),
  rule('csi', checkCSI),
  rule('ephemeral', checkEphemeral),
  rule('image', (errors, path, source, context) => {
    if (context.isPod) requireText(errors, path.child('reference'), source.reference);
    checkChoice(errors, path.child('pullPolicy'), source.pullPolicy, ['Always', 'IfNotPresent', 'Never']);
  }),
];

function checkSource(errors: Errors, path: FieldPath, volume: Volume, context: VolumeContext): void {
  let count = 0;
  const name = volume.name ?? '';
  for (const { name: field, check, inner, second } of sourceRules) {
    const source = volume[field];
    if (source === undefined) continue;
    const again = count++ > 0;
    if (again) {
      errors.push(forbiddenField(path.child(second ?? field), 'may not specify more than 1 volume type'));
    } else check(errors, path.child(inner ?? field), source as never, context);
    if (field === 'iscsi' && volume.iscsi) sources.checkIscsiName(errors, path, name, volume.iscsi);
    if (field === 'ephemeral' && !again && context.podName && name) {
      const claim = `${context.podName}-${name}`;
      const texts = nameIsDNSSubdomain(claim, false).map(text => `PVC name ${goQuote(claim)}: ${text}`);
      refuseEach(errors, path.child('name'), name, texts);
    }
  }
  if (count === 0) errors.push(required(path, 'must specify a volume type'));
}

/** Checks all volumes and answers the valid ones by name: what mounts may refer to. */
export function checkVolumes(
  errors: Errors,
  path: FieldPath,
  volumes: readonly Volume[],
  context: VolumeContext,
): ReadonlyMap<string, Volume> {
  const valid = new Map<string, Volume>();
  const created = new Set(
    volumes.filter(v => context.podName && v.ephemeral).map(v => `${context.podName}-${v.name ?? ''}`),
  );
  volumes.forEach((volume, i) => {
    const at = path.index(i);
    const own: Errors = [];
    checkSource(own, at, volume, context);
    if (requireText(own, at.child('name'), volume.name)) checkDNSLabel(own, at.child('name'), volume.name);
    if (valid.has(volume.name ?? '')) own.push(duplicate(at.child('name'), volume.name));
    if (own.length === 0) valid.set(volume.name, volume);
    else append(errors, own);
    const claim = volume.persistentVolumeClaim?.claimName;
    if (claim !== undefined && created.has(claim)) {
      const text = 'must not reference a PVC that gets created for an ephemeral volume';
      errors.push(invalidValue(at.child('persistentVolumeClaim', 'claimName'), claim, text));
    }
  });
  return valid;
}
