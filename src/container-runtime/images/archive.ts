/**
 * Images as one tar file: reads OCI layouts and what `docker save` writes, plain or compressed; writes an OCI layout that
 * Docker loads too. Spec: OCI image-spec image-layout.md.
 */
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, pack } from 'tar-stream';
import { UserError } from '#base';
import type { ContentStore, Descriptor } from './content-store.ts';
import { decompress } from './decompress.ts';
import type { ImageRecord, ImageStore, Manifest } from './image-store.ts';
import { ociManifestType } from './image-store.ts';
import { choosePlatform, type PlatformEntry } from './platform.ts';

interface DockerEntry {
  readonly Config: string;
  readonly RepoTags: readonly string[] | null;
  readonly Layers: readonly string[];
}

interface IndexEntry extends PlatformEntry {
  readonly annotations?: Readonly<Record<string, string>>;
}

/** What an archive holds, by path; its files are in the content store. */
interface Contents {
  readonly files: ReadonlyMap<string, Descriptor>;
  readonly links: ReadonlyMap<string, string>;
}

const nameAnnotations = ['io.containerd.image.name', 'org.opencontainers.image.ref.name'];

/**
 * Takes in every image of the archive. An image without a name gets `name`, or none when that is absent too. Throws a
 * UserError when it is no archive of images.
 */
export async function importArchive(
  store: ImageStore,
  content: ContentStore,
  source: Readable,
  name?: string,
): Promise<ImageRecord[]> {
  const release = store.hold();
  try {
    const contents = await readContents(content, source).catch(cause => {
      throw new UserError(`This is no archive of images: ${(cause as Error).message}.`, { cause });
    });
    const docker = find(contents, 'manifest.json');
    if (docker) return await importDocker(store, content, contents, await content.readJson(docker.digest), name);
    const index = find(contents, 'index.json');
    if (index) return await importLayout(store, content, await content.readJson(index.digest), name);
    throw new UserError('The archive has neither manifest.json nor index.json, so it holds no image.');
  } finally {
    release();
  }
}

async function readContents(content: ContentStore, source: Readable): Promise<Contents> {
  const files = new Map<string, Descriptor>();
  const links = new Map<string, string>();
  const tar = extract();
  const input = pipeline(source, decompress, tar as never);
  input.catch(() => {}); // awaited below
  for await (const entry of tar) {
    const path = normal(entry.header.name);
    if (entry.header.type === 'file') files.set(path, await content.write(entry as never));
    else {
      if (entry.header.type === 'symlink' || entry.header.type === 'link') links.set(path, entry.header.linkname ?? '');
      entry.resume();
    }
  }
  await input;
  return { files, links };
}

function normal(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}

function find({ files, links }: Contents, path: string): Descriptor | undefined {
  const link = links.get(path);
  const target = link === undefined ? path : normal(`${path}/../${link}`);
  return files.get(target) ?? (link === undefined ? undefined : files.get(normal(link)));
}

async function importDocker(
  store: ImageStore,
  content: ContentStore,
  contents: Contents,
  entries: readonly DockerEntry[],
  name: string | undefined,
): Promise<ImageRecord[]> {
  const records: ImageRecord[] = [];
  for (const entry of entries) {
    const part = (path: string): Descriptor => {
      const found = find(contents, normal(path));
      if (!found) throw new UserError(`The archive lacks ${path}, which its manifest names.`);
      return found;
    };
    const manifest: Manifest = {
      schemaVersion: 2,
      mediaType: ociManifestType,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...part(entry.Config) },
      layers: entry.Layers.map(path => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...part(path) })),
    };
    const { digest } = await content.write(Buffer.from(JSON.stringify(manifest)));
    records.push(await store.add(digest, entry.RepoTags?.length ? entry.RepoTags : name ? [name] : []));
  }
  return records;
}

async function importLayout(
  store: ImageStore,
  content: ContentStore,
  index: { readonly manifests: readonly IndexEntry[] },
  name: string | undefined,
): Promise<ImageRecord[]> {
  const records: ImageRecord[] = [];
  for (const entry of index.manifests) {
    if (!(await content.has(entry.digest))) continue; // a layout may point to images that it does not carry
    const named = nameAnnotations
      .map(key => entry.annotations?.[key])
      .find(each => each?.includes('/') || each?.includes(':'));
    const inner = await content.readJson<Partial<Manifest> & { manifests?: readonly PlatformEntry[] }>(entry.digest);
    const digest = inner.manifests ? choosePlatform(inner.manifests)?.digest : entry.digest;
    if (digest === undefined) throw new UserError('The archive holds no image for this machine.');
    const reference = named ?? name;
    records.push(await store.add(digest, reference ? [reference] : [], entry.digest));
  }
  return records;
}

/** Writes images as an OCI layout with Docker's manifest.json beside it; ends `target`. */
export async function exportArchive(
  content: ContentStore,
  records: readonly ImageRecord[],
  target: Writable,
): Promise<void> {
  const tar = pack();
  const output = pipeline(tar, target);
  output.catch(() => {}); // awaited below
  const written = new Set<string>();
  const small = (path: string, value: unknown): void => void tar.entry({ name: path }, JSON.stringify(value));
  const blob = async ({ digest, size }: Descriptor): Promise<string> => {
    const path = `blobs/sha256/${digest.slice('sha256:'.length)}`;
    if (written.has(path)) return path;
    written.add(path);
    const entry = tar.entry({ name: path, size });
    await Promise.all([pipeline(content.read(digest), entry as never), once(entry as never, 'finish')]);
    return path;
  };
  const manifests: object[] = [];
  const docker: DockerEntry[] = [];
  small('oci-layout', { imageLayoutVersion: '1.0.0' });
  for (const record of records) {
    const manifest = await content.readJson<Manifest>(record.manifest.digest);
    const size = await content.size(record.manifest.digest);
    await blob({ digest: record.manifest.digest, size });
    const Config = await blob(manifest.config);
    const Layers: string[] = [];
    for (const layer of manifest.layers) Layers.push(await blob(layer));
    docker.push({ Config, RepoTags: record.repoTags, Layers });
    const { mediaType, digest } = record.manifest;
    for (const tag of record.repoTags.length > 0 ? record.repoTags : [undefined]) {
      manifests.push({ mediaType, digest, size, ...(tag ? { annotations: { [nameAnnotations[0]!]: tag } } : {}) });
    }
  }
  small('index.json', { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests });
  small('manifest.json', docker);
  tar.finalize();
  await output;
}
