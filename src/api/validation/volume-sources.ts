/**
 * The sources that volumes of pods and PersistentVolumes share, one check each.
 * Upstream: pkg/apis/core/validation/validation.go (validate…VolumeSource).
 */
import {
  byteLength,
  type FieldPath,
  goQuote,
  inclusiveRangeError,
  invalidValue,
  isDNS1123Subdomain,
  nameIsDNSLabel,
  notSupported,
  required,
  tooLong,
} from '#apimachinery';
import type {
  AWSElasticBlockStoreVolumeSource,
  AzureDiskVolumeSource,
  AzureFilePersistentVolumeSource,
  AzureFileVolumeSource,
  CSIPersistentVolumeSource,
  FCVolumeSource,
  FlexVolumeSource,
  FlockerVolumeSource,
  GCEPersistentDiskVolumeSource,
  GlusterfsPersistentVolumeSource,
  GlusterfsVolumeSource,
  HostPathVolumeSource,
  ISCSIPersistentVolumeSource,
  ISCSIVolumeSource,
  LocalVolumeSource,
  NFSVolumeSource,
  QuobyteVolumeSource,
  SecretReference,
  StorageOSPersistentVolumeSource,
  StorageOSVolumeSource,
} from '../types.ts';
import { checkDNSLabel, checkDNSSubdomain, checkNoBacksteps, type Errors, refuseEach, requireText } from './common.ts';

const hostPathTypes = [
  ...['', 'BlockDevice', 'CharDevice', 'Directory', 'DirectoryOrCreate', 'File', 'FileOrCreate', 'Socket'],
];

export function checkHostPath(errors: Errors, path: FieldPath, source: HostPathVolumeSource): void {
  if (!source.path) {
    errors.push(required(path.child('path')));
    return;
  }
  checkNoBacksteps(errors, path.child('path'), source.path);
  if (source.type !== undefined && !hostPathTypes.includes(source.type)) {
    errors.push(notSupported(path.child('type'), source.type, hostPathTypes));
  }
}

function isQualifiedInitiator(name: string): boolean {
  if (name.startsWith('iqn')) return /iqn\.\d{4}-\d{2}\.([a-zA-Z0-9\-.]+)(:[^,;*&$|\s]+)$/.test(name);
  if (name.startsWith('eui')) return /^eui.[a-zA-Z0-9]{16}$/.test(name);
  return /^naa.[a-zA-Z0-9]{32}$/.test(name);
}

const initiatorPrefixes = ['iqn', 'eui', 'naa'];

function checkInitiator(errors: Errors, path: FieldPath, name: string, unknownPrefix: string): void {
  if (!initiatorPrefixes.some(prefix => name.startsWith(prefix))) errors.push(invalidValue(path, name, unknownPrefix));
  else if (!isQualifiedInitiator(name)) errors.push(invalidValue(path, name, 'must be valid format'));
}

const tooLongPortal =
  'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.';

function portalIsTooLong(name: string, source: { initiatorName?: string; targetPortal: string }): boolean {
  return source.initiatorName !== undefined && byteLength(`${name}:${source.targetPortal ?? ''}`) > 64;
}

function checkIscsiRest(
  errors: Errors,
  path: FieldPath,
  source: ISCSIVolumeSource | ISCSIPersistentVolumeSource,
  unknownPrefix: string,
): void {
  if (requireText(errors, path.child('iqn'), source.iqn)) {
    checkInitiator(errors, path.child('iqn'), source.iqn, unknownPrefix);
  }
  const lun = source.lun ?? 0;
  if (lun < 0 || lun > 255) errors.push(invalidValue(path.child('lun'), lun, inclusiveRangeError(0, 255)));
  if ((source.chapAuthDiscovery || source.chapAuthSession) && !source.secretRef) {
    errors.push(required(path.child('secretRef')));
  }
}

