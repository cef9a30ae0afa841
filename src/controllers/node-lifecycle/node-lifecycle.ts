/**
 * Keeps nodes' taints in line with their conditions, calls nodes unknown whose heartbeat stopped, and evicts pods that
 * do not tolerate it. Upstream: pkg/controller/{nodelifecycle,tainteviction}.
 */
import type { Node, Pod } from '#api/types';
import { formatTime, isStatusError, objectKey } from '#apimachinery';
import { createController, leases, nodes, pods } from '#client';
import type { ControllerContext, ControllerDefinition } from '../context.ts';
import { isPodReady } from '../pod-control.ts';
import { evictionTime, wantedTaints } from './taints.ts';

/** Upstream's --node-monitor-grace-period and --node-monitor-period. */
const graceMs = 50_000;
const checkMs = 5_000;
const leaseNamespace = 'kube-node-lease';
const byNode = 'spec.nodeName';
const heartbeatTypes = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];

export const nodeLifecycleController: ControllerDefinition = {
  name: 'node-lifecycle-controller',
  serviceAccount: 'node-controller',
  setUp: context => setUpNodeLifecycle(context),
};

function setUpNodeLifecycle(context: ControllerContext): ReturnType<ControllerDefinition['setUp']> {
  const { client, clock } = context;
  const nodeInformer = context.informers.informer(nodes);
  const podInformer = context.informers.informer(pods);
  const leaseInformer = context.informers.informer(leases);
  podInformer.addIndex(byNode, pod => (pod.spec.nodeName ? [pod.spec.nodeName] : []));
  /** When each node's heartbeat was last seen to move, by our own clock: clocks of nodes are not trusted. */
  const heartbeats = new Map<string, { renewTime: string | undefined; seenMs: number }>();

  const silentForMs = (name: string): number => {
    const renewTime = leaseInformer.get(`${leaseNamespace}/${name}`)?.spec?.renewTime ?? undefined;
    const known = heartbeats.get(name);
    if (!known || known.renewTime !== renewTime) heartbeats.set(name, { renewTime, seenMs: clock.monotonicMs() });
    return clock.monotonicMs() - heartbeats.get(name)!.seenMs;
  };

  const markUnknown = async (node: Node): Promise<void> => {
    const time = formatTime(clock.now());
    const conditions = heartbeatTypes.map(type => {
      const known = node.status?.conditions?.find(each => each.type === type);
      return {
        type,
        status: 'Unknown',
        reason: known ? 'NodeStatusUnknown' : 'NodeStatusNeverUpdated',
        message: known ? 'Kubelet stopped posting node status.' : 'Kubelet never posted node status.',
        ...(known?.lastHeartbeatTime && { lastHeartbeatTime: known.lastHeartbeatTime }),
        lastTransitionTime: time,
      };
    });
    await client
      .resource(nodes)
      .patch(node.metadata.name!, { status: { conditions } }, { type: 'strategic', subresource: 'status' });
    context.events.event(node, 'Normal', 'NodeNotReady', `Node ${node.metadata.name} status is now: NodeNotReady`);
    for (const pod of podInformer.byIndex(byNode, node.metadata.name!)) await markPodNotReady(pod);
  };
  const markPodNotReady = async (pod: Pod): Promise<void> => {
    if (!isPodReady(pod)) return;
    const condition = { type: 'Ready', status: 'False', lastTransitionTime: formatTime(clock.now()) };
    await ignoreMissing(
      client
        .resource(pods)
        .namespace(pod.metadata.namespace!)
        .patch(
          pod.metadata.name!,
          { status: { conditions: [condition] } },
          { type: 'strategic', subresource: 'status' },
        ),
    );
  };

  const evict = async (pod: Pod): Promise<void> => {
    context.events.event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${objectKey(pod)}`);
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'DeletionByTaintManager',
      message: 'Taint manager: deleting due to NoExecute taint',
      lastTransitionTime: formatTime(clock.now()),
    };
    const resource = client.resource(pods).namespace(pod.metadata.namespace!);
    const name = pod.metadata.name!;
    await ignoreMissing(
      resource.patch(name, { status: { conditions: [condition] } }, { type: 'strategic', subresource: 'status' }),
    );
    await ignoreMissing(resource.delete(name, { preconditions: { uid: pod.metadata.uid! } }));
  };

  const controller = createController(context, {
    name: 'node-lifecycle',
    async reconcile(name) {
      const node = nodeInformer.get(name);
      if (!node) {
        heartbeats.delete(name);
        return;
      }
      const ready = node.status?.conditions?.find(each => each.type === 'Ready')?.status;
      const hasLease = leaseInformer.get(`${leaseNamespace}/${name}`) !== undefined;
      if (silentForMs(name) > graceMs && hasLease && ready !== 'Unknown') await markUnknown(node);
      const taints = wantedTaints(node, clock.now());
      if (taints.length !== (node.spec?.taints?.length ?? 0) || (node.spec?.taints && taints !== node.spec.taints)) {
        const { resourceVersion } = node.metadata;
        await client
          .resource(nodes)
          .patch(name, { metadata: { resourceVersion }, spec: { taints } }, { type: 'merge' });
      }
      let nextMs = checkMs;
      for (const pod of podInformer.byIndex(byNode, name)) {
        if (pod.metadata.deletionTimestamp) continue;
        const at = evictionTime(pod, taints, clock.now());
        if (at === 'never') continue;
        if (at <= clock.now()) await evict(pod);
        else nextMs = Math.min(nextMs, at - clock.now());
      }
      return { requeueAfterMs: nextMs };
    },
  });
  const check = (node: Node): void => controller.queue.add(node.metadata.name!);
  nodeInformer.addHandler({ added: check, updated: check, deleted: check });
  return controller;
}

async function ignoreMissing(work: Promise<unknown>): Promise<void> {
  await work.catch(error => {
    if (!isStatusError(error, 'NotFound', 'Conflict')) throw error;
  });
}
