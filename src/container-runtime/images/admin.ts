/** What administrators do with images beyond CRI: build one of the host's programs, import, export, name. */
import type { ImageInfo } from '#cri';
import { buildFromHost, type HostImageOptions } from './build-from-host.ts';
import type { ContentStore } from './content-store.ts';
import { type ImageStore, imageInfo } from './image-store.ts';

/** See the file header. Names are normalised (`web` is `docker.io/library/web:latest`). */
export interface ImageAdmin {
  /** An image of this machine's own programs, made without a network. */
  buildFromHost(options: HostImageOptions): Promise<ImageInfo>;
}

export function createImageAdmin(store: ImageStore, content: ContentStore): ImageAdmin {
  return {
    async buildFromHost(options) {
      return imageInfo(await buildFromHost(store, content, options));
    },
  };
}
