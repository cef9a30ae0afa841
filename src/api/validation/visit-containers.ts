/** All containers of a pod. Upstream: pkg/apis/core/pods/helpers.go (VisitContainersWithPath). */
import type { FieldPath } from '#apimachinery';
import type { Container, PodSpec } from '../types.ts';

interface VisitedContainer {
  readonly container: Container;
  readonly path: FieldPath;
}

/** All containers with their paths, in upstream's order of visiting: init, regular, ephemeral. */
export function visitContainers(spec: PodSpec, path: FieldPath): VisitedContainer[] {
  return (['initContainers', 'containers', 'ephemeralContainers'] as const).flatMap(field =>
    (spec[field] ?? []).map((container, i) => ({
      container: container as Container,
      path: path.child(field).index(i),
    })),
  );
}
