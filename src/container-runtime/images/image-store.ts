/**
 * The images of a node: one record a config digest, with the names that lead to it, its layers unpacked once each and
 * shared. A name leads to one image; giving it to another takes it from the first. Upstream: containerd's image store.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CriError, type ImageInfo } from '#cri';
import type { Launcher } from '../monitor/launcher.ts';
import type { ImageProcess } from '../oci-spec/generate.ts';
import type { ContentStore, Descriptor } from './content-store.ts';
import { unpackLayer } from './layer-unpack.ts';
import { formatReference, parseReference, repositoryOf } from './reference.ts';

/** The parts of an OCI image config that matter here. */
export interface ImageConfigFile {
  readonly architecture: string;
  readonly os: string;
  readonly config?: ImageProcess & { readonly Labels?: Record<string, string> | null };
  readonly rootfs: { readonly type: 'layers'; readonly diff_ids: readonly string[] };
  readonly [key: string]: unknown;
}

/** What is known of an image; kept as `images/<hex>.json`. */
export interface ImageRecord {
  /** Digest of the config. */
  readonly id: string;
  readonly manifest: { readonly digest: string; readonly mediaType: string };
  readonly layers: readonly Descriptor[];
  /** Normalised, as `docker.io/library/busybox:latest`. */
  readonly repoTags: readonly string[];
  /** As `docker.io/library/busybox@sha256:…`. */
  readonly repoDigests: readonly string[];
  readonly sizeBytes: number;
  readonly pinned: boolean;
  readonly config: ImageConfigFile;
}

/** An OCI or Docker manifest of one image. */
export interface Manifest {
  readonly schemaVersion: 2;
  readonly mediaType?: string;
  readonly config: Descriptor & { readonly mediaType: string };
  readonly layers: ReadonlyArray<Descriptor & { readonly mediaType: string }>;
}

export const ociManifestType = 'application/vnd.oci.image.manifest.v1+json';

/** See the file header. Every change is on disk when its promise resolves. */
export class ImageStore {
  readonly #nodeDir: string;
  readonly #content: ContentStore;
  readonly #launcher: Launcher;
  readonly #records = new Map<string, ImageRecord>();
  readonly #unpacking = new Map<string, Promise<void>>();
  #holds = 0;
  #garbageWaits = false;

  constructor(nodeDir: string, content: ContentStore, launcher: Launcher) {
    this.#nodeDir = nodeDir;
    this.#content = content;
    this.#launcher = launcher;
  }

