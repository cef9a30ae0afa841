/**
 * The files of volumes that are made of API objects. Upstream: pkg/volume/{configmap,secret,downwardapi,projected}.
 */
import { isStatusError } from '#apimachinery';
import type {
  ConfigMap,
  DownwardAPIVolumeFile,
  KeyToPath,
  Pod,
  Secret,
  Volume,
  VolumeProjection,
} from '../api-objects.ts';
import { type DownwardContext, fieldValue, resourceValue } from '../env/downward.ts';
import type { PayloadFile } from './atomic-writer.ts';

export interface PayloadSources {
  configMap(namespace: string, name: string): Promise<ConfigMap>;
  secret(namespace: string, name: string): Promise<Secret>;
  /** A ServiceAccount token bound to the pod. */
  token(pod: Pod, audience: string, expirationSeconds: number): Promise<string>;
  /** PEM of a trust bundle; undefined when there is none. */
  trustBundle(source: NonNullable<VolumeProjection['clusterTrustBundle']>): Promise<string | undefined>;
  downward(pod: Pod): DownwardContext;
}

type Files = Map<string, PayloadFile>;
const defaultMode = 0o644;

/** Undefined when the volume is of another sort. Rejects with the text for a FailedMount event. */
export async function volumePayload(pod: Pod, volume: Volume, sources: PayloadSources): Promise<Files | undefined> {
  const namespace = pod.metadata.namespace ?? '';
  if (volume.configMap) {
    const { name = '', items, optional } = volume.configMap;
    const mode = volume.configMap.defaultMode ?? defaultMode;
    return configMapFiles(await found(optional, sources.configMap(namespace, name)), items, mode, optional);
  }
  if (volume.secret) {
    const { secretName = '', items, optional } = volume.secret;
    const mode = volume.secret.defaultMode ?? defaultMode;
    return secretFiles(await found(optional, sources.secret(namespace, secretName)), items, mode, optional);
  }
  if (volume.downwardAPI) {
    const mode = volume.downwardAPI.defaultMode ?? defaultMode;
    return downwardFiles(pod, volume.downwardAPI.items, mode, sources.downward(pod));
  }
  if (!volume.projected) return undefined;
  const files: Files = new Map();
  const mode = volume.projected.defaultMode ?? defaultMode;
  const errors: string[] = [];
  for (const source of volume.projected.sources ?? []) {
    try {
      for (const [path, file] of await projection(pod, source, mode, sources)) files.set(path, file);
    } catch (error) {
      errors.push((error as Error).message);
    }
  }
  if (errors.length === 1) throw new Error(errors[0]);
  if (errors.length > 1) throw new Error(`[${errors.join(', ')}]`);
  return files;
}

