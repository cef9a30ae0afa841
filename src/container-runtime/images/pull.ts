/**
 * Pulls images: resolves the reference, chooses the platform, fetches the blobs that are missing, verifies each by its
 * digest, unpacks. Two pulls of one image at a time are one. Upstream: containerd client/pull.go.
 * Deviation: messages lack gRPC's prefix "rpc error: code = NotFound desc = ", since there is no gRPC between us.
 */
import { Readable } from 'node:stream';
import { type AuthConfig, CriError } from '#cri';
import { type ContentStore, type Descriptor, digestOf } from './content-store.ts';
import type { ImageRecord, ImageStore, Manifest } from './image-store.ts';
import { choosePlatform, machineArchitecture, type PlatformEntry } from './platform.ts';
import { formatReference, parseReference } from './reference.ts';
import { pullError, RegistryClient } from './registry-client.ts';

export interface PullerDeps {
  readonly content: ContentStore;
  readonly store: ImageStore;
  readonly plainHttpRegistries: readonly string[];
}

export interface Puller {
  /** Rejects with `imagePull` and containerd's text. */
  pull(image: string, auth: AuthConfig | undefined, signal: AbortSignal | undefined): Promise<ImageRecord>;
}

const indexTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
const manifestTypes = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];
const maxManifestBytes = 4 * 1024 * 1024;
const parallelBlobs = 3;

export function createPuller(deps: PullerDeps): Puller {
  const running = new Map<string, Promise<ImageRecord>>();
  return {
    pull(image, auth, signal) {
      const key = JSON.stringify([image, auth ?? null]);
      const known = running.get(key);
      if (known) return known;
      const work = pull(deps, image, auth, signal).finally(() => running.delete(key));
      running.set(key, work);
      return work;
    },
  };
}

async function pull(
  { content, store, plainHttpRegistries }: PullerDeps,
  image: string,
  auth: AuthConfig | undefined,
  signal: AbortSignal | undefined,
): Promise<ImageRecord> {
  const reference = parseReference(image);
  const name = formatReference(reference);
  const client = new RegistryClient({ reference, auth, plainHttp: plainHttpRegistries, signal });
  const release = store.hold();
  try {
    const resolved = await resolve(client, reference.digest ?? reference.tag!).catch(cause => {
      throw pullError(
        name,
        `failed to resolve reference "${name}": ${/^not found$/.test(cause.message) ? `${name}: ` : ''}`,
        cause,
      );
    });
    const manifest = await platformManifest(client, resolved, name);
    await content.write(manifest.bytes);
    const { config, layers } = JSON.parse(manifest.bytes.toString()) as Manifest;
    await fetchBlobs(client, content, [config, ...layers], name);
    return await store.add(manifest.digest, [name], resolved.digest).catch(cause => {
      throw pullError(name, '', cause);
    });
  } finally {
    release();
  }
}

interface Fetched {
  readonly bytes: Buffer;
  readonly digest: string;
  readonly mediaType: string;
}

async function resolve(client: RegistryClient, tagOrDigest: string): Promise<Fetched> {
  const response = await client.get(`manifests/${tagOrDigest}`, [...indexTypes, ...manifestTypes]);
  if (Number(response.headers.get('content-length') ?? 0) > maxManifestBytes) throw new Error('manifest is too large');
  const bytes = Buffer.from(await response.arrayBuffer());
  const digest = digestOf(bytes);
  if (tagOrDigest.startsWith('sha256:') && tagOrDigest !== digest) {
    throw new Error(`manifest has digest ${digest}, expected ${tagOrDigest}`);
  }
  const { mediaType } = JSON.parse(bytes.toString()) as { mediaType?: string };
  return { bytes, digest, mediaType: mediaType ?? response.headers.get('content-type')?.split(';')[0] ?? '' };
}

async function platformManifest(client: RegistryClient, resolved: Fetched, name: string): Promise<Fetched> {
  if (!indexTypes.includes(resolved.mediaType)) return resolved;
  const { manifests } = JSON.parse(resolved.bytes.toString()) as { manifests: readonly PlatformEntry[] };
  const chosen = choosePlatform(manifests);
  if (!chosen) {
    throw pullError(
      name,
      '',
      new Error(`no match for platform in manifest: linux/${machineArchitecture()}: not found`),
    );
  }
  return resolve(client, chosen.digest).catch(cause => {
    throw pullError(name, '', cause);
  });
}

async function fetchBlobs(
  client: RegistryClient,
  content: ContentStore,
  blobs: readonly Descriptor[],
  name: string,
): Promise<void> {
  const todo = [...new Map(blobs.map(blob => [blob.digest, blob])).values()];
  const worker = async (): Promise<void> => {
    for (let blob = todo.shift(); blob; blob = todo.shift()) {
      if (await content.has(blob.digest)) continue;
      const { body } = await client.get(`blobs/${blob.digest}`);
      if (!body) throw new CriError('imagePull', `blob ${blob.digest} came without content`);
      await content.write(Readable.fromWeb(body as never), blob);
    }
  };
  try {
    await Promise.all(Array.from({ length: parallelBlobs }, worker));
  } catch (cause) {
    todo.length = 0;
    throw pullError(name, 'failed to copy: ', cause);
  }
}
