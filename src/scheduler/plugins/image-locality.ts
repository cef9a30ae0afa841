/** Prefers nodes that have a pod's images already. Upstream: plugins/imagelocality/image_locality.go. */
import { maxNodeScore, type Plugin } from '../framework.ts';

const minBytes = 23 * 1024 * 1024;
const maxBytesPerContainer = 1000 * 1024 * 1024;

/** `name:tag`, with `:latest` where there is neither tag nor digest. */
function normalized(name: string): string {
  return name.lastIndexOf(':') <= name.lastIndexOf('/') ? `${name}:latest` : name;
}

interface State {
  /** How many nodes have each image. */
  readonly spread: ReadonlyMap<string, number>;
  readonly nodes: number;
}

export const imageLocality: Plugin = {
  name: 'ImageLocality',
  preScore(state, { pod }, nodes) {
    const wanted = new Set(pod.spec.containers.map(container => normalized(container.image ?? '')));
    const spread = new Map<string, number>();
    for (const { node } of nodes) {
      for (const image of node?.status?.images ?? []) {
        for (const name of image.names ?? []) if (wanted.has(name)) spread.set(name, (spread.get(name) ?? 0) + 1);
      }
    }
    state.set('ImageLocality', { spread, nodes: nodes.length } satisfies State);
    return spread.size === 0;
  },
  score(state, { pod }, { node }) {
    const { spread, nodes } = state.get('ImageLocality') as State;
    const sizes = new Map(
      node?.status?.images?.flatMap(image => (image.names ?? []).map(name => [name, image.sizeBytes ?? 0])),
    );
    const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
    const sum = containers.reduce((total, container) => {
      const name = normalized(container.image ?? '');
      return total + Number(sizes.get(name) ?? 0) * ((spread.get(name) ?? 0) / nodes);
    }, 0);
    const max = maxBytesPerContainer * containers.length;
    return Math.floor((maxNodeScore * (Math.min(Math.max(sum, minBytes), max) - minBytes)) / (max - minBytes));
  },
};
