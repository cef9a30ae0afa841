/**
 * Keeps a StatefulSet's pods, each with a name and claims of its own, in order.
 * Upstream: pkg/controller/statefulset/{stateful_set,stateful_set_control,stateful_pod_control}.go.
 * Known gaps: maxUnavailable is one; claims are kept whatever persistentVolumeClaimRetentionPolicy says.
 */
import type { ControllerRevision, Pod, StatefulSet } from '#api/types';
import { controllerOf, isStatusError, objectKey, writeSorted } from '#apimachinery';
import { controllerRevisions, createController, persistentVolumeClaims, pods, statefulSets } from '#client';
import type { ControllerContext, ControllerDefinition } from '../context.ts';
import { createExpectations } from '../expectations.ts';
import {
  byAge,
  currentRevision,
  hashLabel,
  indexRevisions,
  revisionLabel,
  revisionOwnerIndex,
  templateOf,
  truncate,
} from '../history/revisions.ts';
import { claim, controllerReference } from '../pod-control.ts';
import { podInformer, podOwnerIndex } from '../replica-set/replica-set.ts';
import {
  claimsFor,
  ordinalOf,
  planSteps,
  type StatefulStep,
  type StatefulView,
  statefulStatus,
  templateFor,
} from './identity.ts';

export const statefulSetController: ControllerDefinition = {
  name: 'statefulset-controller',
  serviceAccount: 'statefulset-controller',
  setUp: context => setUpStatefulSets(context),
};

