/**
 * Small plugins that complete pods and nodes: default tolerations, priority, the taint of new nodes.
 * Upstream: plugin/pkg/admission/{defaulttolerationseconds,priority,nodetaint}.
 */
import type { Node, Pod, PriorityClass, Toleration } from '#api/types';
import type { Draft, KubeObject } from '#apimachinery';
import type { AdmissionPlugin } from './chain.ts';
import { admissionForbidden, isFor } from './errors.ts';
import type { Lookup } from './lookup.ts';

/** For how long pods stay on a node in trouble. */
export interface TolerationSeconds {
  readonly notReady: number;
  readonly unreachable: number;
}

function tolerates(tolerations: readonly Toleration[], key: string): boolean {
  return tolerations.some(each => (each.key === key || !each.key) && (each.effect === 'NoExecute' || !each.effect));
}

/** A pod's spec, which Go always has. */
function specOf(draft: Draft<KubeObject> | null): Draft<Pod>['spec'] {
  const pod = draft as unknown as Draft<Pod>;
  pod.spec ??= { containers: [] };
  return pod.spec;
}

/** Pods stay for a while (five minutes unless told) on a node that is not ready or cannot be reached. */
export const defaultTolerationSeconds = (seconds: TolerationSeconds): AdmissionPlugin => ({
  name: 'DefaultTolerationSeconds',
  handles: attributes =>
    isFor(attributes, '', 'pods') && (attributes.operation === 'CREATE' || attributes.operation === 'UPDATE'),
  admit(_attributes, draft) {
    const spec = specOf(draft);
    const taints: ReadonlyArray<readonly [key: string, seconds: number]> = [
      ['node.kubernetes.io/not-ready', seconds.notReady],
      ['node.kubernetes.io/unreachable', seconds.unreachable],
    ];
    for (const [key, tolerationSeconds] of taints) {
      if (tolerates((spec.tolerations ?? []) as Toleration[], key)) continue;
      (spec.tolerations ??= []).push({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds });
    }
  },
});

/** A node is not to be used before it says that it is ready. */
export const taintNodesByCondition: AdmissionPlugin = {
  name: 'TaintNodesByCondition',
  handles: attributes => isFor(attributes, '', 'nodes') && attributes.operation === 'CREATE',
  admit(_attributes, draft) {
    const node = draft as unknown as Draft<Node>;
    node.spec ??= {};
    const key = 'node.kubernetes.io/not-ready';
    if (node.spec.taints?.some(taint => taint.key === key && taint.effect === 'NoSchedule')) return;
    (node.spec.taints ??= []).push({ key, effect: 'NoSchedule' });
  },
};

/** Turns a pod's class into its number. */
export function priority(lookup: Lookup): AdmissionPlugin {
  const classes = async (): Promise<PriorityClass[]> =>
    (await lookup.list('scheduling.k8s.io', 'priorityclasses')) as unknown as PriorityClass[];
  return {
    name: 'Priority',
    handles: attributes =>
      (isFor(attributes, '', 'pods') || isFor(attributes, 'scheduling.k8s.io', 'priorityclasses')) &&
      (attributes.operation === 'CREATE' || attributes.operation === 'UPDATE'),
    async admit(attributes, draft) {
      if (attributes.resource.resource !== 'pods') return;
      const spec = specOf(draft);
      const old = attributes.old as unknown as Pod | null;
      if (old) {
        if (spec.priority === undefined && old.spec.priority !== undefined) spec.priority = old.spec.priority;
        if (spec.preemptionPolicy === undefined && old.spec.preemptionPolicy)
          spec.preemptionPolicy = old.spec.preemptionPolicy;
        return;
      }
      const all = await classes();
      let value = 0;
      let policy = 'PreemptLowerPriority';
      if (!spec.priorityClassName) {
        const standard = all.filter(each => each.globalDefault).sort((a, b) => a.value - b.value)[0];
        if (standard) {
          spec.priorityClassName = standard.metadata.name!;
          value = standard.value;
          policy = standard.preemptionPolicy ?? policy;
        }
      } else {
        const found = all.find(each => each.metadata.name === spec.priorityClassName);
        if (!found) {
          throw admissionForbidden(attributes, draft, `no PriorityClass with name ${spec.priorityClassName} was found`);
        }
        value = found.value;
        policy = found.preemptionPolicy ?? policy;
      }
      if (spec.priority !== undefined && spec.priority !== value) {
        throw admissionForbidden(
          attributes,
          draft,
          `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
        );
      }
      if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy) {
        throw admissionForbidden(
          attributes,
          draft,
          `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${policy} from the given PriorityClass name`,
        );
      }
      spec.priority = value;
      spec.preemptionPolicy = policy as never;
    },
    async validate(attributes, object) {
      if (attributes.resource.resource !== 'priorityclasses') return;
      const made = object as unknown as PriorityClass;
      if (!made.globalDefault) return;
      const standing = (await classes()).find(each => each.globalDefault);
      if (standing && standing.metadata.name !== made.metadata.name) {
        throw admissionForbidden(
          attributes,
          object,
          `PriorityClass ${standing.metadata.name} is already marked as default. Only one default can exist`,
        );
      }
    },
  };
}
