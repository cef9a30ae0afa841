/**
 * Runs a Job's pods until as many have succeeded as it asks for.
 * Upstream: pkg/controller/job/job_controller.go.
 * Known gaps: podFailurePolicy, successPolicy and backoffLimitPerIndex are not looked at.
 */
import type { Job, Pod, PodTemplateSpec } from '#api/types';
import { controllerOf, isStatusError, objectKey, writeSorted } from '#apimachinery';
import { createController, jobs, pods } from '#client';
import type { ControllerContext, ControllerDefinition } from '../context.ts';
import { createExpectations } from '../expectations.ts';
import { claim, createPodControl, isNamespaceTerminating, slowStart } from '../pod-control.ts';
import { podInformer, podOwnerIndex } from '../replica-set/replica-set.ts';
import { indexKey, isFinished, type JobPlan, planJob, trackingFinalizer } from './accounting.ts';

/** Pods created in one pass at most. */
const burst = 500;

export const jobController: ControllerDefinition = {
  name: 'job-controller',
  serviceAccount: 'job-controller',
  setUp: context => setUpJobs(context),
};

/** The Job's template with the tracking finalizer and, for an indexed one, the index in every place that shows it. */
export function templateFor(job: Job, index: number): PodTemplateSpec {
  const { metadata, spec } = job.spec.template;
  const finalizers = [...(metadata?.finalizers ?? []), trackingFinalizer];
  if (index < 0) return { metadata: { ...metadata, finalizers }, spec } as PodTemplateSpec;
  const env = {
    name: 'JOB_COMPLETION_INDEX',
    valueFrom: { fieldRef: { fieldPath: `metadata.labels['${indexKey}']` } },
  };
  const withIndex = <C extends { readonly env?: readonly { readonly name: string }[] }>(container: C): C =>
    container.env?.some(each => each.name === env.name)
      ? container
      : { ...container, env: [...(container.env ?? []), env] };
  return {
    metadata: {
      ...metadata,
      labels: { ...metadata?.labels, [indexKey]: String(index) },
      annotations: { ...metadata?.annotations, [indexKey]: String(index) },
      finalizers,
    },
    spec: {
      ...spec!,
      hostname: `${job.metadata.name}-${index}`,
      containers: spec!.containers.map(withIndex),
      ...(spec!.initContainers && { initContainers: spec!.initContainers.map(withIndex) }),
    },
  } as PodTemplateSpec;
}

