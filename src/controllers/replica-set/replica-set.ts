/**
 * Keeps as many pods of a ReplicaSet as it asks for.
 * Upstream: pkg/controller/replicaset/{replica_set,replica_set_utils}.go.
 */
import type { Pod, ReplicaSet } from '#api/types';
import { controllerOf, isStatusError, objectKey } from '#apimachinery';
import { createController, type Informer, pods, type ResourceName, replicaSets, replicationControllers } from '#client';
import type { ControllerContext, ControllerDefinition } from '../context.ts';
import { createExpectations } from '../expectations.ts';
import { claim, createPodControl, isNamespaceTerminating, isPodActive, slowStart } from '../pod-control.ts';
import { deletionOrder } from './ranking.ts';
import { replicaSetStatus } from './status.ts';

/** Pods created or deleted in one pass at most. */
const burst = 500;
export const podOwnerIndex = 'controller-uid';

export const replicaSetController: ControllerDefinition = {
  name: 'replicaset-controller',
  serviceAccount: 'replicaset-controller',
  setUp: context => setUpReplicaSets(context, { resource: replicaSets, name: 'replicaset', view: set => set }),
};

/** ReplicationControllers are kept the same way; only their selector is written differently. */
export const replicationController: ControllerDefinition = {
  name: 'replicationcontroller-controller',
  serviceAccount: 'replication-controller',
  setUp: context =>
    setUpReplicaSets(context, {
      resource: replicationControllers as unknown as ResourceName<ReplicaSet>,
      name: 'replicationmanager',
      view: object =>
        ({ ...object, spec: { ...object.spec, selector: { matchLabels: object.spec.selector } } }) as ReplicaSet,
    }),
};

interface Flavour {
  readonly resource: ResourceName<ReplicaSet>;
  /** Of the queue. */
  readonly name: string;
  /** The object as a ReplicaSet. */
  readonly view: (object: ReplicaSet) => ReplicaSet;
}

/** Informer of pods with the index by controlling owner; shared by all workload controllers. */
export function podInformer(context: ControllerContext): Informer<Pod> {
  const informer = context.informers.informer(pods);
  informer.addIndex(podOwnerIndex, pod => {
    const owner = controllerOf(pod);
    return [owner ? owner.uid : `orphans/${pod.metadata.namespace}`];
  });
  return informer;
}

function setUpReplicaSets(context: ControllerContext, flavour: Flavour): ReturnType<ControllerDefinition['setUp']> {
  const sets = context.informers.informer(flavour.resource);
  const podsOf = podInformer(context);
  const control = createPodControl(context.client, context.events);
  const expectations = createExpectations(context.clock);

  const manage = async (set: ReplicaSet, active: readonly Pod[]): Promise<void> => {
    const key = objectKey(set);
    const missing = (set.spec.replicas ?? 1) - active.length;
    if (missing > 0) {
      const count = Math.min(missing, burst);
      expectations.expect(key, count);
      let created = 0;
      try {
        await slowStart(count, async () => {
          await control.create(set, set.metadata.namespace!, set.spec.template!);
          created++;
        });
      } catch (error) {
        for (let at = created; at < count; at++) expectations.created(key);
        if (!isNamespaceTerminating(error)) throw error;
      }
    } else if (missing < 0) {
      const doomed = deletionOrder(active, relatedPodCounts(set), context.clock.now()).slice(
        0,
        Math.min(-missing, burst),
      );
      expectations.expect(
        key,
        0,
        doomed.map(pod => pod.metadata.uid!),
      );
      const results = await Promise.allSettled(doomed.map(pod => control.remove(set, pod)));
      results.forEach((result, at) => {
        if (result.status === 'rejected') expectations.deleted(key, doomed[at]!.metadata.uid!);
      });
      const failure = results.find(result => result.status === 'rejected');
      if (failure) throw failure.reason;
    }
  };

  /** Active pods a node, of all sets that the same owner controls. */
  const relatedPodCounts = (set: ReplicaSet): Map<string, number> => {
    const owner = controllerOf(set);
    const counts = new Map<string, number>();
    for (const other of owner ? sets.list(set.metadata.namespace) : [set]) {
      if (owner && controllerOf(other)?.uid !== owner.uid) continue;
      for (const pod of podsOf.byIndex(podOwnerIndex, other.metadata.uid!)) {
        const node = pod.spec.nodeName ?? '';
        if (isPodActive(pod)) counts.set(node, (counts.get(node) ?? 0) + 1);
      }
    }
    return counts;
  };

  const controller = createController(context, {
    name: flavour.name,
    workers: 5,
    async reconcile(key) {
      const object = sets.get(key);
      if (!object) {
        expectations.forget(key);
        return;
      }
      const set = flavour.view(object);
      const candidates = [
        ...podsOf.byIndex(podOwnerIndex, set.metadata.uid!),
        ...podsOf.byIndex(podOwnerIndex, `orphans/${set.metadata.namespace}`),
      ].filter(pod => isPodActive(pod) || pod.metadata.deletionTimestamp);
      const claimed = await claim(context.client, pods, set, set.spec.selector, candidates);
      const active = claimed.filter(isPodActive);
      let failure: unknown;
      if (expectations.satisfied(key) && !set.metadata.deletionTimestamp) {
        await manage(set, active).catch(error => (failure = error));
      }
      const { status, recheckAfterMs } = replicaSetStatus(set, claimed, failure, context.clock.now());
      await writeStatus(object, status);
      if (failure) throw failure;
      return recheckAfterMs === undefined ? undefined : { requeueAfterMs: recheckAfterMs };
    },
  });

  const writeStatus = async (set: ReplicaSet, status: ReplicaSet['status'] | undefined): Promise<void> => {
    if (!status) return;
    try {
      await context.client.resource(flavour.resource).updateStatus({ ...set, status });
    } catch (error) {
      if (!isStatusError(error, 'NotFound')) throw error;
    }
  };
  const ownerKey = (pod: Pod): string | undefined => {
    const owner = controllerOf(pod);
    return owner?.kind === flavour.resource.kind ? `${pod.metadata.namespace}/${owner.name}` : undefined;
  };
  const podChanged = (pod: Pod): void => {
    const key = ownerKey(pod);
    if (key) controller.queue.add(key);
    else if (!controllerOf(pod)) {
      for (const set of sets.list(pod.metadata.namespace)) controller.queue.add(objectKey(set));
    }
  };
  sets.addHandler({
    added: set => controller.queue.add(objectKey(set)),
    updated: set => controller.queue.add(objectKey(set)),
    deleted: set => controller.queue.add(objectKey(set)),
  });
  podsOf.addHandler({
    added(pod) {
      const key = ownerKey(pod);
      if (key) expectations.created(key);
      podChanged(pod);
    },
    updated(pod, old) {
      const key = ownerKey(pod);
      if (key && pod.metadata.deletionTimestamp) expectations.deleted(key, pod.metadata.uid!);
      podChanged(pod);
      if (ownerKey(old) !== key) podChanged(old);
    },
    deleted(pod) {
      const key = ownerKey(pod);
      if (key) expectations.deleted(key, pod.metadata.uid!);
      podChanged(pod);
    },
  });
  return controller;
}
