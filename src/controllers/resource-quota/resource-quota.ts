/**
 * Keeps the status of quotas: takes over `spec.hard`, counts what exists, and gives back what was deleted or has ended.
 * Upstream: pkg/controller/resourcequota/{resource_quota_controller,resource_quota_monitor}.go.
 *
 * A count is right at the revision of the quota it is written to: the quota is read first, the objects after it, and the
 * write holds only if nobody charged the quota meanwhile. Events of objects say when to count; only resources that some
 * quota names are watched.
 * Deviation: upstream counts in its informers, which may lag behind the quota, and watches every resource.
 */
import {
  type Amounts,
  addAmounts,
  amountsOf,
  amountsToJson,
  claimUsageChanged,
  equalAmounts,
  isQuotaPod,
  isTerminatingPod,
  maskAmounts,
  type QuotaEvaluator,
  quotaEvaluatorOf,
  quotaServiceType,
  usageOf,
} from '#api/quota/helpers';
import type { PersistentVolumeClaim, Pod, ResourceQuota, Service } from '#api/types';
import { type KubeObject, semanticEqual } from '#apimachinery';
import { anySignal } from '#base';
import { createController, createInformer, type Informer, type ResourceName, resourceQuotas } from '#client';
import type { ControllerContext, ControllerDefinition, StartableController } from '../context.ts';
import { discoverCountable } from './discovery.ts';

/** Upstream's --resource-quota-sync-period. */
const resyncMs = 300_000;
/** How long a resource that discovery does not know is not asked for again. */
const rediscoverMs = 30_000;
/** How long a count waits for the events of a resource to begin. */
const startMs = 5000;
const workers = 5;

export const resourceQuotaController: ControllerDefinition = {
  name: 'resourcequota-controller',
  serviceAccount: 'resourcequota-controller',
  setUp: context => setUp(context),
};

interface Counted {
  readonly evaluator: QuotaEvaluator;
  readonly resource: ResourceName;
}

/** `pods` of the core group as `pods.`. */
const keyOf = (resource: Pick<ResourceName, 'group' | 'resource'>): string => `${resource.resource}.${resource.group}`;