function setUpJobs(context: ControllerContext): ReturnType<ControllerDefinition['setUp']> {
  const { client, clock, events } = context;
  const jobInformer = context.informers.informer(jobs);
  const podsOf = podInformer(context);
  const control = createPodControl(client, events);
  const expectations = createExpectations(clock);

  const release = async (pod: Pod): Promise<void> => {
    const finalizers = (pod.metadata.finalizers ?? []).filter(each => each !== trackingFinalizer);
    if (finalizers.length === (pod.metadata.finalizers ?? []).length) return;
    const patch = { metadata: { uid: pod.metadata.uid, finalizers: finalizers.length > 0 ? finalizers : null } };
    try {
      await client
        .resource(pods)
        .namespace(pod.metadata.namespace!)
        .patch(pod.metadata.name!, patch, { type: 'merge' });
    } catch (error) {
      if (!isStatusError(error, 'NotFound', 'Conflict', 'Invalid')) throw error;
    }
  };
  const podsOfJob = (job: Job): Promise<Pod[]> => {
    const candidates = [
      ...podsOf.byIndex(podOwnerIndex, job.metadata.uid!),
      ...podsOf.byIndex(podOwnerIndex, `orphans/${job.metadata.namespace}`),
    ];
    return claim(client, pods, job, job.spec.selector, candidates);
  };
  const createPods = async (job: Job, plan: JobPlan): Promise<void> => {
    const key = objectKey(job);
    const indexes = plan.create.slice(0, burst);
    let created = 0;
    try {
      await slowStart(indexes.length, async at => {
        const index = indexes[at]!;
        const generateName = index < 0 ? `${job.metadata.name}-` : `${job.metadata.name}-${index}-`;
        await control.create(job, job.metadata.namespace!, templateFor(job, index), { generateName });
        created++;
      });
    } catch (error) {
      for (let at = created; at < indexes.length; at++) expectations.created(key);
      if (!isNamespaceTerminating(error)) throw error;
    }
  };
  const removePods = async (job: Job, plan: JobPlan): Promise<void> => {
    for (const pod of plan.remove) {
      await release(pod);
      await control.remove(job, pod);
    }
  };
  const announce = (job: Job, { turned }: JobPlan): void => {
    if (turned?.type === 'Complete') events.event(job, 'Normal', 'Completed', 'Job completed');
    else if (turned?.type === 'Failed') events.event(job, 'Warning', turned.reason!, turned.message!);
    else if (turned?.type === 'Suspended') {
      events.event(job, 'Normal', turned.status === 'True' ? 'Suspended' : 'Resumed', turned.message!);
    }
  };

  const controller = createController(context, {
    name: 'job',
    workers: 5,
    async reconcile(key) {
      const job = jobInformer.get(key);
      if (!job) {
        expectations.forget(key);
        return;
      }
      if (job.spec.managedBy && job.spec.managedBy !== 'kubernetes.io/job-controller') return;
      const owned = await podsOfJob(job);
      if (isFinished(job) || job.metadata.deletionTimestamp) {
        await Promise.all(owned.map(release));
        return;
      }
      if (!expectations.satisfied(key)) return;
      const plan = planJob({ job, pods: owned, nowMs: clock.now() });
      if (writeSorted(plan.status) !== writeSorted(job.status ?? {})) {
        try {
          await client.resource(jobs).updateStatus({ ...job, status: plan.status });
        } catch (error) {
          if (isStatusError(error, 'NotFound')) return;
          throw error;
        }
        announce(job, plan);
      }
      await Promise.all(plan.release.map(release));
      expectations.expect(
        key,
        Math.min(plan.create.length, burst),
        plan.remove.map(pod => pod.metadata.uid!),
      );
      await removePods(job, plan);
      await createPods(job, plan);
      return plan.recheckAfterMs === undefined ? undefined : { requeueAfterMs: plan.recheckAfterMs };
    },
  });

  const enqueue = (job: Job): void => controller.queue.add(objectKey(job));
  const ownerKey = (pod: Pod): string | undefined => {
    const owner = controllerOf(pod);
    return owner?.kind === 'Job' ? `${pod.metadata.namespace}/${owner.name}` : undefined;
  };
  const podChanged = (pod: Pod): void => {
    const key = ownerKey(pod);
    if (!key) return;
    if (jobInformer.get(key)) controller.queue.add(key);
    else if (pod.metadata.finalizers?.includes(trackingFinalizer)) orphans.queue.add(objectKey(pod));
  };
  /** Pods whose Job is gone let go of their finalizer. */
  const orphans = createController(context, {
    name: 'job-orphan-pods',
    async reconcile(key) {
      const pod = podsOf.get(key);
      const owner = pod && ownerKey(pod);
      if (!pod || (owner && jobInformer.get(owner)?.metadata.uid === controllerOf(pod)?.uid)) return;
      await release(pod);
    },
  });
  jobInformer.addHandler({
    added: enqueue,
    updated: enqueue,
    deleted(job) {
      enqueue(job);
      for (const pod of podsOf.byIndex(podOwnerIndex, job.metadata.uid!)) orphans.queue.add(objectKey(pod));
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
  return {
    start(signal) {
      controller.start(signal);
      orphans.start(signal);
    },
    async [Symbol.asyncDispose]() {
      await controller[Symbol.asyncDispose]();
      await orphans[Symbol.asyncDispose]();
    },
  };
}
