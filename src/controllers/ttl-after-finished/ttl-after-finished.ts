/** Deletes finished Jobs when their time is over. Upstream: pkg/controller/ttlafterfinished. */
import type { Job } from '#api/types';
import { isStatusError, objectKey } from '#apimachinery';
import { createController, jobs } from '#client';
import type { ControllerDefinition } from '../context.ts';

/** When a Job is to be deleted, in wall milliseconds; undefined when it is not finished or has no limit. */
export function expiryOf(job: Job): number | undefined {
  const seconds = job.spec.ttlSecondsAfterFinished;
  if (seconds === undefined || job.metadata.deletionTimestamp) return undefined;
  const end = job.status?.conditions?.find(
    each => (each.type === 'Complete' || each.type === 'Failed') && each.status === 'True',
  );
  return end?.lastTransitionTime ? Date.parse(end.lastTransitionTime) + seconds * 1000 : undefined;
}

export const ttlAfterFinished: ControllerDefinition = {
  name: 'ttl-after-finished-controller',
  serviceAccount: 'ttl-after-finished-controller',
  setUp(context) {
    const { client, clock } = context;
    const informer = context.informers.informer(jobs);
    const controller = createController(context, {
      name: 'ttl_after_finished',
      async reconcile(key) {
        const job = informer.get(key);
        const expiryMs = job && expiryOf(job);
        if (!job || expiryMs === undefined) return;
        if (expiryMs > clock.now()) return { requeueAfterMs: expiryMs - clock.now() };
        const { name = '', namespace = '', uid = '', resourceVersion = '' } = job.metadata;
        try {
          const options = { propagationPolicy: 'Foreground', preconditions: { uid, resourceVersion } } as const;
          await client.resource(jobs).namespace(namespace).delete(name, options);
        } catch (error) {
          if (!isStatusError(error, 'NotFound')) throw error;
        }
        return;
      },
    });
    const enqueue = (job: Job): void => {
      if (expiryOf(job) !== undefined) controller.queue.add(objectKey(job));
    };
    informer.addHandler({ added: enqueue, updated: enqueue });
    return controller;
  },
};