export function checkIscsi(errors: Errors, path: FieldPath, source: ISCSIVolumeSource): void {
  const unknownPrefix = 'must be valid format starting with iqn, eui, or naa';
  requireText(errors, path.child('targetPortal'), source.targetPortal);
  checkIscsiRest(errors, path, source, unknownPrefix);
  if (source.initiatorName !== undefined) {
    checkInitiator(errors, path.child('initiatorname'), source.initiatorName, unknownPrefix);
  }
}

/** Upstream reports it at the volume's name, after the source itself. */
export function checkIscsiName(errors: Errors, path: FieldPath, name: string, source: ISCSIVolumeSource): void {
  if (portalIsTooLong(name, source)) errors.push(invalidValue(path.child('name'), name, tooLongPortal));
}

export function checkPersistentIscsi(
  errors: Errors,
  path: FieldPath,
  source: ISCSIPersistentVolumeSource,
  volumeName: string,
): void {
  requireText(errors, path.child('targetPortal'), source.targetPortal);
  if (portalIsTooLong(volumeName, source)) {
    errors.push(invalidValue(path.child('targetportal'), source.targetPortal ?? '', tooLongPortal));
  }
  checkIscsiRest(errors, path, source, 'must be valid format');
  if (source.secretRef) requireText(errors, path.child('secretRef', 'name'), source.secretRef.name);
  if (source.initiatorName !== undefined) {
    checkInitiator(errors, path.child('initiatorname'), source.initiatorName, 'must be valid format');
  }
}

export function checkFibreChannel(errors: Errors, path: FieldPath, source: FCVolumeSource): void {
  const names = source.targetWWNs ?? [];
  const wwids = source.wwids ?? [];
  const at = path.child('targetWWNs');
  if (names.length < 1 && wwids.length < 1) {
    errors.push(required(at, 'must specify either targetWWNs or wwids, but not both'));
  }
  if (names.length > 0 && wwids.length > 0) {
    errors.push(invalidValue(at, names, 'targetWWNs and wwids can not be specified simultaneously'));
  }
  if (names.length === 0) return;
  const { lun } = source;
  if (lun === undefined) errors.push(required(path.child('lun'), 'lun is required if targetWWNs is specified'));
  else if (lun < 0 || lun > 255) errors.push(invalidValue(path.child('lun'), lun, inclusiveRangeError(0, 255)));
}

function checkPartition(errors: Errors, path: FieldPath, partition = 0): void {
  if (partition < 0 || partition > 255) {
    errors.push(invalidValue(path.child('partition'), partition, inclusiveRangeError(1, 255)));
  }
}

export function checkGcePersistentDisk(errors: Errors, path: FieldPath, source: GCEPersistentDiskVolumeSource): void {
  requireText(errors, path.child('pdName'), source.pdName);
  checkPartition(errors, path, source.partition);
}

export function checkAwsBlockStore(errors: Errors, path: FieldPath, source: AWSElasticBlockStoreVolumeSource): void {
  requireText(errors, path.child('volumeID'), source.volumeID);
  checkPartition(errors, path, source.partition);
}

export function checkNfs(errors: Errors, path: FieldPath, source: NFSVolumeSource): void {
  requireText(errors, path.child('server'), source.server);
  requireText(errors, path.child('path'), source.path);
  if (!source.path?.startsWith('/')) {
    errors.push(invalidValue(path.child('path'), source.path ?? '', 'must be an absolute path'));
  }
}

export function checkQuobyte(errors: Errors, path: FieldPath, source: QuobyteVolumeSource): void {
  const pairs = 'must be a host:port pair or multiple pairs separated by commas';
  const { registry = '', tenant = '' } = source;
  if (registry === '') errors.push(required(path.child('registry'), pairs));
  else if (byteLength(tenant) >= 65) {
    errors.push(required(path.child('tenant'), 'must be a UUID and may not exceed a length of 64 characters'));
  } else {
    for (const pair of registry.split(',')) {
      if (!isHostPort(pair)) errors.push(invalidValue(path.child('registry'), registry, pairs));
    }
  }
  requireText(errors, path.child('volume'), source.volume);
}

