/**
 * Values of the downward API: fields of the pod, resources of its containers. Pure.
 * Upstream: pkg/fieldpath/fieldpath.go, pkg/api/v1/resource/helpers.go (ExtractContainerResourceValue),
 * pkg/kubelet/kubelet_resources.go.
 */
import { parseQuantity } from '#apimachinery';
import type { Container, ObjectFieldSelector, Pod, ResourceFieldSelector, ResourceList } from '../api-objects.ts';
import { findContainer } from '../pod-helpers.ts';

export interface DownwardContext {
  readonly podIps: readonly string[];
  readonly hostIps: readonly string[];
  /** Stands in for limits of cpu, memory and ephemeral-storage that are not set. */
  readonly nodeAllocatable: ResourceList;
}

const subscript = /^(metadata\.(?:labels|annotations))\['(.*)'\]$/;

/** Value of a field; throws an Error with upstream's text for one that is not supported. */
export function fieldValue(selector: ObjectFieldSelector, pod: Pod, context: DownwardContext): string {
  const path = selector.fieldPath;
  switch (path) {
    case 'spec.nodeName':
      return pod.spec.nodeName ?? '';
    case 'spec.serviceAccountName':
      return pod.spec.serviceAccountName ?? '';
    case 'status.hostIP':
      return context.hostIps[0] ?? '';
    case 'status.hostIPs':
      return context.hostIps.slice(0, 2).join(',');
    case 'status.podIP':
      return context.podIps[0] ?? '';
    case 'status.podIPs':
      return context.podIps.join(',');
    default:
      return metadataValue(path, pod);
  }
}

/** Fields of the metadata; labels and annotations as a whole give one quoted pair a line, sorted. */
function metadataValue(path: string, pod: Pod): string {
  const match = subscript.exec(path);
  if (match) {
    const map = match[1] === 'metadata.labels' ? pod.metadata.labels : pod.metadata.annotations;
    return map?.[match[2]!] ?? '';
  }
  switch (path) {
    case 'metadata.annotations':
      return formatMap(pod.metadata.annotations);
    case 'metadata.labels':
      return formatMap(pod.metadata.labels);
    case 'metadata.name':
      return pod.metadata.name ?? '';
    case 'metadata.namespace':
      return pod.metadata.namespace ?? '';
    case 'metadata.uid':
      return pod.metadata.uid ?? '';
    default:
      throw new Error(`unsupported fieldPath: ${path}`);
  }
}

function formatMap(map: Readonly<Record<string, string>> | undefined): string {
  return Object.keys(map ?? {})
    .sort()
    .map(key => `${key}=${JSON.stringify(map![key])}`)
    .join('\n');
}

/** Value of a container's resource, divided and rounded up. `container` is used when the selector names none. */
export function resourceValue(
  selector: ResourceFieldSelector,
  pod: Pod,
  container: Container | undefined,
  context: DownwardContext,
): string {
  const named = selector.containerName ? findContainer(pod.spec, selector.containerName) : container;
  if (!named) throw new Error(`container ${selector.containerName} not found`);
  const [kind, name] = splitResource(selector.resource);
  if (!kind || !name) throw new Error(`unsupported container resource : ${selector.resource}`);
  const fallback = kind === 'limits' ? context.nodeAllocatable[name] : undefined;
  const text = named.resources?.[kind]?.[name] ?? fallback ?? '0';
  const divisor = parseQuantity(selector.divisor && selector.divisor !== '0' ? selector.divisor : '1');
  if (name === 'cpu') return String(Math.ceil(parseQuantity(text).milliValue() / divisor.milliValue()));
  return String(Math.ceil(parseQuantity(text).value() / divisor.value()));
}

function splitResource(resource: string): readonly ['limits' | 'requests' | undefined, string | undefined] {
  const at = resource.indexOf('.');
  const kind = resource.slice(0, at);
  if (kind !== 'limits' && kind !== 'requests') return [undefined, undefined];
  const name = resource.slice(at + 1);
  const known = name === 'cpu' || name === 'memory' || name === 'ephemeral-storage' || name.startsWith('hugepages-');
  return [kind, known ? name : undefined];
}
