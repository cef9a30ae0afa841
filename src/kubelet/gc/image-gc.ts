/**
 * Removes images that no container uses: when the disk is full beyond a share, the longest unused first; and those
 * unused for longer than the maximum age. Upstream: pkg/kubelet/images/image_gc_manager.go.
 */
import { statfs } from 'node:fs/promises';
import type { Clock, Logger } from '#base';
import type { ContainerEngine, ImageInfo } from '#cri';

export interface ImageGcSettings {
  readonly highPercent: number;
  readonly lowPercent: number;
  readonly minimumAgeMs: number;
  /** 0: no maximum. */
  readonly maximumAgeMs: number;
}

interface Seen {
  readonly detectedMs: number;
  usedMs: number;
}

export interface DiskUse {
  readonly capacityBytes: number;
  readonly availableBytes: number;
}

export interface ImageGcDeps {
  readonly engine: ContainerEngine;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default: of the engine's image file system. */
  disk?(): Promise<DiskUse>;
}

export class ImageCollector {
  readonly #deps: ImageGcDeps;
  readonly #settings: ImageGcSettings;
  readonly #seen = new Map<string, Seen>();

  constructor(deps: ImageGcDeps, settings: ImageGcSettings) {
    this.#deps = deps;
    this.#settings = settings;
  }

  /** Frees what the settings ask for; answers bytes freed. `needed` frees at least so much, whatever the disk says. */
  async collect(needed = 0): Promise<number> {
    const { clock } = this.#deps;
    const unused = await this.#unused();
    let freed = 0;
    const { highPercent, lowPercent, maximumAgeMs } = this.#settings;
    if (maximumAgeMs > 0) {
      const old = unused.filter(({ seen }) => clock.now() - seen.usedMs > maximumAgeMs);
      for (const each of old) freed += await this.#remove(each.image);
    }
    const { capacityBytes, availableBytes } = await this.#disk();
    if (capacityBytes === 0) return freed;
    const usedPercent = 100 - Math.trunc((availableBytes * 100) / capacityBytes);
    const over = usedPercent >= highPercent ? (capacityBytes * (100 - lowPercent)) / 100 - availableBytes : 0;
    const target = Math.max(needed, over);
    for (const { image, seen } of unused) {
      if (freed >= target) break;
      if (clock.now() - seen.detectedMs >= this.#settings.minimumAgeMs) freed += await this.#remove(image);
    }
    if (freed < target) this.#deps.logger.warn('not enough could be freed by removing images', { target, freed });
    return freed;
  }

  /** Longest unused first. */
  async #unused(): Promise<Array<{ image: ImageInfo; seen: Seen }>> {
    const { engine, clock } = this.#deps;
    const [images, containers] = await Promise.all([engine.images.listImages(), engine.runtime.listContainers()]);
    const names = new Set(containers.flatMap(({ image, imageRef }) => [image, imageRef]));
    const now = clock.now();
    const result: Array<{ image: ImageInfo; seen: Seen }> = [];
    for (const image of images) {
      const seen = this.#seen.get(image.id) ?? { detectedMs: now, usedMs: now };
      this.#seen.set(image.id, seen);
      if ([image.id, ...image.repoTags, ...image.repoDigests].some(name => names.has(name))) seen.usedMs = now;
      else if (!image.pinned) result.push({ image, seen });
    }
    const present = new Set(images.map(({ id }) => id));
    for (const id of this.#seen.keys()) if (!present.has(id)) this.#seen.delete(id);
    return result.sort((a, b) => a.seen.usedMs - b.seen.usedMs || a.seen.detectedMs - b.seen.detectedMs);
  }

  async #remove(image: ImageInfo): Promise<number> {
    try {
      await this.#deps.engine.images.removeImage({ image: image.id });
      this.#seen.delete(image.id);
      return image.sizeBytes;
    } catch (error) {
      this.#deps.logger.warn('image was not removed', { image: image.id, error });
      return 0;
    }
  }

  async #disk(): Promise<DiskUse> {
    if (this.#deps.disk) return this.#deps.disk();
    const { mountpoint } = await this.#deps.engine.images.imageFsInfo();
    const { blocks, bavail, bsize } = await statfs(mountpoint);
    return { capacityBytes: blocks * bsize, availableBytes: bavail * bsize };
  }
}