/** As Go's net.SplitHostPort accepts it. */
function isHostPort(text: string): boolean {
  return /^\[[^[\]]*\]:[^:[\]]*$/.test(text) || /^[^:[\]]*:[^:[\]]*$/.test(text);
}

export function checkGlusterfs(errors: Errors, path: FieldPath, source: GlusterfsVolumeSource): void {
  requireText(errors, path.child('endpoints'), source.endpoints);
  requireText(errors, path.child('path'), source.path);
}

export function checkPersistentGlusterfs(
  errors: Errors,
  path: FieldPath,
  source: GlusterfsPersistentVolumeSource,
): void {
  checkGlusterfs(errors, path, source);
  const { endpointsNamespace: namespace } = source;
  if (namespace === undefined) return;
  const at = path.child('endpointsNamespace');
  if (namespace === '') {
    errors.push(invalidValue(at, '', 'if the endpointnamespace is set, it must be a valid namespace name'));
  } else refuseEach(errors, at, namespace, nameIsDNSLabel(namespace, false));
}

export function checkFlocker(errors: Errors, path: FieldPath, source: FlockerVolumeSource): void {
  const { datasetName = '', datasetUUID = '' } = source;
  if (!datasetName && !datasetUUID) errors.push(required(path, 'one of datasetName and datasetUUID is required'));
  if (datasetName && datasetUUID) {
    errors.push(invalidValue(path, 'resource', 'datasetName and datasetUUID can not be specified simultaneously'));
  }
  if (datasetName.includes('/')) {
    errors.push(invalidValue(path.child('datasetName'), datasetName, "must not contain '/'"));
  }
}

/** A source of which nothing is asked but that some fields are there: monitors, image, volumeID … */
export function checkPresent(...fields: readonly string[]) {
  return (errors: Errors, path: FieldPath, source: object): void => {
    for (const field of fields) {
      const value = (source as Readonly<Record<string, unknown>>)[field];
      const empty = Array.isArray(value) ? value.length === 0 : !value;
      if (empty) errors.push(required(path.child(field)));
    }
  };
}

interface Secreted {
  readonly secretRef?: { readonly name?: string; readonly namespace?: string };
}

export function checkCinder(errors: Errors, path: FieldPath, source: Secreted & { readonly volumeID: string }): void {
  requireText(errors, path.child('volumeID'), source.volumeID);
  if (source.secretRef) requireText(errors, path.child('secretRef', 'name'), source.secretRef.name);
}

export function checkPersistentCinder(
  errors: Errors,
  path: FieldPath,
  source: Secreted & { readonly volumeID: string },
): void {
  checkCinder(errors, path, source);
  if (source.secretRef) requireText(errors, path.child('secretRef', 'namespace'), source.secretRef.namespace);
}

export function checkFlexVolume(
  errors: Errors,
  path: FieldPath,
  source: Pick<FlexVolumeSource, 'driver' | 'options'>,
): void {
  requireText(errors, path.child('driver'), source.driver);
  for (const key of Object.keys(source.options ?? {})) {
    const slash = key.indexOf('/');
    const namespace = `.${(slash < 0 ? key : key.slice(0, slash)).toLowerCase()}`;
    if (namespace.endsWith('.kubernetes.io') || namespace.endsWith('.k8s.io')) {
      const text = 'kubernetes.io and k8s.io namespaces are reserved';
      errors.push(invalidValue(path.child('options').key(key), key, text));
    }
  }
}

export function checkAzureFile(errors: Errors, path: FieldPath, source: AzureFileVolumeSource): void {
  requireText(errors, path.child('secretName'), source.secretName);
  requireText(errors, path.child('shareName'), source.shareName);
}