function setUp(context: ControllerContext): StartableController {
  const { client, clock } = context;
  const quotas = context.informers.informer(resourceQuotas);
  const stop = new AbortController();
  const watched = new Set<string>();
  const own: Informer<KubeObject>[] = [];
  let signal: AbortSignal = stop.signal;
  let known: readonly ResourceName[] = [];
  let lookedMs = Number.NEGATIVE_INFINITY;

  /** The resources whose objects the names count. */
  const countedBy = async (names: readonly string[]): Promise<Counted[]> => {
    const find = (): Counted[] =>
      known.flatMap(resource => {
        const evaluator = quotaEvaluatorOf(resource.group, resource.resource);
        return evaluator && evaluator.matching(names).length > 0 ? [{ evaluator, resource }] : [];
      });
    const found = find();
    const all = names.every(name => found.some(({ evaluator }) => evaluator.matching([name]).length > 0));
    if (all || clock.monotonicMs() - lookedMs < rediscoverMs) return found;
    known = await discoverCountable(client);
    lookedMs = clock.monotonicMs();
    return find();
  };

  const replenish = (evaluator: QuotaEvaluator, namespace: string | undefined): void => {
    for (const quota of quotas.list()) {
      if (quota.metadata.namespace !== namespace) continue;
      if (evaluator.matching(Object.keys(quota.spec?.hard ?? {})).length === 0) continue;
      controller.queue.add(`${namespace}/${quota.metadata.name}`);
    }
  };

  /** Resolves when events of the resource arrive, so that nothing goes unnoticed after a count. */
  const watch = async ({ evaluator, resource }: Counted): Promise<void> => {
    const key = keyOf(resource);
    if (watched.has(key)) return;
    const shared = isBuiltIn(resource);
    const informer = shared ? context.informers.informer(resource) : createInformer(context, client.resource(resource));
    watched.add(key);
    if (!shared) own.push(informer);
    informer.addHandler({
      updated: (object, old) => {
        if (usageFell(resource, object, old, clock.now())) replenish(evaluator, object.metadata.namespace);
      },
      deleted: object => replenish(evaluator, object.metadata.namespace),
    });
    // One that cannot start now tries again by itself.
    const started = informer.start(signal).catch(() => undefined);
    await Promise.race([started, clock.sleep(startMs, signal).catch(() => undefined)]);
  };

  const controller = createController(context, {
    name: 'resourcequota',
    workers,
    async reconcile(key) {
      const [namespace = '', name = ''] = key.split('/');
      const item = client.resource(resourceQuotas).namespace(namespace);
      // Its role may list and watch everything, but get nothing.
      const [quota] = (await item.list({ fieldSelector: `metadata.name=${name}` })).items;
      if (!quota) return;
      const counted = await countedBy(Object.keys(quota.spec?.hard ?? {}));
      for (const each of counted) await watch(each);
      let usage: Amounts = new Map();
      for (const { evaluator, resource } of counted) {
        const { items } = await client.resource(resource).namespace(namespace).list();
        usage = addAmounts(usage, usageOf(evaluator, quota, items, clock.now()));
      }
      const next = nextStatus(quota, usage);
      if (next) await item.updateStatus({ ...quota, status: next });
    },
  });

  quotas.addHandler({
    added: quota => controller.queue.add(`${quota.metadata.namespace}/${quota.metadata.name}`),
    updated: (quota, old) => {
      if (semanticEqual(quota.spec?.hard, old.spec?.hard) && semanticEqual(quota.status?.hard, quota.spec?.hard))
        return;
      controller.queue.add(`${quota.metadata.namespace}/${quota.metadata.name}`);
    },
  });
  const resync = async (): Promise<void> => {
    while (!signal.aborted) {
      await clock.sleep(resyncMs, signal).catch(() => undefined);
      for (const quota of quotas.list()) controller.queue.add(`${quota.metadata.namespace}/${quota.metadata.name}`);
    }
  };
  let resyncing: Promise<void> | undefined;
  return {
    start(outer) {
      signal = anySignal(outer, stop.signal);
      controller.start(signal);
      resyncing = resync();
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await controller[Symbol.asyncDispose]();
      await resyncing;
      for (const informer of own) await informer[Symbol.asyncDispose]();
    },
  };
}

function isBuiltIn({ group }: ResourceName): boolean {
  return !group.includes('.') || group.endsWith('.k8s.io');
}

/** What the status must say; undefined when it says so already. What could not be counted keeps its last value. */
function nextStatus(quota: ResourceQuota, usage: Amounts): ResourceQuota['status'] | undefined {
  const hard = quota.spec?.hard ?? {};
  const before = amountsOf(quota.status?.used);
  const used = maskAmounts(new Map([...before, ...usage]), Object.keys(hard));
  const clean = quota.status?.hard !== undefined && quota.status.used !== undefined;
  if (clean && sameHard(quota) && equalAmounts(used, before)) return undefined;
  return { hard, used: amountsToJson(used) };
}

function sameHard(quota: ResourceQuota): boolean {
  return equalAmounts(amountsOf(quota.spec?.hard), amountsOf(quota.status?.hard));
}

/** Whether an update may have given something back, or moved the object to other scopes. Upstream: DefaultUpdateFilter. */
function usageFell({ group, resource }: ResourceName, object: KubeObject, old: KubeObject, nowMs: number): boolean {
  if (group !== '') return false;
  if (resource === 'pods') {
    const [now, before] = [object, old] as unknown as [Pod, Pod];
    if (isTerminatingPod(now) !== isTerminatingPod(before)) return true;
    if (isQuotaPod(before, nowMs) && !isQuotaPod(now, nowMs)) return true;
    return resourcesText(now) !== resourcesText(before);
  }
  if (resource === 'services') {
    return quotaServiceType(object as unknown as Service) !== quotaServiceType(old as unknown as Service);
  }
  if (resource !== 'persistentvolumeclaims') return false;
  return claimUsageChanged(object as unknown as PersistentVolumeClaim, old as unknown as PersistentVolumeClaim);
}

function resourcesText({ spec, status }: Pod): string {
  const statuses = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])];
  return JSON.stringify([
    spec.containers?.map(each => each.resources),
    spec.initContainers?.map(each => each.resources),
    statuses.map(each => [each.name, each.resources, each.allocatedResources]),
  ]);
}
