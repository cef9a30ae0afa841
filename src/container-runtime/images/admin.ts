/** What administrators do with images beyond CRI: build one of the host's programs, import, export, name. */
import type { Readable, Writable } from 'node:stream';
import { CriError, type ImageInfo } from '#cri';
import { exportArchive, importArchive } from './archive.ts';
import { buildFromHost, type HostImageOptions } from './build-from-host.ts';
import type { ContentStore } from './content-store.ts';
import { type ImageStore, imageInfo } from './image-store.ts';

/** See the file header. Names are normalised (`web` is `docker.io/library/web:latest`). */
export interface ImageAdmin {
  /** An image of this machine's own programs, made without a network. */
  buildFromHost(options: HostImageOptions): Promise<ImageInfo>;
  /** Every image of an OCI layout or `docker save` tar, plain or compressed; `name` is for one that has none. */
  importArchive(source: Readable, name?: string): Promise<readonly ImageInfo[]>;
  /** Images (by any of their names) as one tar that this and Docker can read; ends `target`. */
  exportArchive(images: readonly string[], target: Writable): Promise<void>;
  /** Gives an image one more name. */
  tagImage(image: string, name: string): Promise<void>;
}

export function createImageAdmin(store: ImageStore, content: ContentStore): ImageAdmin {
  const find = (image: string): NonNullable<ReturnType<ImageStore['find']>> => {
    const record = store.find(image);
    if (!record) throw new CriError('notFound', `image "${image}" not found`);
    return record;
  };
  return {
    async buildFromHost(options) {
      return imageInfo(await buildFromHost(store, content, options));
    },
    async importArchive(source, name) {
      return (await importArchive(store, content, source, name)).map(imageInfo);
    },
    async exportArchive(images, target) {
      await exportArchive(content, images.map(find), target);
    },
    async tagImage(image, name) {
      await store.tag(find(image), name);
    },
  };
}
