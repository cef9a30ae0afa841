/**
 * Deletes what has lost all its owners; carries out foreground and orphaning deletions. Watches every resource that
 * discovery names, and looks again when discovery changes.
 * Upstream: pkg/controller/garbagecollector/garbagecollector.go.
 */

import { isStatusError, type KubeObject, parseApiVersion } from '#apimachinery';
import { anySignal } from '#base';
import { createController, createInformer, type Informer, type ResourceName } from '#client';
import type { ControllerContext, ControllerDefinition } from '../context.ts';
import { discoverCollectable } from './discovery.ts';
import { createOwnerGraph, type GraphNode } from './graph.ts';

const foregroundFinalizer = 'foregroundDeletion';
const orphanFinalizer = 'orphan';
const rediscoverMs = 30_000;

export const garbageCollector: ControllerDefinition = {
  name: 'garbage-collector-controller',
  serviceAccount: 'generic-garbage-collector',
  setUp: context => setUpGarbageCollector(context),
};

function setUpGarbageCollector(context: ControllerContext): ReturnType<ControllerDefinition['setUp']> {
  const { client } = context;
  const graph = createOwnerGraph();
  const informers = new Map<string, { informer: Informer<KubeObject>; resource: ResourceName }>();
  const byKind = (apiVersion: string, kind: string): ResourceName | undefined => {
    const { group } = parseApiVersion(apiVersion);
    for (const { resource } of informers.values())
      if (resource.group === group && resource.kind === kind) return resource;
    return undefined;
  };

  const controller = createController(context, {
    name: 'garbagecollector',
    workers: 8,
    async reconcile(uid) {
      const node = graph.get(uid);
      if (!node) return;
      if (node.deleting && node.finalizers.includes(orphanFinalizer)) return orphanDependents(node);
      if (node.deleting && node.finalizers.includes(foregroundFinalizer)) return deleteDependents(node);
      if (node.deleting || node.owners.length === 0) return;
      return collectIfAbandoned(node);
    },
  });

  const itemOf = (node: GraphNode) => {
    const resource = client.resource(node.resource);
    return node.namespace === undefined ? resource : resource.namespace(node.namespace);
  };

  /** Solid owners keep an object; dangling ones are taken out; with none left it is deleted. */
  const collectIfAbandoned = async (node: GraphNode): Promise<void> => {
    const states = await Promise.all(node.owners.map(owner => ownerState(node, owner)));
    const solid = node.owners.filter((_, at) => states[at] === 'solid');
    const waiting = node.owners.filter((_, at) => states[at] === 'waiting');
    const gone = node.owners.filter((_, at) => states[at] === 'absent');
    if (solid.length > 0) {
      const drop = [...gone, ...waiting];
      if (drop.length > 0) await removeOwners(node, new Set(drop.map(owner => owner.uid)));
      return;
    }
    const live = await ignoreMissing(itemOf(node).get(node.name));
    if (!live || live.metadata.uid !== node.uid) return;
    const dependents = [...graph.dependents(node.uid)];
    const hasDependents = dependents.length > 0;
    // A circle of objects that wait for each other: this one lets its owners go.
    if (waiting.length > 0 && dependents.some(isDeletingDependents)) await unblockOwners(node);
    const propagationPolicy = live.metadata.finalizers?.includes(orphanFinalizer)
      ? 'Orphan'
      : (waiting.length > 0 && hasDependents) || live.metadata.finalizers?.includes(foregroundFinalizer)
        ? 'Foreground'
        : 'Background';
    await ignoreMissing(itemOf(node).delete(node.name, { propagationPolicy, preconditions: { uid: node.uid } }));
  };

  const ownerState = async (
    node: GraphNode,
    owner: GraphNode['owners'][number],
  ): Promise<'solid' | 'waiting' | 'absent'> => {
    const known = graph.get(owner.uid);
    if (known) return isDeletingDependents(known) ? 'waiting' : 'solid';
    const resource = byKind(owner.apiVersion, owner.kind);
    // A kind that nobody serves now: it may come back, so its dependents stay.
    if (!resource) throw new Error(`no resource serves ${owner.apiVersion} ${owner.kind}`);
    if (resource.namespaced && node.namespace === undefined) return 'absent';
    const client0 = client.resource(resource);
    const live = await ignoreMissing(
      (resource.namespaced ? client0.namespace(node.namespace!) : client0).get(owner.name),
    );
    if (!live || live.metadata.uid !== owner.uid) return 'absent';
    return live.metadata.deletionTimestamp && live.metadata.finalizers?.includes(foregroundFinalizer)
      ? 'waiting'
      : 'solid';
  };

  const removeOwners = async (node: GraphNode, uids: ReadonlySet<string>): Promise<void> => {
    const live = await ignoreMissing(itemOf(node).get(node.name));
    if (!live || live.metadata.uid !== node.uid) return;
    const ownerReferences = (live.metadata.ownerReferences ?? []).filter(owner => !uids.has(owner.uid));
    const { resourceVersion } = live.metadata;
    const patch = {
      metadata: { resourceVersion, ownerReferences: ownerReferences.length > 0 ? ownerReferences : null },
    };
    await ignoreMissing(itemOf(node).patch(node.name, patch, { type: 'merge' }));
  };

  const unblockOwners = async (node: GraphNode): Promise<void> => {
    const live = await ignoreMissing(itemOf(node).get(node.name));
    if (!live || live.metadata.uid !== node.uid) return;
    const ownerReferences = (live.metadata.ownerReferences ?? []).map(each => ({ ...each, blockOwnerDeletion: false }));
    const { resourceVersion } = live.metadata;
    await ignoreMissing(
      itemOf(node).patch(node.name, { metadata: { resourceVersion, ownerReferences } }, { type: 'merge' }),
    );
  };

  const removeFinalizer = async (node: GraphNode, finalizer: string): Promise<void> => {
    const live = await ignoreMissing(itemOf(node).get(node.name));
    if (!live || live.metadata.uid !== node.uid || !live.metadata.finalizers?.includes(finalizer)) return;
    const finalizers = live.metadata.finalizers.filter(each => each !== finalizer);
    const patch = {
      metadata: {
        resourceVersion: live.metadata.resourceVersion,
        finalizers: finalizers.length > 0 ? finalizers : null,
      },
    };
    await ignoreMissing(itemOf(node).patch(node.name, patch, { type: 'merge' }));
  };

  const orphanDependents = async (node: GraphNode): Promise<void> => {
    for (const dependent of [...graph.dependents(node.uid)]) await removeOwners(dependent, new Set([node.uid]));
    await removeFinalizer(node, orphanFinalizer);
  };

  /** Foreground: dependents go first; the owner's finalizer when none that blocks is left. */
  const deleteDependents = async (node: GraphNode): Promise<void> => {
    const dependents = [...graph.dependents(node.uid)];
    const blocking = dependents.filter(each =>
      each.owners.some(owner => owner.uid === node.uid && owner.blockOwnerDeletion),
    );
    if (blocking.length === 0) return removeFinalizer(node, foregroundFinalizer);
    for (const dependent of dependents) if (!dependent.deleting) controller.queue.add(dependent.uid);
  };

  const changed = (resource: ResourceName, object: KubeObject): void => {
    const { uid = '' } = object.metadata;
    graph.set(resource, object);
    const node = graph.get(uid)!;
    if (node.owners.length > 0 || node.deleting) controller.queue.add(uid);
    // Dependents of an owner that is going away in the foreground wait for exactly this.
    for (const owner of node.owners) if (graph.get(owner.uid)?.deleting) controller.queue.add(owner.uid);
  };
  const removed = (object: KubeObject): void => {
    const { uid = '', ownerReferences = [] } = object.metadata;
    graph.remove(uid);
    for (const dependent of graph.dependents(uid)) controller.queue.add(dependent.uid);
    for (const owner of ownerReferences) if (graph.get(owner.uid)?.deleting) controller.queue.add(owner.uid);
  };

  const follow = async (signal: AbortSignal): Promise<void> => {
    const wanted = new Map((await discoverCollectable(client)).map(each => [`${each.group}/${each.resource}`, each]));
    for (const [key, { informer }] of informers) {
      if (wanted.has(key)) continue;
      informers.delete(key);
      await informer[Symbol.asyncDispose]();
    }
    const fresh: Array<Promise<void>> = [];
    for (const [key, resource] of wanted) {
      if (informers.has(key)) continue;
      const informer = sharedOrOwn(resource);
      informers.set(key, { informer, resource });
      informer.addHandler({
        added: object => changed(resource, object),
        updated: object => changed(resource, object),
        deleted: removed,
      });
      fresh.push(informer.start(signal));
    }
    await Promise.all(fresh);
  };
  /** Built-in resources are watched once for all controllers; the factory makes an informer only at the first call. */
  const sharedOrOwn = (resource: ResourceName): Informer<KubeObject> =>
    resource.group.includes('.') && !resource.group.endsWith('k8s.io')
      ? createInformer(context, client.resource(resource))
      : context.informers.informer(resource);

  const rediscover = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      try {
        await follow(signal);
      } catch (error) {
        if (!signal.aborted) context.logger.warn('discovery for garbage collection failed', { error });
      }
      await context.clock.sleep(rediscoverMs, signal).catch(() => {});
    }
  };
  const stop = new AbortController();
  let discovering: Promise<void> | undefined;
  return {
    start(signal) {
      const all = anySignal(signal, stop.signal);
      discovering = rediscover(all);
      controller.start(signal);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await discovering;
      await controller[Symbol.asyncDispose]();
    },
  };
}

/** Deleted in the foreground: waits until its dependents are gone. */
function isDeletingDependents({ deleting, finalizers }: GraphNode): boolean {
  return deleting && finalizers.includes(foregroundFinalizer);
}

/** What `work` answers; undefined when the object is gone or another took its place. */
async function ignoreMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isStatusError(error, 'NotFound')) return undefined;
    if (isStatusError(error, 'Conflict') && /uid/i.test(error.message)) return undefined;
    throw error;
  }
}
