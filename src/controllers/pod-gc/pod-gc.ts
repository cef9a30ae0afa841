/**
 * Takes away pods that nobody will: of nodes that are gone, pods deleted before they had a node, and the oldest finished
 * ones when there are too many. Upstream: pkg/controller/podgc/gc_controller.go.
 */
import type { Pod } from '#api/types';
import { formatTime, isStatusError } from '#apimachinery';
import { createController, nodes, pods } from '#client';
import type { ControllerDefinition } from '../context.ts';

const periodMs = 20_000;
/** How long a node must be missing before its pods go. */
const quarantineMs = 40_000;
/** Finished pods that are kept. Upstream: --terminated-pod-gc-threshold. */
const keptFinished = 12_500;

export type PodGcReason = 'orphaned' | 'unscheduled' | 'terminated';

const isFinished = (pod: Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

/** Which pods go, and why. `missing` are nodes gone for long enough. */
export function podsToCollect(
  all: readonly Pod[],
  missing: ReadonlySet<string>,
  kept: number = keptFinished,
): Map<Pod, PodGcReason> {
  const out = new Map<Pod, PodGcReason>();
  for (const pod of all) {
    if (pod.spec.nodeName && missing.has(pod.spec.nodeName)) out.set(pod, 'orphaned');
    else if (!pod.spec.nodeName && pod.metadata.deletionTimestamp) out.set(pod, 'unscheduled');
  }
  const finished = all.filter(pod => isFinished(pod) && !out.has(pod));
  finished.sort((a, b) => (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? ''));
  for (const pod of finished.slice(0, Math.max(0, finished.length - kept))) out.set(pod, 'terminated');
  return out;
}

export const podGarbageCollector: ControllerDefinition = {
  name: 'pod-garbage-collector-controller',
  serviceAccount: 'pod-garbage-collector',
  setUp(context) {
    const { client, clock } = context;
    const podInformer = context.informers.informer(pods);
    const nodeInformer = context.informers.informer(nodes);
    const missingSince = new Map<string, number>();

    const missingNodes = async (): Promise<Set<string>> => {
      const names = new Set<string>();
      for (const { spec } of podInformer.list())
        if (spec.nodeName && !nodeInformer.get(spec.nodeName)) names.add(spec.nodeName);
      for (const name of missingSince.keys()) if (!names.has(name)) missingSince.delete(name);
      const out = new Set<string>();
      for (const name of names) {
        const sinceMs = missingSince.get(name) ?? clock.monotonicMs();
        missingSince.set(name, sinceMs);
        if (clock.monotonicMs() - sinceMs < quarantineMs) continue;
        // The cache may lag: ask before taking pods away.
        const known = await client
          .resource(nodes)
          .get(name)
          .catch(error => {
            if (isStatusError(error, 'NotFound')) return undefined;
            throw error;
          });
        if (!known) out.add(name);
      }
      return out;
    };
    const collect = async (pod: Pod, reason: PodGcReason): Promise<void> => {
      const { name = '', namespace = '', uid = '' } = pod.metadata;
      const resource = client.resource(pods).namespace(namespace);
      try {
        if (reason === 'orphaned' && !isFinished(pod)) {
          const condition = {
            type: 'DisruptionTarget',
            status: 'True',
            reason: 'DeletionByPodGC',
            message: 'PodGC: node no longer exists',
            observedGeneration: pod.metadata.generation,
            lastTransitionTime: formatTime(clock.now()),
          };
          const status = { phase: 'Failed', conditions: [condition] };
          await resource.patch(name, { status }, { type: 'strategic', subresource: 'status' });
        }
        await resource.delete(name, { gracePeriodSeconds: 0, preconditions: { uid } });
      } catch (error) {
        if (!isStatusError(error, 'NotFound', 'Conflict')) throw error;
      }
    };
    const controller = createController(context, {
      name: 'podgc',
      async reconcile() {
        const doomed = podsToCollect([...podInformer.list()], await missingNodes());
        for (const [pod, reason] of doomed) await collect(pod, reason);
        return { requeueAfterMs: periodMs };
      },
    });
    return {
      start(signal) {
        controller.queue.add('all');
        controller.start(signal);
      },
      [Symbol.asyncDispose]: () => controller[Symbol.asyncDispose](),
    };
  },
};
