/**
 * Runs one pod of a DaemonSet on every node that takes it.
 * Upstream: pkg/controller/daemon/daemon_controller.go. Known gap: maxSurge is treated as zero.
 */
import type { DaemonSet, Pod } from '#api/types';
import { controllerOf, isStatusError, objectKey, writeSorted } from '#apimachinery';
import { controllerRevisions, createController, daemonSets, nodes, pods } from '#client';
import type { ControllerContext, ControllerDefinition } from '../context.ts';
import { createExpectations } from '../expectations.ts';
import {
  byAge,
  currentRevision,
  indexRevisions,
  revisionLabel,
  revisionOwnerIndex,
  truncate,
} from '../history/revisions.ts';
import {
  claim,
  createPodControl,
  isNamespaceTerminating,
  isPodAvailable,
  isPodReady,
  slowStart,
} from '../pod-control.ts';
import { podInformer, podOwnerIndex } from '../replica-set/replica-set.ts';
import { nodeOf, placement, planNodes, planUpdate, templateFor } from './placement.ts';

/** Pods created or deleted in one pass at most. */
const burst = 250;
const generationAnnotation = 'deprecated.daemonset.template.generation';

export const daemonSetController: ControllerDefinition = {
  name: 'daemonset-controller',
  serviceAccount: 'daemon-set-controller',
  setUp: context => setUpDaemonSets(context),
};

