/** CRI's ImageService over the image store and registries. */
import { join } from 'node:path';
import { CriError, type ImageService } from '#cri';
import type { DiskUsage } from './disk-usage.ts';
import type { Host } from './host.ts';
import { type ImageStore, imageInfo } from './images/image-store.ts';
import type { Puller } from './images/pull.ts';
import type { ContainerRecord } from './tasks/container-record.ts';

export interface ImageServiceDeps {
  readonly host: Host;
  readonly store: ImageStore;
  readonly puller: Puller;
  readonly diskUsage: DiskUsage;
  /** Containers there are, whose images must stay. */
  readonly containers: () => ReadonlyArray<{ readonly record: ContainerRecord }>;
}

/** See the file header. */
export function createImageService({ host, store, puller, diskUsage, containers }: ImageServiceDeps): ImageService {
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
      const layers = new Set(
        store
          .list()
          .flatMap(each => store.layerDirs(each))
          .map(dir => join(host.nodeDir, dir)),
      );
      diskUsage.prune(dir => !dir.startsWith(join(host.nodeDir, 'l/')) || layers.has(dir));
    },
    async imageFsInfo() {
      const layers = [...new Set(store.list().flatMap(record => store.layerDirs(record)))];
      const unpacked = await Promise.all(layers.map(dir => diskUsage.of(join(host.nodeDir, dir), { immutable: true })));
      const content = await diskUsage.of(join(host.nodeDir, 'content'));
      const all = [content, ...unpacked];
      return {
        mountpoint: host.nodeDir,
        usedBytes: all.reduce((sum, each) => sum + each.bytes, 0),
        inodesUsed: all.reduce((sum, each) => sum + each.inodes, 0),
      };
    },
  };
}
