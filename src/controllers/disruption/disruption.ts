/**
 * Keeps the status of PodDisruptionBudgets, which evictions are decided by.
 * Upstream: pkg/controller/disruption/disruption.go. Known gap: controllers of custom kinds are not asked for a scale.
 */
import type { Pod, PodDisruptionBudget } from '#api/types';
import { controllerOf, isStatusError, labelSelectorAsSelector, objectKey, writeSorted } from '#apimachinery';
import {
  createController,
  deployments,
  podDisruptionBudgets,
  pods,
  replicaSets,
  replicationControllers,
  statefulSets,
} from '#client';
import type { ControllerDefinition } from '../context.ts';
import { budgetStatus, disruptedNow, expectations } from './budget.ts';

/** A selector as Go prints it, for upstream's message. */
function selectorText(selector: PodDisruptionBudget['spec']['selector']): string {
  const labels = Object.entries(selector?.matchLabels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const expressions = (selector?.matchExpressions ?? []).map(
    ({ key, operator, values }) =>
      `LabelSelectorRequirement{Key:${key},Operator:${operator},Values:[${(values ?? []).join(' ')}],}`,
  );
  const map = labels.map(([key, value]) => `${key}: ${value},`).join('');
  return `&LabelSelector{MatchLabels:map[string]string{${map}},MatchExpressions:[]LabelSelectorRequirement{${expressions.map(each => `${each},`).join('')}},}`;
}

export const disruptionController: ControllerDefinition = {
  name: 'disruption-controller',
  serviceAccount: 'disruption-controller',
  eventSource: 'controllermanager',
  setUp(context) {
    const { client, clock, events } = context;
    const budgets = context.informers.informer(podDisruptionBudgets);
    const podInformer = context.informers.informer(pods);
    const replicaSetInformer = context.informers.informer(replicaSets);
    const deploymentInformer = context.informers.informer(deployments);
    const scalable = {
      StatefulSet: context.informers.informer(statefulSets),
      ReplicationController: context.informers.informer(replicationControllers),
    };

    /** Uid and replicas of what controls a pod in the end; undefined when nothing does. */
    const scaleOf = (pod: Pod): { uid: string; replicas: number } | undefined => {
      const owner = controllerOf(pod);
      if (!owner) return undefined;
      const key = `${pod.metadata.namespace}/${owner.name}`;
      if (owner.kind === 'ReplicaSet') {
        const set = replicaSetInformer.get(key);
        const above = set && controllerOf(set);
        const deployment =
          above?.kind === 'Deployment' ? deploymentInformer.get(`${pod.metadata.namespace}/${above.name}`) : undefined;
        if (deployment) return { uid: deployment.metadata.uid!, replicas: deployment.spec.replicas ?? 1 };
        return set && { uid: set.metadata.uid!, replicas: set.spec.replicas ?? 1 };
      }
      if (owner.kind !== 'StatefulSet' && owner.kind !== 'ReplicationController') return undefined;
      const found = scalable[owner.kind].get(key);
      return found && { uid: found.metadata.uid!, replicas: found.spec.replicas ?? 1 };
    };
    const podsOf = (budget: PodDisruptionBudget): Pod[] => {
      const selector = labelSelectorAsSelector(budget.spec.selector);
      return [...podInformer.list(budget.metadata.namespace)].filter(
        pod =>
          selector.matches(pod.metadata.labels) && pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed',
      );
    };
    const write = async (budget: PodDisruptionBudget, status: object): Promise<void> => {
      if (writeSorted(status) === writeSorted(budget.status ?? {})) return;
      try {
        await client.resource(podDisruptionBudgets).updateStatus({ ...budget, status } as PodDisruptionBudget);
      } catch (error) {
        if (!isStatusError(error, 'NotFound')) throw error;
      }
    };

    const controller = createController(context, {
      name: 'disruption',
      async reconcile(key) {
        const budget = budgets.get(key);
        if (!budget) return;
        const matching = podsOf(budget);
        if (matching.length === 0) events.event(budget, 'Normal', 'NoPods', 'No matching pods found');
        const scales = new Map<string, number>();
        const unmanaged: string[] = [];
        for (const pod of matching) {
          const scale = scaleOf(pod);
          if (scale) scales.set(scale.uid, scale.replicas);
          else unmanaged.push(pod.metadata.name!);
        }
        const counted = budget.spec.maxUnavailable !== undefined || typeof budget.spec.minAvailable === 'string';
        if (counted && unmanaged.length > 0) {
          const message = `Pods selected by this PodDisruptionBudget (selector: ${selectorText(budget.spec.selector)}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.`;
          events.event(budget, 'Warning', 'UnmanagedPods', message);
        }
        const scale = [...scales.values()].reduce((sum, each) => sum + each, 0);
        await write(budget, budgetStatus(budget, matching, expectations(budget, matching.length, scale), clock.now()));
        const { recheckMs } = disruptedNow(budget, matching, clock.now());
        return recheckMs === undefined ? undefined : { requeueAfterMs: recheckMs };
      },
    });
    const enqueue = (budget: PodDisruptionBudget): void => controller.queue.add(objectKey(budget));
    const podChanged = (pod: Pod): void => {
      for (const budget of budgets.list(pod.metadata.namespace)) {
        if (labelSelectorAsSelector(budget.spec.selector).matches(pod.metadata.labels)) enqueue(budget);
      }
    };
    budgets.addHandler({ added: enqueue, updated: enqueue });
    podInformer.addHandler({ added: podChanged, updated: podChanged, deleted: podChanged });
    return controller;
  },
};
