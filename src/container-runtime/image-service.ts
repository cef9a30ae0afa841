/** CRI's ImageService over the image store and registries. */
import { join } from 'node:path';
import { CriError, type ImageService } from '#cri';
import type { Host } from './host.ts';
import { type ImageStore, imageInfo } from './images/image-store.ts';
import type { Puller } from './images/pull.ts';
import { directoryUsage } from './runtime-service.ts';
import type { ContainerRecord } from './tasks/container-record.ts';

export interface ImageServiceDeps {
  readonly host: Host;
  readonly store: ImageStore;
  readonly puller: Puller;
  /** Containers there are, whose images must stay. */
  readonly containers: () => ReadonlyArray<{ readonly record: ContainerRecord }>;
}

/** See the file header. */
export function createImageService({ host, store, puller, containers }: ImageServiceDeps): ImageService {
  return {
    async listImages() {
      return store.list().map(imageInfo);
    },
    async imageStatus({ image }) {
      const record = store.find(image);
      return record && imageInfo(record);
    },
    async pullImage({ image }, auth, signal) {
      const record = await puller.pull(image, auth, signal);
      return record.repoDigests[0] ?? record.id;
    },
    async removeImage({ image }) {
      const record = store.find(image);
      if (!record) return;
      const names = new Set([record.id, ...record.repoTags, ...record.repoDigests]);
      if (containers().some(each => names.has(each.record.imageRef))) {
        throw new CriError('invalid', `image "${image}" is used by a container`);
      }
      await store.remove(image);
    },
    async imageFsInfo() {
      const [content, layers] = await Promise.all([
        directoryUsage(join(host.nodeDir, 'content')),
        directoryUsage(join(host.nodeDir, 'l')),
      ]);
      return {
        mountpoint: host.nodeDir,
        usedBytes: content.bytes + layers.bytes,
        inodesUsed: content.inodes + layers.inodes,
      };
    },
  };
}