function setUpStatefulSets(context: ControllerContext): ReturnType<ControllerDefinition['setUp']> {
  const { client, clock, events } = context;
  const sets = context.informers.informer(statefulSets);
  const revisions = context.informers.informer(controllerRevisions);
  indexRevisions(revisions);
  const podsOf = podInformer(context);
  const expectations = createExpectations(clock);

  const createClaims = async (set: StatefulSet, ordinal: number): Promise<void> => {
    for (const each of claimsFor(set, ordinal)) {
      const { name = '', namespace = '' } = each.metadata;
      try {
        await client.resource(persistentVolumeClaims).namespace(namespace).create(each);
        const message = `create Claim ${name} Pod ${set.metadata.name}-${ordinal} in StatefulSet ${set.metadata.name} success`;
        events.event(set, 'Normal', 'SuccessfulCreate', message);
      } catch (error) {
        if (!isStatusError(error, 'AlreadyExists')) throw error;
      }
    }
  };
  const createPod = async (set: StatefulSet, ordinal: number, revision: ControllerRevision): Promise<void> => {
    const name = `${set.metadata.name}-${ordinal}`;
    const said = `Create Pod ${name} in StatefulSet ${set.metadata.name}`;
    const template = templateFor(set, templateOf(revision), ordinal, revision.metadata.name!);
    try {
      await createClaims(set, ordinal);
      await client
        .resource(pods)
        .namespace(set.metadata.namespace!)
        .create({
          metadata: { ...template.metadata, name, ownerReferences: [controllerReference(set)] },
          spec: template.spec!,
        } as Partial<Pod>);
      events.event(set, 'Normal', 'SuccessfulCreate', `${said} successful`);
    } catch (error) {
      const key = objectKey(set);
      expectations.created(key);
      if (isStatusError(error, 'AlreadyExists')) return;
      events.event(set, 'Warning', 'FailedCreate', `${said} failed error: ${(error as Error).message}`);
      throw error;
    }
  };
  const removePod = async (set: StatefulSet, pod: Pod): Promise<void> => {
    const { name = '', namespace = '', uid = '' } = pod.metadata;
    try {
      await client.resource(pods).namespace(namespace).delete(name, { preconditions: { uid } });
      events.event(
        set,
        'Normal',
        'SuccessfulDelete',
        `Delete Pod ${name} in StatefulSet ${set.metadata.name} successful`,
      );
    } catch (error) {
      expectations.deleted(objectKey(set), uid);
      if (!isStatusError(error, 'NotFound', 'Conflict')) throw error;
    }
  };
  const act = async (
    set: StatefulSet,
    steps: readonly StatefulStep[],
    now: { current: ControllerRevision; update: ControllerRevision },
  ) => {
    const creations = steps.filter(step => step.act === 'create').length;
    const deletions = steps.flatMap(step => (step.act === 'remove' ? [step.pod.metadata.uid!] : []));
    expectations.expect(objectKey(set), creations, deletions);
    const results = await Promise.allSettled(
      steps.map(step =>
        step.act === 'create' ? createPod(set, step.ordinal, now[step.revision]) : removePod(set, step.pod),
      ),
    );
    const failure = results.find(each => each.status === 'rejected');
    if (failure) throw failure.reason;
  };
  const claimedPods = async (set: StatefulSet): Promise<Pod[]> => {
    const candidates = [
      ...podsOf.byIndex(podOwnerIndex, set.metadata.uid!),
      ...podsOf.byIndex(podOwnerIndex, `orphans/${set.metadata.namespace}`),
    ].filter(pod => ordinalOf(set, pod) >= 0);
    return claim(client, pods, set, set.spec.selector, candidates);
  };

  const controller = createController(context, {
    name: 'statefulset',
    workers: 5,
    async reconcile(key) {
      const set = sets.get(key);
      if (!set) {
        expectations.forget(key);
        return;
      }
      if (set.metadata.deletionTimestamp) return;
      const known = byAge(revisions.byIndex(revisionOwnerIndex, set.metadata.uid!));
      const update = await currentRevision(client, set as never, known, {
        collisions: set.status?.collisionCount ?? 0,
        label: hashLabel,
      });
      const current = known.find(each => each.metadata.name === set.status?.currentRevision) ?? update;
      const claimed = await claimedPods(set);
      const view: StatefulView = {
        set,
        pods: claimed,
        currentHash: current.metadata.name!,
        updateHash: update.metadata.name!,
        nowMs: clock.now(),
      };
      let failure: unknown;
      const steps = expectations.satisfied(key) ? planSteps(view) : [];
      if (steps.length > 0) await act(set, steps, { current, update }).catch(error => (failure = error));
      const status = statefulStatus(view, { current: current.metadata.name!, update: update.metadata.name! });
      if (writeSorted(status) !== writeSorted(set.status ?? {})) {
        try {
          await client.resource(statefulSets).updateStatus({ ...set, status });
        } catch (error) {
          if (!isStatusError(error, 'NotFound')) throw error;
        }
      }
      if (failure) throw failure;
      const used = new Set(claimed.map(pod => pod.metadata.labels?.[revisionLabel]));
      const live = known.filter(each => used.has(each.metadata.name!)).map(each => each.metadata.name!);
      const keep = new Set([...live, current.metadata.name!, update.metadata.name!]);
      await truncate(client, known, keep, set.spec.revisionHistoryLimit ?? 10);
      const waiting = (set.spec.minReadySeconds ?? 0) > 0 && (status.readyReplicas ?? 0) !== status.availableReplicas;
      return waiting ? { requeueAfterMs: set.spec.minReadySeconds! * 1000 } : undefined;
    },
  });

  const enqueue = (set: StatefulSet): void => controller.queue.add(objectKey(set));
  const ownerKey = (pod: Pod): string | undefined => {
    const owner = controllerOf(pod);
    return owner?.kind === 'StatefulSet' ? `${pod.metadata.namespace}/${owner.name}` : undefined;
  };
  const podChanged = (pod: Pod): void => {
    const key = ownerKey(pod);
    if (key) controller.queue.add(key);
    else if (!controllerOf(pod)) for (const set of sets.list(pod.metadata.namespace)) enqueue(set);
  };
  sets.addHandler({ added: enqueue, updated: enqueue, deleted: enqueue });
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
