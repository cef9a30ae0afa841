/** The default profile: plugins in upstream's order, with upstream's weights. Upstream: apis/config/v1/default_plugins.go. */
import { Framework, type ProfileEntry } from './framework.ts';
import { imageLocality } from './plugins/image-locality.ts';
import { interPodAffinity } from './plugins/inter-pod-affinity.ts';
import { nodeAffinity, nodeName } from './plugins/node-affinity.ts';
import { nodePorts, nodeResourcesBalancedAllocation, nodeResourcesFit } from './plugins/node-resources.ts';
import { podTopologySpread } from './plugins/pod-topology-spread.ts';
import { nodeUnschedulable, taintToleration } from './plugins/taints.ts';

const defaultPlugins: readonly ProfileEntry[] = [
  { plugin: nodeUnschedulable, weight: 0 },
  { plugin: nodeName, weight: 0 },
  { plugin: taintToleration, weight: 3 },
  { plugin: nodeAffinity, weight: 2 },
  { plugin: nodePorts, weight: 0 },
  { plugin: nodeResourcesFit, weight: 1 },
  { plugin: podTopologySpread, weight: 2 },
  { plugin: interPodAffinity, weight: 2 },
  { plugin: nodeResourcesBalancedAllocation, weight: 1 },
  { plugin: imageLocality, weight: 1 },
];

/** A framework with the default profile. */
export function defaultFramework(): Framework {
  return new Framework(defaultPlugins);
}
