/** A pod in place cannot be resized beyond its node. Upstream: plugin/pkg/admission/podresize/admission.go. */
import { podRequests } from '#api/core/helpers';
import { amountsOf } from '#api/quota/helpers';
import type { Node, Pod } from '#api/types';
import { Quantity, StatusError } from '#apimachinery';
import type { AdmissionPlugin } from './chain.ts';
import { admissionForbidden, isFor } from './errors.ts';
import type { Lookup } from './lookup.ts';

export function podResizeValidator(lookup: Lookup): AdmissionPlugin {
  return {
    name: 'PodResizeValidator',
    handles: attributes => attributes.operation === 'UPDATE' && isFor(attributes, '', 'pods', 'resize'),
    async validate(attributes, object) {
      const pod = object as unknown as Pod;
      const { nodeName } = pod.spec;
      if (!nodeName || attributes.old?.metadata.generation === pod.metadata.generation) return;
      const refuse = (why: string, reason?: string): never => {
        const { status } = admissionForbidden(attributes, object, why);
        if (reason === undefined) throw new StatusError(status);
        const causes = [...(status.details?.causes ?? []), { reason }];
        throw new StatusError({ ...status, details: { ...status.details, causes } } as never);
      };
      const node = (await lookup.get('', 'nodes', '', nodeName)) as unknown as Node | undefined;
      if (!node) return refuse(`node ${JSON.stringify(nodeName)} not found`);
      const os = node.metadata.labels?.['kubernetes.io/os'] ?? 'linux';
      if (os !== 'linux') {
        const why = `pod resize is only supported on linux nodes, node ${JSON.stringify(nodeName)} is ${JSON.stringify(os)}`;
        refuse(why, 'UnsupportedPlatform');
      }
      const problems = beyond(pod, node);
      if (problems.length === 0) return;
      return refuse(`node didn't have enough allocatable resources: ${problems.join('; ')}`, 'NodeCapacity');
    },
  };
}

function beyond(pod: Pod, node: Node): string[] {
  const allocatable = amountsOf(node.status?.allocatable);
  const requests = podRequests(pod);
  const over = (name: string, scale: number): string[] => {
    const [asked, there] = [requests.get(name) ?? Quantity.zero, allocatable.get(name) ?? Quantity.zero];
    if (asked.compare(there) <= 0) return [];
    return [`${name}, requested: ${asked.scaledValue(scale)}, allocatable: ${there.scaledValue(scale)}`];
  };
  return [...over('cpu', -3), ...over('memory', 0)];
}
