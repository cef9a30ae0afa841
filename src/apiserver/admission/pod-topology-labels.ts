/** Pods get the zone and the region of their node as labels. Upstream: plugin/pkg/admission/podtopologylabels/admission.go. */
import type { Binding, Pod } from '#api/types';
import type { Draft } from '#apimachinery';
import type { AdmissionPlugin } from './chain.ts';
import { isFor } from './errors.ts';
import type { Lookup } from './lookup.ts';

const copied = ['topology.kubernetes.io/region', 'topology.kubernetes.io/zone'];

export function podTopologyLabels(lookup: Lookup): AdmissionPlugin {
  return {
    name: 'PodTopologyLabels',
    handles: attributes =>
      attributes.operation === 'CREATE' && (isFor(attributes, '', 'pods') || isFor(attributes, '', 'pods', 'binding')),
    async admit(attributes, draft) {
      const { target } = draft as unknown as Binding;
      const isBinding = attributes.subresource === 'binding';
      if (isBinding && target?.kind !== 'Node') return;
      const name = isBinding ? target.name : (draft as unknown as Draft<Pod>).spec?.nodeName;
      if (!name) return;
      const labels = (await lookup.get('', 'nodes', '', name))?.metadata.labels;
      const found = copied.filter(key => labels?.[key] !== undefined).map(key => [key, labels![key]!]);
      if (found.length === 0) return;
      draft!.metadata.labels = { ...draft!.metadata.labels, ...Object.fromEntries(found) };
    },
  };
}
