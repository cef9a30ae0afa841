/**
 * The node's presence in the API: registration, status, lease. Upstream: pkg/kubelet/kubelet_node_status.go,
 * component-helpers apimachinery/lease/controller.go.
 */
import { isDeepStrictEqual } from 'node:util';
import { formatMicroTime, isStatusError } from '#apimachinery';
import { type Activity, type Clock, isAbort, type Logger, type Random } from '#base';
import type { Client, EventRecorder } from '#client';
import type { Node, NodeStatus } from '../api-objects.ts';
import type { KubeletConfig } from '../config.ts';
import { resources } from '../resources.ts';
import type { Machine } from './machine.ts';
import { nodeLabels } from './node-status.ts';

export interface NodeAgentDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly activity: Activity;
  readonly recorder: EventRecorder;
  readonly machine: Machine;
  /** The node as it was last seen. */
  node(): Node | undefined;
  /** What the status should be. */
  desired(old: NodeStatus | undefined): Promise<NodeStatus>;
}

const retryMs = 200;
const maxRetryMs = 7000;

export class NodeAgent {
  readonly #deps: NodeAgentDeps;
  readonly #config: KubeletConfig;
  #sent: { status: NodeStatus; atMs: number } | undefined;
  #updating: Promise<void> = Promise.resolve();

  constructor(deps: NodeAgentDeps, config: KubeletConfig) {
    this.#deps = deps;
    this.#config = config;
  }

  /** Creates the Node object, or makes the one there is ours; tries until it works. */
  async register(signal: AbortSignal): Promise<void> {
    let delayMs = retryMs;
    for (;;) {
      try {
        await this.#registerOnce();
        return;
      } catch (error) {
        signal.throwIfAborted();
        this.#deps.logger.warn('node was not registered', { node: this.#config.nodeName, error });
        await this.#deps.clock.sleep(delayMs, signal);
        delayMs = Math.min(delayMs * 2, maxRetryMs);
      }
    }
  }

  async #registerOnce(): Promise<void> {
    const { client, machine, clock } = this.#deps;
    const { nodeName, hostname, registerWithTaints } = this.#config;
    const nodes = client.resource(resources.nodes);
    const labels = nodeLabels({ machine, hostname }, this.#config.nodeLabels);
    const status = await this.#deps.desired(undefined);
    try {
      await nodes.create({
        metadata: {
          name: nodeName,
          labels,
          annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' },
        },
        spec: registerWithTaints.length > 0 ? { taints: registerWithTaints } : {},
        status,
      });
      this.#sent = { status, atMs: clock.now() };
    } catch (error) {
      if (!isStatusError(error, 'AlreadyExists')) throw error;
      const existing = await nodes.get(nodeName);
      const changed = Object.entries(labels).some(([key, value]) => existing.metadata.labels?.[key] !== value);
      if (changed) await nodes.patch(nodeName, { metadata: { labels } }, { type: 'strategic' });
      await this.#patchStatus(existing);
    }
  }

  /** Brings the status to the API when it changed, or when the last report is old. One at a time. */
  updateStatus(): Promise<void> {
    const run = async (): Promise<void> => {
      const end = this.#deps.activity.begin();
      try {
        const node =
          this.#deps.node() ?? (await this.#deps.client.resource(resources.nodes).get(this.#config.nodeName));
        await this.#patchStatus(node);
      } catch (error) {
        if (isStatusError(error, 'NotFound')) {
          await this.#registerOnce().catch(cause =>
            this.#deps.logger.warn('node was not registered', { error: cause }),
          );
        } else if (!isAbort(error)) this.#deps.logger.warn('node status was not updated', { error });
      } finally {
        end();
      }
    };
    this.#updating = this.#updating.then(run);
    return this.#updating;
  }

  async #patchStatus(node: Node): Promise<void> {
    const { client, clock, recorder } = this.#deps;
    const status = await this.#deps.desired(node.status);
    const fresh = this.#sent && clock.now() - this.#sent.atMs < this.#config.nodeStatusReportMs;
    if (fresh && isDeepStrictEqual(withoutHeartbeats(status), withoutHeartbeats(node.status))) return;
    const ready = (of: NodeStatus | undefined) => of?.conditions?.find(({ type }) => type === 'Ready')?.status;
    await client
      .resource(resources.nodes)
      .patch(this.#config.nodeName, statusPatch(node.status, status), { type: 'strategic', subresource: 'status' });
    this.#sent = { status, atMs: clock.now() };
    if (ready(status) === ready(node.status)) return;
    const reason = ready(status) === 'True' ? 'NodeReady' : 'NodeNotReady';
    const { nodeName } = this.#config;
    const about = { kind: 'Node', apiVersion: 'v1', name: nodeName, uid: nodeName };
    recorder.eventAbout(about, 'Normal', reason, `Node ${nodeName} status is now: ${reason}`);
  }

  /** Renews the lease; makes it when there is none. */
  async renewLease(): Promise<void> {
    const { client, clock, logger, activity } = this.#deps;
    const { nodeName, nodeLeaseDurationSeconds } = this.#config;
    const leases = client.resource(resources.leases).namespace('kube-node-lease');
    const renewTime = formatMicroTime(clock.now());
    const spec = { holderIdentity: nodeName, leaseDurationSeconds: nodeLeaseDurationSeconds, renewTime };
    const end = activity.begin();
    try {
      await leases.patch(nodeName, { spec }, { type: 'merge' });
    } catch (error) {
      if (!isStatusError(error, 'NotFound')) {
        if (!isAbort(error)) logger.warn('node lease was not renewed', { error });
        return;
      }
      const uid = this.#deps.node()?.metadata.uid;
      const ownerReferences = uid ? [{ apiVersion: 'v1', kind: 'Node', name: nodeName, uid }] : [];
      await leases
        .create({ metadata: { name: nodeName, namespace: 'kube-node-lease', ownerReferences }, spec } as object)
        .catch(cause => logger.warn('node lease was not made', { error: cause }));
    } finally {
      end();
    }
  }
}

function withoutHeartbeats(status: NodeStatus | undefined): object {
  const conditions = (status?.conditions ?? []).map(({ lastHeartbeatTime: _, ...rest }) => rest);
  return { ...status, conditions: conditions.sort((a, b) => (a.type < b.type ? -1 : 1)) };
}

/** Conditions merge by type; fields that did not change stay out. */
function statusPatch(from: NodeStatus | undefined, to: NodeStatus): object {
  const changed = Object.entries(to).filter(([key, value]) => {
    return !isDeepStrictEqual((from as Record<string, unknown> | undefined)?.[key], value);
  });
  const patch: Record<string, unknown> = Object.fromEntries(changed);
  if (patch['addresses']) patch['addresses'] = [{ $patch: 'replace' }, ...to.addresses!];
  return { status: patch };
}
