/**
 * A pod in place is changed in such ways alone as its node declares that it can.
 * Upstream: plugin/pkg/admission/nodedeclaredfeatures/admission.go, component-helpers nodedeclaredfeatures/features
 * (those that an update can ask for).
 */
import type { Node, Pod } from '#api/types';
import { equalValues } from '#apimachinery';
import type { AdmissionPlugin } from './chain.ts';
import { admissionForbidden, isFor } from './errors.ts';
import type { Lookup } from './lookup.ts';

/** By name, in order of the names: whether an update asks for the feature. */
const features: Readonly<Record<string, (pod: Pod, old: Pod) => boolean>> = {
  InPlacePodLevelResourcesVerticalScaling: (pod, old) => !equalValues(pod.spec.resources, old.spec.resources),
  InPlacePodVerticalScalingInitContainers: (pod, old) =>
    (old.spec.initContainers ?? []).some(({ restartPolicy, resources }, i) => {
      const next = pod.spec.initContainers?.[i]?.resources;
      return restartPolicy !== 'Always' && !equalValues(next ?? {}, resources ?? {});
    }),
};

export function nodeDeclaredFeatureValidator(lookup: Lookup): AdmissionPlugin {
  return {
    name: 'NodeDeclaredFeatureValidator',
    handles: attributes =>
      attributes.operation === 'UPDATE' && (isFor(attributes, '', 'pods') || isFor(attributes, '', 'pods', 'resize')),
    async validate(attributes, object) {
      const [pod, old] = [object as unknown as Pod, attributes.old as unknown as Pod];
      const { nodeName } = pod.spec;
      if (!nodeName || old.metadata.generation === pod.metadata.generation) return;
      const asked = Object.keys(features).filter(name => features[name]!(pod, old));
      if (asked.length === 0) return;
      const node = (await lookup.get('', 'nodes', '', nodeName)) as unknown as Node | undefined;
      const shown = JSON.stringify(nodeName);
      if (!node) throw admissionForbidden(attributes, object, `node ${shown} not found`);
      const missing = asked.filter(name => !node.status?.declaredFeatures?.includes(name));
      if (missing.length === 0) return;
      const why = `pod update requires features ${missing.join(', ')} which are not available on node ${shown}`;
      throw admissionForbidden(attributes, object, why);
    },
  };
}
