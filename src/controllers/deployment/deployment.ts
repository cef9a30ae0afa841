/**
 * Rolls a Deployment's pod template out through ReplicaSets.
 * Upstream: pkg/controller/deployment/{deployment_controller,sync,rolling,recreate}.go.
 */
import type { Deployment, PodTemplateSpec, ReplicaSet } from '#api/types';
import { controllerOf, isStatusError, objectKey, semanticEqual } from '#apimachinery';
import { createController, deployments, replicaSets } from '#client';
import type { ControllerContext, ControllerDefinition } from '../context.ts';
import { claim, controllerReference } from '../pod-control.ts';
import { podInformer, podOwnerIndex } from '../replica-set/replica-set.ts';
import {
  isScalingEvent,
  newReplicaSetSize,
  proportionalScaling,
  replicaAnnotations,
  type Scaling,
  scaleDownOld,
} from './rolling.ts';
import { calculateStatus, isComplete, withCondition, withProgress } from './status.ts';
import { templateHash } from './template-hash.ts';

const hashLabel = 'pod-template-hash';
const revisionAnnotation = 'deployment.kubernetes.io/revision';
const historyAnnotation = 'deployment.kubernetes.io/revision-history';
/** Annotations of the Deployment that its ReplicaSets do not inherit. */
const notInherited = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  revisionAnnotation,
  historyAnnotation,
  'deployment.kubernetes.io/desired-replicas',
  'deployment.kubernetes.io/max-replicas',
  'deprecated.deployment.rollback.to',
]);

export const deploymentController: ControllerDefinition = {
  name: 'deployment-controller',
  serviceAccount: 'deployment-controller',
  setUp: context => setUpDeployments(context),
};

const isTemplateOf = (set: ReplicaSet, template: PodTemplateSpec): boolean => {
  const { [hashLabel]: _, ...labels } = set.spec.template?.metadata?.labels ?? {};
  const own = { ...set.spec.template, metadata: { ...set.spec.template?.metadata, labels } };
  const wanted = { ...template, metadata: { ...template.metadata, labels: template.metadata?.labels ?? {} } };
  return semanticEqual(own, wanted);
};

const revisionOf = (object: { metadata: { annotations?: Readonly<Record<string, string>> } }): number =>
  Number(object.metadata.annotations?.[revisionAnnotation] ?? 0);

const ageOf = (set: ReplicaSet): number => Date.parse(set.metadata.creationTimestamp ?? '');

