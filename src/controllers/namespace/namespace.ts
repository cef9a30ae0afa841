/**
 * Empties a namespace that is being deleted, then lets it go: all its objects by discovery, pods first, with conditions
 * that say what stands in the way. Upstream: pkg/controller/namespace/deletion/namespaced_resources_deleter.go.
 */
import type { Namespace } from '#api/types';
import { apiVersionOf, isStatusError, parseApiVersion } from '#apimachinery';
import { type Client, createController, namespaces, type ResourceName } from '#client';
import type { ControllerDefinition } from '../context.ts';
import { type ContentReport, namespaceConditions } from './conditions.ts';

const finalizer = 'kubernetes';
const retryMs = 1000;
const maxGraceSeconds = 30;

export const namespaceController: ControllerDefinition = {
  name: 'namespace-controller',
  serviceAccount: 'namespace-controller',
  setUp(context) {
    const informer = context.informers.informer(namespaces);
    const controller = createController(context, {
      name: 'namespace',
      workers: 5,
      async reconcile(name) {
        const namespace = informer.get(name);
        if (!namespace?.metadata.deletionTimestamp) return;
        const current = await markTerminating(context.client, namespace);
        if (!current?.spec?.finalizers?.includes(finalizer)) return;
        const report = await deleteContent(context.client, name);
        await publish(context.client, current, namespaceConditions(current, report, context.clock.now()));
        if (report.remaining.length > 0 || report.failures.length > 0) {
          return { requeueAfterMs: Math.min(Math.max(report.graceSeconds, 0), maxGraceSeconds) * 500 + retryMs };
        }
        await finalize(context.client, name);
        return;
      },
    });
    informer.addHandler({
      added: object => controller.queue.add(object.metadata.name!),
      updated: object => controller.queue.add(object.metadata.name!),
    });
    return controller;
  },
};

/** The namespace with phase Terminating; undefined when it is gone. */
async function markTerminating(client: Client, namespace: Namespace): Promise<Namespace | undefined> {
  try {
    const current = await client.resource(namespaces).get(namespace.metadata.name!);
    if (current.metadata.uid !== namespace.metadata.uid || !current.metadata.deletionTimestamp) return undefined;
    if (current.status?.phase === 'Terminating') return current;
    return await client.resource(namespaces).updateStatus({
      ...current,
      status: { ...current.status, phase: 'Terminating' },
    });
  } catch (error) {
    if (isStatusError(error, 'NotFound')) return undefined;
    throw error;
  }
}

async function publish(client: Client, namespace: Namespace, conditions: Namespace['status']): Promise<void> {
  if (!conditions) return;
  try {
    const next = { ...namespace, status: conditions };
    await client.resource(namespaces).updateStatus(next);
  } catch (error) {
    if (!isStatusError(error, 'NotFound', 'Conflict')) throw error;
  }
}

async function finalize(client: Client, name: string): Promise<void> {
  try {
    const current = await client.resource(namespaces).get(name);
    const finalizers = (current.spec?.finalizers ?? []).filter(each => each !== finalizer);
    await client
      .resource(namespaces)
      .subresource(name, 'finalize', { ...current, spec: { finalizers } }, { method: 'PUT' });
  } catch (error) {
    if (!isStatusError(error, 'NotFound')) throw error;
  }
}

/** Deletes what there is; reports what is left. */
async function deleteContent(client: Client, namespace: string): Promise<ContentReport> {
  const { resources, failures: discoveryFailures } = await namespacedResources(client);
  const report: ContentReport = { remaining: [], finalizers: [], failures: [], discoveryFailures, graceSeconds: 0 };
  const podsFirst = [...resources].sort((a, b) => Number(isPods(b)) - Number(isPods(a)));
  for (const resource of podsFirst) {
    try {
      await deleteAll(client, resource, namespace, report);
    } catch (error) {
      if (isStatusError(error, 'NotFound', 'MethodNotAllowed')) continue;
      report.failures.push(error instanceof Error ? error.message : String(error));
    }
    if (isPods(resource) && report.remaining.length > 0) break;
  }
  return report;
}

const isPods = (resource: ResourceName): boolean => resource.group === '' && resource.resource === 'pods';

async function deleteAll(
  client: Client,
  resource: ResourceName,
  namespace: string,
  report: ContentReport,
): Promise<void> {
  const collection = client.resource(resource).namespace(namespace);
  const before = await collection.list();
  if (before.items.length === 0) return;
  await collection.deleteCollection({ propagationPolicy: 'Background' });
  const { items } = await collection.list();
  if (items.length === 0) return;
  const text = resource.group === '' ? `${resource.resource}.` : `${resource.resource}.${resource.group}`;
  report.remaining.push({ resource: text, count: items.length });
  for (const { metadata } of items) {
    report.graceSeconds = Math.max(report.graceSeconds, metadata.deletionGracePeriodSeconds ?? 0);
    for (const each of metadata.finalizers ?? []) report.finalizers.push(each);
  }
}

interface ApiResourceList {
  readonly groupVersion: string;
  readonly resources: ReadonlyArray<{ name: string; kind: string; namespaced: boolean; verbs: readonly string[] }>;
}

/** Every namespaced resource that can be listed and deleted, in its preferred version. */
async function namespacedResources(client: Client): Promise<{ resources: ResourceName[]; failures: string[] }> {
  const { groups } = (await client.getJson('/apis')) as unknown as {
    groups: ReadonlyArray<{ preferredVersion: { groupVersion: string } }>;
  };
  const failures: string[] = [];
  const paths = ['/api/v1', ...groups.map(group => `/apis/${group.preferredVersion.groupVersion}`)];
  const lists = await Promise.all(
    paths.map(async path => {
      try {
        return (await client.getJson(path)) as unknown as ApiResourceList;
      } catch (error) {
        failures.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
        return undefined;
      }
    }),
  );
  const resources = lists.flatMap(list =>
    (list?.resources ?? [])
      .filter(each => each.namespaced && !each.name.includes('/'))
      .filter(each => each.verbs.includes('deletecollection') && each.verbs.includes('list'))
      .map(each => ({
        ...parseApiVersion(list!.groupVersion),
        resource: each.name,
        kind: each.kind,
        namespaced: true,
      })),
  );
  return { resources: dedupe(resources), failures };
}

/** Events stand in two groups that share a store. */
function dedupe(resources: readonly ResourceName[]): ResourceName[] {
  return resources.filter(each => apiVersionOf(each) !== 'events.k8s.io/v1');
}