async function found<T>(optional: boolean | undefined, wanted: Promise<T>): Promise<T | undefined> {
  try {
    return await wanted;
  } catch (error) {
    if (optional && isStatusError(error, 'NotFound')) return undefined;
    const text = (error as Error).message;
    throw new Error(text.replace(/^configmaps "/, 'configmap "').replace(/^secrets "/, 'secret "'), { cause: error });
  }
}

function configMapFiles(
  map: ConfigMap | undefined,
  items: readonly KeyToPath[] | undefined,
  mode: number,
  optional: boolean | undefined,
): Files {
  const data = new Map<string, Buffer>();
  for (const [key, value] of Object.entries(map?.data ?? {})) data.set(key, Buffer.from(value));
  for (const [key, value] of Object.entries(map?.binaryData ?? {})) data.set(key, Buffer.from(value, 'base64'));
  return choose(data, items, mode, key => {
    if (!optional) throw new Error(`configmap references non-existent config key: ${key}`);
  });
}

function secretFiles(
  secret: Secret | undefined,
  items: readonly KeyToPath[] | undefined,
  mode: number,
  optional: boolean | undefined,
): Files {
  const entries = Object.entries(secret?.data ?? {});
  const data = new Map(entries.map(([key, value]) => [key, Buffer.from(value, 'base64')] as const));
  return choose(data, items, mode, key => {
    if (!optional) throw new Error(`references non-existent secret key: ${key}`);
  });
}

function choose(
  data: ReadonlyMap<string, Buffer>,
  items: readonly KeyToPath[] | undefined,
  mode: number,
  missing: (key: string) => void,
): Files {
  const files: Files = new Map();
  if (!items?.length) {
    for (const [key, bytes] of data) files.set(key, { data: bytes, mode });
    return files;
  }
  for (const item of items) {
    const bytes = data.get(item.key);
    if (bytes) files.set(item.path, { data: bytes, mode: item.mode ?? mode });
    else missing(item.key);
  }
  return files;
}

function downwardFiles(
  pod: Pod,
  items: readonly DownwardAPIVolumeFile[] | undefined,
  mode: number,
  context: DownwardContext,
): Files {
  const files: Files = new Map();
  for (const item of items ?? []) {
    const value = item.fieldRef
      ? fieldValue(item.fieldRef, pod, context)
      : item.resourceFieldRef
        ? resourceValue(item.resourceFieldRef, pod, undefined, context)
        : '';
    files.set(item.path, { data: Buffer.from(value), mode: item.mode ?? mode });
  }
  return files;
}

async function projection(pod: Pod, source: VolumeProjection, mode: number, sources: PayloadSources): Promise<Files> {
  const namespace = pod.metadata.namespace ?? '';
  if (source.secret) {
    const { name = '', items, optional } = source.secret;
    return secretFiles(await found(optional, sources.secret(namespace, name)), items, mode, optional);
  }
  if (source.configMap) {
    const { name = '', items, optional } = source.configMap;
    return configMapFiles(await found(optional, sources.configMap(namespace, name)), items, mode, optional);
  }
  if (source.downwardAPI) return downwardFiles(pod, source.downwardAPI.items, mode, sources.downward(pod));
  if (source.serviceAccountToken) {
    const { audience = '', expirationSeconds = 3600, path } = source.serviceAccountToken;
    const token = await sources.token(pod, audience, expirationSeconds);
    const uid = commonUser(pod);
    const fsGroup = pod.spec.securityContext?.fsGroup;
    const own = uid !== undefined || fsGroup !== undefined;
    return new Map([[path, { data: Buffer.from(token), mode: own ? 0o600 : mode, ...(uid !== undefined && { uid }) }]]);
  }
  if (source.clusterTrustBundle) {
    const { optional, path, name, signerName } = source.clusterTrustBundle;
    const pem = await sources.trustBundle(source.clusterTrustBundle);
    if (pem === undefined && !optional) {
      throw new Error(`unable to load ClusterTrustBundle ${name ?? `with signer name ${signerName}`}: not found`);
    }
    return new Map([[path, { data: Buffer.from(pem ?? ''), mode }]]);
  }
  return new Map();
}

/** The user that all containers run as, when the spec says one for all. Upstream: volumeutil.FsUserFrom. */
function commonUser(pod: Pod): number | undefined {
  const users = new Set<number | undefined>();
  for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
    users.add(container.securityContext?.runAsUser ?? pod.spec.securityContext?.runAsUser);
  }
  return users.size === 1 ? [...users][0] : undefined;
}

/** Names of ConfigMaps and Secrets that the pod needs. */
export function referencedNames(pod: Pod): { configMaps: Set<string>; secrets: Set<string> } {
  const configMaps = new Set<string>();
  const secrets = new Set<string>();
  const add = (set: Set<string>, name: string | undefined): void => {
    if (name) set.add(name);
  };
  for (const { name } of pod.spec.imagePullSecrets ?? []) add(secrets, name);
  for (const volume of pod.spec.volumes ?? []) {
    add(configMaps, volume.configMap?.name);
    add(secrets, volume.secret?.secretName);
    for (const source of volume.projected?.sources ?? []) {
      add(configMaps, source.configMap?.name);
      add(secrets, source.secret?.name);
    }
  }
  const lists = [pod.spec.initContainers, pod.spec.containers, pod.spec.ephemeralContainers];
  for (const container of lists.flatMap(list => list ?? [])) {
    for (const source of container.envFrom ?? []) {
      add(configMaps, source.configMapRef?.name);
      add(secrets, source.secretRef?.name);
    }
    for (const { valueFrom } of container.env ?? []) {
      add(configMaps, valueFrom?.configMapKeyRef?.name);
      add(secrets, valueFrom?.secretKeyRef?.name);
    }
  }
  return { configMaps, secrets };
}