/** The oldest ReplicaSet with the Deployment's template. */
function findNew(deployment: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined {
  return [...sets].sort((a, b) => ageOf(a) - ageOf(b)).find(set => isTemplateOf(set, deployment.spec.template));
}

function setUpDeployments(context: ControllerContext): ReturnType<ControllerDefinition['setUp']> {
  const { client, clock, events } = context;
  const all = context.informers.informer(deployments);
  const sets = context.informers.informer(replicaSets);
  const podsOf = podInformer(context);

  const scale = async (deployment: Deployment, { set, to }: Scaling): Promise<ReplicaSet> => {
    const from = set.spec.replicas ?? 0;
    const annotations = { ...set.metadata.annotations, ...replicaAnnotations(deployment) };
    if (from === to && semanticEqual(annotations, set.metadata.annotations ?? {})) return set;
    const updated = await client.resource(replicaSets).update({
      ...set,
      metadata: { ...set.metadata, annotations },
      spec: { ...set.spec, replicas: to },
    });
    if (from !== to) {
      const verb = to > from ? 'up' : 'down';
      const message = `Scaled ${verb} replica set ${set.metadata.name} from ${from} to ${to}`;
      events.event(deployment, 'Normal', 'ScalingReplicaSet', message);
    }
    return updated;
  };

  /** The ReplicaSet of the current template, with its revision right; made if absent. */
  const ensureNew = async (deployment: Deployment, owned: readonly ReplicaSet[]): Promise<ReplicaSet> => {
    const existing = findNew(deployment, owned);
    const others = owned.filter(set => set !== existing);
    const revision = String(Math.max(0, ...others.map(revisionOf)) + 1);
    if (existing) return adoptRevision(deployment, existing, revision);
    return createNew(deployment, owned, revision);
  };
  const adoptRevision = async (deployment: Deployment, set: ReplicaSet, revision: string): Promise<ReplicaSet> => {
    const annotations = inherited(deployment, set, revision);
    const minReadySeconds = deployment.spec.minReadySeconds ?? 0;
    let result = set;
    if (
      !semanticEqual(annotations, set.metadata.annotations ?? {}) ||
      (set.spec.minReadySeconds ?? 0) !== minReadySeconds
    ) {
      const spec = { ...set.spec, ...(minReadySeconds > 0 ? { minReadySeconds } : { minReadySeconds: 0 }) };
      result = await client.resource(replicaSets).update({ ...set, metadata: { ...set.metadata, annotations }, spec });
    }
    await publishRevision(deployment, result, 'FoundNewReplicaSet', `Found new replica set "${set.metadata.name}"`);
    return result;
  };
  const createNew = async (
    deployment: Deployment,
    owned: readonly ReplicaSet[],
    revision: string,
  ): Promise<ReplicaSet> => {
    const { metadata, spec } = deployment;
    const hash = templateHash(spec.template, deployment.status?.collisionCount ?? 0);
    const labels = { ...spec.template.metadata?.labels, [hashLabel]: hash };
    const size = newReplicaSetSize(deployment, owned, 0);
    const name = `${metadata.name}-${hash}`;
    const draft = {
      metadata: {
        name,
        labels,
        annotations: { ...inherited(deployment, undefined, revision), ...replicaAnnotations(deployment) },
        ownerReferences: [controllerReference(deployment)],
      },
      spec: {
        replicas: size,
        ...(spec.minReadySeconds && { minReadySeconds: spec.minReadySeconds }),
        selector: { ...spec.selector, matchLabels: { ...spec.selector.matchLabels, [hashLabel]: hash } },
        template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
      },
    };
    try {
      const made = await client
        .resource(replicaSets)
        .namespace(metadata.namespace!)
        .create(draft as Partial<ReplicaSet>);
      if (size > 0) {
        events.event(deployment, 'Normal', 'ScalingReplicaSet', `Scaled up replica set ${name} from 0 to ${size}`);
      }
      await publishRevision(deployment, made, 'NewReplicaSetCreated', `Created new replica set "${name}"`);
      return made;
    } catch (error) {
      if (!isStatusError(error, 'AlreadyExists')) throw error;
      const other = await client.resource(replicaSets).namespace(metadata.namespace!).get(name);
      if (controllerOf(other)?.uid === metadata.uid && isTemplateOf(other, spec.template)) return other;
      const collisionCount = (deployment.status?.collisionCount ?? 0) + 1;
      await client
        .resource(deployments)
        .updateStatus({ ...deployment, status: { ...deployment.status, collisionCount } });
      throw error;
    }
  };
  const publishRevision = async (
    deployment: Deployment,
    set: ReplicaSet,
    reason: string,
    message: string,
  ): Promise<void> => {
    const revision = String(revisionOf(set));
    const current = all.get(objectKey(deployment)) ?? deployment;
    const stale = current.metadata.annotations?.[revisionAnnotation] !== revision;
    const known = current.status?.conditions?.find(each => each.type === 'Progressing');
    const silent = deployment.spec.progressDeadlineSeconds === undefined || (known && reason === 'FoundNewReplicaSet');
    if (!stale && silent) return;
    // With the status, because a change of annotations elsewhere would be a new generation.
    const annotations = { ...current.metadata.annotations, [revisionAnnotation]: revision };
    const condition = { type: 'Progressing', status: 'True', reason, message } as const;
    const before = current.status?.conditions ?? [];
    const conditions = silent ? before : withCondition(before, condition, clock.now());
    await client.resource(deployments).updateStatus({
      ...current,
      metadata: { ...current.metadata, annotations },
      status: { ...current.status, ...(conditions.length > 0 && { conditions }) },
    });
  };

  const sync = async (deployment: Deployment, owned: ReplicaSet[]): Promise<ReplicaSet[]> => {
    if (deployment.spec.paused || isScalingEvent(deployment, owned)) {
      const existing = findNew(deployment, owned);
      const old = owned.filter(set => set !== existing);
      for (const scaling of proportionalScaling(deployment, existing, old)) await scale(deployment, scaling);
      return owned;
    }
    const recreate = deployment.spec.strategy?.type === 'Recreate';
    const existing = findNew(deployment, owned);
    const old = owned.filter(set => set !== existing);
    if (recreate) {
      const active = old.filter(set => (set.spec.replicas ?? 0) > 0);
      for (const set of active) await scale(deployment, { set, to: 0 });
      const running = old.some(set => [...podsOf.byIndex(podOwnerIndex, set.metadata.uid!)].some(pod => !isDone(pod)));
      if (active.length > 0 || running) return owned;
    }
    const fresh = await ensureNew(deployment, owned);
    const everyone = [...old, fresh];
    const size = newReplicaSetSize(deployment, everyone, fresh.spec.replicas ?? 0);
    const wanted = deployment.spec.replicas ?? 1;
    const grown = await scale(deployment, { set: fresh, to: (fresh.spec.replicas ?? 0) > wanted ? wanted : size });
    if (grown === fresh && !recreate) {
      for (const scaling of scaleDownOld(deployment, everyone, old, fresh)) await scale(deployment, scaling);
    }
    return [...old, grown];
  };

  const controller = createController(context, {
    name: 'deployment',
    workers: 5,
    async reconcile(key) {
      const deployment = all.get(key);
      if (!deployment) return;
      const { namespace = '', uid } = deployment.metadata;
      const owned = await claim(client, replicaSets, deployment, deployment.spec.selector, [...sets.list(namespace)]);
      const current = deployment.metadata.deletionTimestamp ? owned : await sync(deployment, owned);
      const latest = all.get(key) ?? deployment;
      if (latest.metadata.uid !== uid) return;
      const fresh = findNew(latest, current);
      const counted = calculateStatus(latest, current, fresh, clock.now());
      const { status, recheckAfterMs } = latest.spec.paused
        ? { status: counted, recheckAfterMs: undefined }
        : withProgress(latest, counted, fresh, current, clock.now());
      if (!semanticEqual(status, latest.status ?? {})) {
        await client.resource(deployments).updateStatus({ ...latest, status });
      }
      if (isComplete(latest, status))
        await cleanUp(
          latest,
          current.filter(set => set !== fresh),
        );
      return recheckAfterMs === undefined ? undefined : { requeueAfterMs: recheckAfterMs };
    },
  });

  /** Deletes the oldest ReplicaSets beyond the history limit. */
  const cleanUp = async (deployment: Deployment, old: readonly ReplicaSet[]): Promise<void> => {
    const limit = deployment.spec.revisionHistoryLimit ?? 10;
    const idle = old.filter(
      set => !set.metadata.deletionTimestamp && (set.spec.replicas ?? 0) === 0 && (set.status?.replicas ?? 0) === 0,
    );
    const doomed = [...idle].sort((a, b) => revisionOf(a) - revisionOf(b)).slice(0, Math.max(0, old.length - limit));
    for (const set of doomed) {
      try {
        await client.resource(replicaSets).namespace(set.metadata.namespace!).delete(set.metadata.name!);
      } catch (error) {
        if (!isStatusError(error, 'NotFound')) throw error;
      }
    }
  };
  const enqueueOwner = (set: ReplicaSet): void => {
    const owner = controllerOf(set);
    if (owner?.kind === 'Deployment') controller.queue.add(`${set.metadata.namespace}/${owner.name}`);
    else if (!owner) for (const each of all.list(set.metadata.namespace)) controller.queue.add(objectKey(each));
  };
  all.addHandler({
    added: each => controller.queue.add(objectKey(each)),
    updated: each => controller.queue.add(objectKey(each)),
    deleted: each => controller.queue.add(objectKey(each)),
  });
  sets.addHandler({ added: enqueueOwner, updated: enqueueOwner, deleted: enqueueOwner });
  podsOf.addHandler({
    deleted(pod) {
      const owner = controllerOf(pod);
      const set = owner?.kind === 'ReplicaSet' ? sets.get(`${pod.metadata.namespace}/${owner.name}`) : undefined;
      if (set) enqueueOwner(set);
    },
  });
  return controller;
}

const isDone = (pod: { status?: { phase?: string } }): boolean =>
  pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

/** Annotations of a ReplicaSet: its own, what it inherits, and its revision with the earlier ones it had. */
function inherited(deployment: Deployment, set: ReplicaSet | undefined, revision: string): Record<string, string> {
  const result: Record<string, string> = { ...set?.metadata.annotations };
  for (const [key, value] of Object.entries(deployment.metadata.annotations ?? {})) {
    if (!notInherited.has(key)) result[key] = value;
  }
  const before = result[revisionAnnotation];
  if (before === undefined || Number(before) < Number(revision)) {
    result[revisionAnnotation] = revision;
    if (before !== undefined) {
      const history = result[historyAnnotation];
      result[historyAnnotation] = history ? `${history},${before}` : before;
    }
  }
  return result;
}