  /** Reads the records; call once before anything else. */
  async load(): Promise<void> {
    await mkdir(join(this.#nodeDir, 'images'), { recursive: true });
    for (const name of await readdir(join(this.#nodeDir, 'images'))) {
      if (!name.endsWith('.json')) continue;
      const record = JSON.parse(await readFile(join(this.#nodeDir, 'images', name), 'utf8')) as ImageRecord;
      this.#records.set(record.id, record);
    }
  }

  list(): readonly ImageRecord[] {
    return [...this.#records.values()];
  }

  /** By id (with or without `sha256:`, whole), by digest reference, by tag. */
  find(image: string): ImageRecord | undefined {
    const byId = this.#records.get(image) ?? this.#records.get(`sha256:${image}`);
    if (byId) return byId;
    const { digest, tag, ...name } = parseReference(image);
    const wanted =
      digest === undefined ? formatReference({ ...name, ...(tag ? { tag } : {}) }) : `${repositoryOf(name)}@${digest}`;
    return this.list().find(record => (digest ? record.repoDigests : record.repoTags).includes(wanted));
  }

  /**
   * Makes an image of a manifest whose blobs are all in the content store: unpacks its layers and gives it the names.
   * `references`: each with a tag names it; each repository also gets a digest reference, by `listDigest` when the
   * manifest was found in a list of platforms.
   */
  async add(
    manifestDigest: string,
    references: readonly string[],
    listDigest: string = manifestDigest,
  ): Promise<ImageRecord> {
    const manifest = await this.#content.readJson<Manifest>(manifestDigest);
    const config = await this.#content.readJson<ImageConfigFile>(manifest.config.digest);
    const diffIds = config.rootfs.diff_ids;
    if (diffIds.length !== manifest.layers.length) {
      throw new CriError(
        'imagePull',
        `image config has ${diffIds.length} layers, its manifest ${manifest.layers.length}`,
      );
    }
    for (const [at, layer] of manifest.layers.entries()) await this.#unpack(layer.digest, diffIds[at]!);
    const parsed = references.map(parseReference);
    const tags = parsed.filter(each => each.tag !== undefined).map(({ digest: _, ...each }) => formatReference(each));
    const digests = parsed.map(each => `${repositoryOf(each)}@${listDigest}`);
    const before = this.#records.get(manifest.config.digest);
    const merge = (old: readonly string[] | undefined, more: readonly string[]): string[] => [
      ...new Set([...(old ?? []), ...more]),
    ];
    for (const tag of tags) await this.#untag(tag, manifest.config.digest);
    const record: ImageRecord = {
      id: manifest.config.digest,
      manifest: { digest: manifestDigest, mediaType: manifest.mediaType ?? ociManifestType },
      layers: manifest.layers.map(({ digest, size }) => ({ digest, size })),
      repoTags: merge(before?.repoTags, tags),
      repoDigests: merge(before?.repoDigests, digests),
      sizeBytes: manifest.layers.reduce((sum, layer) => sum + layer.size, manifest.config.size),
      pinned: before?.pinned ?? false,
      config,
    };
    await this.#save(record);
    return record;
  }

  /** Directories of the image's layers relative to the node directory, the lowest first. */
  layerDirs(record: ImageRecord): string[] {
    return record.config.rootfs.diff_ids.map(layerDir);
  }

  /** Gives an image one more name. */
  async tag(record: ImageRecord, reference: string): Promise<void> {
    const tag = formatReference(parseReference(reference));
    await this.#untag(tag, record.id);
    const now = this.#records.get(record.id) ?? record;
    await this.#save({ ...now, repoTags: [...new Set([...now.repoTags, tag])] });
  }

  /** Removes an image with all its names, and whatever only it used. An image that is not there is no error. */
  async remove(image: string): Promise<void> {
    const record = this.find(image);
    if (!record) return;
    this.#records.delete(record.id);
    await rm(this.#recordPath(record.id), { force: true });
    await this.collectGarbage();
  }

  /** Keeps blobs that no image uses yet from being collected until the result is called, once. */
  hold(): () => void {
    this.#holds++;
    return () => {
      if (--this.#holds > 0 || !this.#garbageWaits) return;
      this.#garbageWaits = false;
      this.collectGarbage().catch(() => {}); // the next removal tries again
    };
  }

  /** Removes blobs and unpacked layers that no image uses, now or when nothing is being added any more. */
  async collectGarbage(): Promise<void> {
    if (this.#holds > 0) {
      this.#garbageWaits = true;
      return;
    }
    const records = this.list();
    const blobs = new Set(
      records.flatMap(each => [each.id, each.manifest.digest, ...each.layers.map(layer => layer.digest)]),
    );
    const dirs = new Set(records.flatMap(each => this.layerDirs(each)));
    for (const digest of await this.#content.list()) if (!blobs.has(digest)) await this.#content.remove(digest);
    for (const name of await readdir(join(this.#nodeDir, 'l')).catch(() => [])) {
      if (!dirs.has(join('l', name))) await rm(join(this.#nodeDir, 'l', name), { recursive: true, force: true });
    }
  }

  async #untag(tag: string, exceptId: string): Promise<void> {
    for (const record of this.list()) {
      if (record.id === exceptId || !record.repoTags.includes(tag)) continue;
      await this.#save({ ...record, repoTags: record.repoTags.filter(each => each !== tag) });
    }
  }

  /** Unpacks a layer once, also when asked for twice at a time. */
  #unpack(blob: string, diffId: string): Promise<void> {
    const running = this.#unpacking.get(diffId);
    if (running) return running;
    const work = this.#unpackNow(blob, diffId).finally(() => this.#unpacking.delete(diffId));
    this.#unpacking.set(diffId, work);
    return work;
  }

  async #unpackNow(blob: string, diffId: string): Promise<void> {
    const target = join(this.#nodeDir, layerDir(diffId));
    if (await readdir(target).catch(() => undefined)) return;
    const temporary = `${target}.tmp`;
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary, { recursive: true, mode: 0o755 });
    const found = await unpackLayer(this.#content.read(blob), temporary, this.#launcher);
    if (found.diffId !== diffId) {
      await rm(temporary, { recursive: true, force: true });
      throw new CriError('imagePull', `layer ${blob} unpacks to ${found.diffId}, expected ${diffId}`);
    }
    await rename(temporary, target);
  }

  async #save(record: ImageRecord): Promise<void> {
    const path = this.#recordPath(record.id);
    await writeFile(`${path}.tmp`, JSON.stringify(record));
    await rename(`${path}.tmp`, path);
    this.#records.set(record.id, record);
  }

  #recordPath(id: string): string {
    return join(this.#nodeDir, 'images', `${id.slice('sha256:'.length)}.json`);
  }
}

/** Short, because a mount has room for 4096 bytes of directories. */
function layerDir(diffId: string): string {
  return join('l', diffId.slice('sha256:'.length, 'sha256:'.length + 16));
}

/** What CRI wants to know of an image. */
export function imageInfo(record: ImageRecord): ImageInfo {
  const user = (record.config.config?.User ?? '').split(':')[0]!;
  const numeric = /^\d+$/.test(user);
  return {
    id: record.id,
    repoTags: record.repoTags,
    repoDigests: record.repoDigests,
    sizeBytes: record.sizeBytes,
    ...(numeric ? { uid: Number(user) } : user === '' ? { uid: 0 } : {}),
    username: numeric ? '' : user,
    pinned: record.pinned,
  };
}