export function checkPersistentAzureFile(
  errors: Errors,
  path: FieldPath,
  source: AzureFilePersistentVolumeSource,
): void {
  checkAzureFile(errors, path, source);
  if (source.secretNamespace === '') errors.push(required(path.child('secretNamespace')));
}

const managedUri = '/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}';
const blobUri = 'https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd';

export function checkAzureDisk(errors: Errors, path: FieldPath, source: AzureDiskVolumeSource): void {
  const { cachingMode, kind, diskURI = '' } = source;
  requireText(errors, path.child('diskName'), source.diskName);
  requireText(errors, path.child('diskURI'), diskURI);
  const modes = ['None', 'ReadOnly', 'ReadWrite'];
  if (cachingMode !== undefined && !modes.includes(cachingMode)) {
    errors.push(notSupported(path.child('cachingMode'), cachingMode, modes));
  }
  const kinds = ['Dedicated', 'Managed', 'Shared'];
  if (kind !== undefined && !kinds.includes(kind)) errors.push(notSupported(path.child('kind'), kind, kinds));
  if (kind === 'Managed' && !diskURI.startsWith('/subscriptions/')) {
    errors.push(notSupported(path.child('diskURI'), diskURI, [managedUri]));
  }
  if (kind !== undefined && kind !== 'Managed' && !diskURI.startsWith('https://')) {
    errors.push(notSupported(path.child('diskURI'), diskURI, [blobUri]));
  }
}

export function checkLocal(errors: Errors, path: FieldPath, source: LocalVolumeSource): void {
  requireText(errors, path.child('path'), source.path);
  checkNoBacksteps(errors, path.child('path'), source.path ?? '');
}

export function checkStorageOS(
  errors: Errors,
  path: FieldPath,
  source: StorageOSVolumeSource | StorageOSPersistentVolumeSource,
): void {
  if (requireText(errors, path.child('volumeName'), source.volumeName)) {
    checkDNSLabel(errors, path.child('volumeName'), source.volumeName);
  }
  if (source.volumeNamespace) checkDNSLabel(errors, path.child('volumeNamespace'), source.volumeNamespace);
  if (source.secretRef) requireText(errors, path.child('secretRef', 'name'), source.secretRef.name);
}

export function checkPersistentStorageOS(
  errors: Errors,
  path: FieldPath,
  source: StorageOSPersistentVolumeSource,
): void {
  checkStorageOS(errors, path, source);
  if (source.secretRef) requireText(errors, path.child('secretRef', 'namespace'), source.secretRef.namespace);
}

function checkSecretReference(errors: Errors, path: FieldPath, secret: SecretReference): void {
  if (requireText(errors, path.child('name'), secret.name)) {
    checkDNSSubdomain(errors, path.child('name'), secret.name);
  }
  if (requireText(errors, path.child('namespace'), secret.namespace)) {
    checkDNSLabel(errors, path.child('namespace'), secret.namespace);
  }
}

export function checkCSIDriverName(errors: Errors, path: FieldPath, driver = ''): void {
  if (!requireText(errors, path, driver)) return;
  if (byteLength(driver) > 63) errors.push(tooLong(path, 63));
  refuseEach(errors, path, driver, isDNS1123Subdomain(driver.toLowerCase()));
}

export function checkPersistentCSI(errors: Errors, path: FieldPath, source: CSIPersistentVolumeSource): void {
  checkCSIDriverName(errors, path.child('driver'), source.driver);
  requireText(errors, path.child('volumeHandle'), source.volumeHandle);
  const names = [
    ...(['controllerPublishSecretRef', 'controllerExpandSecretRef'] as const),
    ...(['nodePublishSecretRef', 'nodeExpandSecretRef'] as const),
  ];
  for (const name of names) {
    const secret = source[name];
    if (secret) checkSecretReference(errors, path.child(name), secret);
  }
}

export { goQuote };
