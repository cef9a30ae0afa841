/** Pulls images from registries. */
import { type AuthConfig, CriError } from '#cri';
import type { ContentStore } from './content-store.ts';
import type { ImageRecord, ImageStore } from './image-store.ts';

export interface Puller {
  pull(image: string, auth: AuthConfig | undefined, signal: AbortSignal | undefined): Promise<ImageRecord>;
}

export function createPuller(_deps: {
  readonly content: ContentStore;
  readonly store: ImageStore;
  readonly plainHttpRegistries: readonly string[];
}): Puller {
  return {
    async pull(image) {
      throw new CriError('imagePull', `failed to pull and unpack image "${image}": no registry client`);
    },
  };
}
