/** What events of the kubelet are about. Upstream: pkg/kubelet/events, pkg/api/v1/pod. */
import type { ObjectReference } from '#api/types';
import type { Pod } from './api-objects.ts';
import { containerFieldPath } from './pod-helpers.ts';

/** The pod, or one of its containers. */
export function podRef(pod: Pod, containerName?: string): ObjectReference {
  const { namespace = '', name = '', uid = '', resourceVersion } = pod.metadata;
  const fieldPath = containerName === undefined ? '' : containerFieldPath(pod, containerName);
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    namespace,
    name,
    uid,
    ...(resourceVersion && { resourceVersion }),
    ...(fieldPath && { fieldPath }),
  };
}