function setUpDaemonSets(context: ControllerContext): ReturnType<ControllerDefinition['setUp']> {
  const { client, clock, events } = context;
  const sets = context.informers.informer(daemonSets);
  const nodeInformer = context.informers.informer(nodes);
  const revisions = context.informers.informer(controllerRevisions);
  indexRevisions(revisions);
  const podsOf = podInformer(context);
  const control = createPodControl(client, events);
  const expectations = createExpectations(clock);

  const podsByNode = async (set: DaemonSet): Promise<Map<string, Pod[]>> => {
    const candidates = [
      ...podsOf.byIndex(podOwnerIndex, set.metadata.uid!),
      ...podsOf.byIndex(podOwnerIndex, `orphans/${set.metadata.namespace}`),
    ];
    return Map.groupBy(await claim(client, pods, set, set.spec.selector, candidates), nodeOf);
  };

  const manage = async (set: DaemonSet, byNode: Map<string, Pod[]>, hash: string): Promise<void> => {
    const key = objectKey(set);
    const plan = planNodes(set, nodeInformer.list(), byNode);
    let remove = plan.remove;
    const create = plan.create.slice(0, burst);
    if (create.length + remove.length === 0 && set.spec.updateStrategy?.type !== 'OnDelete') {
      remove = planUpdate(set, byNode, desiredNodes(set), hash, clock.now());
    }
    remove = remove.slice(0, burst);
    if (create.length + remove.length === 0) return;
    for (const pod of plan.failed) {
      const message = `Found failed daemon pod ${objectKey(pod)} on node ${nodeOf(pod)}, will try to kill it`;
      events.event(set, 'Warning', 'FailedDaemonPod', message);
    }
    const generation = set.metadata.annotations?.[generationAnnotation] ?? String(set.metadata.generation ?? 1);
    expectations.expect(
      key,
      create.length,
      remove.map(pod => pod.metadata.uid!),
    );
    let created = 0;
    const work = await Promise.allSettled([
      slowStart(create.length, async at => {
        const template = templateFor(set.spec.template, create[at]!, hash, generation);
        await control.create(set, set.metadata.namespace!, template);
        created++;
      }).finally(() => {
        for (let at = created; at < create.length; at++) expectations.created(key);
      }),
      ...remove.map(pod =>
        control.remove(set, pod).catch(error => {
          expectations.deleted(key, pod.metadata.uid!);
          throw error;
        }),
      ),
    ]);
    const failure = work.find(each => each.status === 'rejected');
    if (failure && !isNamespaceTerminating(failure.reason)) throw failure.reason;
  };
  const desiredNodes = (set: DaemonSet): number =>
    [...nodeInformer.list()].filter(node => placement(set, node).run).length;

  const controller = createController(context, {
    name: 'daemonset',
    workers: 2,
    async reconcile(key) {
      const set = sets.get(key);
      if (!set) {
        expectations.forget(key);
        return;
      }
      if (set.metadata.deletionTimestamp) return;
      const known = byAge(revisions.byIndex(revisionOwnerIndex, set.metadata.uid!));
      const current = await currentRevision(client, set as never, known, {
        collisions: set.status?.collisionCount ?? 0,
        label: revisionLabel,
      });
      const hash = current.metadata.labels![revisionLabel]!;
      const byNode = await podsByNode(set);
      if (expectations.satisfied(key)) await manage(set, byNode, hash);
      const status = statusOf(set, byNode, hash);
      if (writeSorted(status) !== writeSorted(set.status ?? {})) {
        try {
          await client.resource(daemonSets).updateStatus({ ...set, status });
        } catch (error) {
          if (!isStatusError(error, 'NotFound')) throw error;
        }
      }
      const used = new Set([...byNode.values()].flat().map(pod => pod.metadata.labels?.[revisionLabel]));
      const live = known
        .filter(each => used.has(each.metadata.labels?.[revisionLabel]))
        .map(each => each.metadata.name!);
      await truncate(client, known, new Set([...live, current.metadata.name!]), set.spec.revisionHistoryLimit ?? 10);
      const waiting = (set.spec.minReadySeconds ?? 0) > 0 && status.numberReady !== (status.numberAvailable ?? 0);
      return waiting ? { requeueAfterMs: set.spec.minReadySeconds! * 1000 } : undefined;
    },
  });

  const statusOf = (
    set: DaemonSet,
    byNode: ReadonlyMap<string, readonly Pod[]>,
    hash: string,
  ): DaemonSet['status'] & object => {
    let desired = 0;
    let current = 0;
    let misscheduled = 0;
    let ready = 0;
    let available = 0;
    let updated = 0;
    for (const node of nodeInformer.list()) {
      const here = byNode.get(node.metadata.name!) ?? [];
      if (!placement(set, node).run) {
        if (here.length > 0) misscheduled++;
        continue;
      }
      desired++;
      if (here.length === 0) continue;
      current++;
      const oldest = here.toSorted((a, b) =>
        (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? ''),
      )[0]!;
      if (isPodReady(oldest)) ready++;
      if (isPodReady(oldest) && isPodAvailable(oldest, set.spec.minReadySeconds ?? 0, clock.now())) available++;
      if (oldest.metadata.labels?.[revisionLabel] === hash) updated++;
    }
    return {
      ...(set.status?.conditions && { conditions: set.status.conditions }),
      ...(set.status?.collisionCount && { collisionCount: set.status.collisionCount }),
      currentNumberScheduled: current,
      numberMisscheduled: misscheduled,
      desiredNumberScheduled: desired,
      numberReady: ready,
      observedGeneration: set.metadata.generation ?? 0,
      ...(updated > 0 && { updatedNumberScheduled: updated }),
      ...(available > 0 && { numberAvailable: available }),
      ...(desired > available && { numberUnavailable: desired - available }),
    };
  };

  const enqueue = (set: DaemonSet): void => controller.queue.add(objectKey(set));
  const everySet = (): void => {
    for (const set of sets.list()) enqueue(set);
  };
  const ownerKey = (pod: Pod): string | undefined => {
    const owner = controllerOf(pod);
    return owner?.kind === 'DaemonSet' ? `${pod.metadata.namespace}/${owner.name}` : undefined;
  };
  const podChanged = (pod: Pod): void => {
    const key = ownerKey(pod);
    if (key) controller.queue.add(key);
    else if (!controllerOf(pod)) for (const set of sets.list(pod.metadata.namespace)) enqueue(set);
  };
  sets.addHandler({ added: enqueue, updated: enqueue, deleted: enqueue });
  nodeInformer.addHandler({
    added: everySet,
    deleted: everySet,
    updated(node, old) {
      for (const set of sets.list()) {
        const [is, was] = [placement(set, node), placement(set, old)];
        if (is.run !== was.run || is.stay !== was.stay) enqueue(set);
      }
    },
  });
  podsOf.addHandler({
    added(pod) {
      const key = ownerKey(pod);
      if (key) expectations.created(key);
      podChanged(pod);
    },
    updated(pod) {
      const key = ownerKey(pod);
      if (key && pod.metadata.deletionTimestamp) expectations.deleted(key, pod.metadata.uid!);
      podChanged(pod);
    },
    deleted(pod) {
      const key = ownerKey(pod);
      if (key) expectations.deleted(key, pod.metadata.uid!);
      podChanged(pod);
    },
  });
  return controller;
}
