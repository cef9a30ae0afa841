/** How refusals name containers and values. Upstream: pod-security-admission policy/helpers.go, visitor.go. */
import type { Container, PodSpec } from '#api/types';

/** Init containers first, ephemeral ones last, as upstream tells of them. */
export function allContainers(spec: PodSpec): readonly Container[] {
  const { initContainers = [], containers = [], ephemeralContainers = [] } = spec;
  return [...initContainers, ...(containers ?? []), ...(ephemeralContainers as unknown as Container[])];
}

export function quoted(items: Iterable<string>): string {
  const all = [...items];
  return all.length === 0 ? '' : `"${all.join('", "')}"`;
}

export function sortedQuoted(items: Iterable<string>): string {
  return quoted([...new Set(items)].sort());
}

export function plural(one: string, many: string, count: number): string {
  return count === 1 ? one : many;
}

/** `container "a"`, `containers "a", "b"`. */
export function containersText(names: readonly string[]): string {
  return `${plural('container', 'containers', names.length)} ${quoted(names)}`;
}

/** `pod and container "a"`. */
export function settersText(pod: boolean, names: readonly string[]): string {
  return [...(pod ? ['pod'] : []), ...(names.length > 0 ? [containersText(names)] : [])].join(' and ');
}
