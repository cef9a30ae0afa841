/**
 * What a fresh server has: system namespaces, priority classes, roles and bindings, the Service range,
 * the local APIServices. Only what is absent is made, so that a restart changes nothing. Upstream: the post-start hooks
 * of pkg/controlplane and kube-aggregator's autoregister.
 */
import { type Draft, formatTime, isStatusError, type KubeObject, parseApiVersion } from '#apimachinery';
import type { Clock } from '#base';
import { localCondition } from '../aggregation/availability.ts';
import { builtinServices, wantedObject } from '../aggregation/registration.ts';
import type { ApiServerConfig } from '../config.ts';
import type { FeatureGates } from '../features/feature-gates.ts';
import type { WriteContext } from '../registry/context.ts';
import { ownFieldManager } from '../registry/field-managers.ts';
import { ownContext } from '../registry/own-context.ts';
import type { Registry } from '../registry/registry.ts';
import type { StoredObject } from '../registry/stored-object.ts';
import { type ServedResource, storageKey } from '../scheme/resource.ts';
import type { Scheme } from '../scheme/scheme.ts';
import type { StartHooks } from '../start/start-hooks.ts';
import { rbacObjects } from './rbac.ts';
import { reconciled } from './rbac-reconcile.ts';

export interface BootstrapDeps {
  readonly clock: Clock;
  readonly scheme: Scheme;
  readonly registry: Registry;
  readonly config: ApiServerConfig;
}

const systemNamespaces: readonly string[] = ['kube-system', 'kube-public', 'kube-node-lease', 'default'];

/** The first addresses of the Service range: one constant of upstream's API. */
function firstServiceAddress(cidr: string): string {
  const [address = ''] = cidr.split('/');
  const parts = address.split('.');
  if (parts.length !== 4) return `${address.replace(/::.*$/, '')}::1`;
  return [...parts.slice(0, 3), String(Number(parts[3]) + 1)].join('.');
}

/**
 * Makes what is missing. Safe to call at every start. All of it is asked for at once: none needs another to be there,
 * and a store answers hundreds of reads, and makes hundreds of writes durable, nearly as fast as one.
 */
export async function bootstrap(
  deps: BootstrapDeps & { readonly features: FeatureGates },
  hooks: StartHooks,
): Promise<void> {
  const make = (name: string | readonly string[], objects: readonly Draft<KubeObject>[]): Promise<void> =>
    hooks.run(name, async () => {
      await Promise.all(objects.map(object => ensure(deps, object)));
    });
  await Promise.all([
    make('start-system-namespaces-controller', systemNamespaces.map(namespaceObject)),
    hooks.run(['start-kubernetes-service-cidr-controller', 'start-service-ip-repair-controllers'], () =>
      ensureServiceCidr(deps),
    ),
    make('scheduling/bootstrap-system-priority-classes', priorityClasses()),
    hooks.run('rbac/bootstrap-roles', async () => {
      const expected = rbacObjects(deps.features);
      await splitDiscovery(deps, expected);
      await Promise.all(
        expected.map(async object => {
          const there = await ensure(deps, object);
          if (there) await reconcile(deps, object, there);
        }),
      );
    }),
    hooks.run('kube-apiserver-autoregistration', async () => {
      await Promise.all(apiServices(deps.scheme).map(object => ensureWithStatus(deps, object)));
    }),
    make([], [kubernetesService(deps.config)]),
    make('start-legacy-token-tracking-controller', [tokenTracking(deps.clock.now())]),
  ]);
}

/** Since when tokens of Secrets are watched for use: from the start, for there never were others. */
function tokenTracking(nowMs: number): Draft<KubeObject> {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'kube-apiserver-legacy-service-account-token-tracking', namespace: 'kube-system' },
    data: { since: formatTime(nowMs).slice(0, 10) },
  };
}

function namespaceObject(name: string): Draft<KubeObject> {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
}

function priorityClasses(): Draft<KubeObject>[] {
  const make = (name: string, value: number, description: string): Draft<KubeObject> => ({
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name },
    value,
    description,
  });
  return [
    make(
      'system-node-critical',
      2000001000,
      'Used for system critical pods that must not be moved from their current node.',
    ),
    make(
      'system-cluster-critical',
      2000000000,
      'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
    ),
  ];
}

async function ensureServiceCidr(deps: BootstrapDeps): Promise<void> {
  const applied = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name: 'kubernetes' },
    status: {
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          lastTransitionTime: formatTime(deps.clock.now()),
          message: 'Kubernetes default Service CIDR is ready',
        },
      ],
    },
  };
  const object = { ...structuredClone(applied), spec: { cidrs: [...deps.config.serviceCidrs] } } as Draft<KubeObject>;
  await ensureWithStatus(deps, object, live => {
    const tracker = deps.registry.deps.fieldManagers.of(resourceOf(deps, object), 'status');
    const manager = 'kubernetes-service-cidr-controller';
    return tracker.apply(live, applied, { manager, nowMs: deps.clock.now(), force: true });
  });
}

function apiServices(scheme: Scheme): Draft<KubeObject>[] {
  return builtinServices(scheme).map(wanted => ({
    ...wantedObject(wanted),
    status: { conditions: [{ ...localCondition, lastTransitionTime: undefined }] },
  }));
}

function kubernetesService(config: ApiServerConfig): Draft<KubeObject> {
  const { kubernetesServiceNodePort: nodePort, externalAddress } = config;
  const port = { name: 'https', protocol: 'TCP', port: 443, targetPort: externalAddress?.port ?? 6443 };
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { component: 'apiserver', provider: 'kubernetes' },
    },
    spec: {
      ports: [nodePort > 0 ? { ...port, nodePort } : port],
      clusterIP: firstServiceAddress(config.serviceCidrs[0]!),
      type: nodePort > 0 ? 'NodePort' : 'ClusterIP',
      sessionAffinity: 'None',
      ipFamilyPolicy: 'SingleStack',
    },
  };
}

/**
 * A store from before public information had a binding of its own: who was bound to discovery is bound to that as well.
 * Upstream: primeSplitClusterRoleBindings of pkg/registry/rbac/rest/storage_rbac.go.
 */
async function splitDiscovery(deps: BootstrapDeps, expected: readonly Draft<KubeObject>[]): Promise<void> {
  const binding = (name: string): Draft<KubeObject> =>
    expected.find(each => each.kind === 'ClusterRoleBinding' && each.metadata.name === name)!;
  const stored = async (object: Draft<KubeObject>): Promise<StoredObject | null> =>
    await deps.registry.deps.objects.get(storageKey(resourceOf(deps, object).storage, '', object.metadata.name!));
  const [source, target] = [binding('system:discovery'), binding('system:public-info-viewer')];
  const [discovery, there] = await Promise.all([stored(source), stored(target)]);
  if (!discovery || there) return;
  const { metadata, ...rest } = discovery.draft();
  const { labels, annotations } = metadata;
  const made = { ...structuredClone(target), subjects: rest['subjects'] } as Draft<KubeObject>;
  made.metadata = { name: target.metadata.name!, ...(labels && { labels }), ...(annotations && { annotations }) };
  await ensure(deps, made);
}

/** Gives a role or binding that was there what it lacks of the default. Upstream: EnsureRBACPolicy. */
async function reconcile(deps: BootstrapDeps, expected: Draft<KubeObject>, stored: StoredObject): Promise<void> {
  const resource = resourceOf(deps, expected);
  const context = contextFor(resource, expected, '');
  const outcome = reconciled(stored.decoded(), expected, stored.revision === stored.createRevision);
  if (outcome === 'recreate') {
    await deps.registry.modify(resource, context, draft => {
      draft['roleRef'] = structuredClone(expected['roleRef']);
      draft['subjects'] = structuredClone(expected['subjects']);
    });
  } else if (outcome) {
    await deps.registry.modify(resource, context, draft => void Object.assign(draft, structuredClone(outcome)));
  }
}

/** Creates an object of the server's own unless it is there; answers whether it was created. */
export async function ensureObject(deps: BootstrapDeps, object: Draft<KubeObject>): Promise<boolean> {
  return !(await ensure(deps, object));
}

/** Answers what was there; null when the object was created. */
async function ensure(deps: BootstrapDeps, object: Draft<KubeObject>): Promise<StoredObject | null> {
  const resource = resourceOf(deps, object);
  const context = contextFor(resource, object, '');
  const key = storageKey(resource.storage, context.namespace, context.name);
  const { objects } = deps.registry.deps;
  const there = await objects.get(key);
  if (there) return there;
  resource.rules.defaults?.(object);
  try {
    await deps.registry.create(resource, object, context);
    return null;
  } catch (error) {
    if (isStatusError(error, 'AlreadyExists')) return await objects.get(key);
    throw error;
  }
}

/** The same, and its status once it has been made: by `apply`, or without anybody to own it. */
async function ensureWithStatus(
  deps: BootstrapDeps,
  object: Draft<KubeObject>,
  apply?: (live: KubeObject) => KubeObject,
): Promise<void> {
  const status = structuredClone(object['status']) as { conditions: Array<Record<string, unknown>> };
  for (const each of status.conditions) each['lastTransitionTime'] ??= formatTime(deps.clock.now());
  if (await ensure(deps, object)) return;
  const resource = resourceOf(deps, object);
  await deps.registry.update(
    resource,
    async existing =>
      (apply
        ? structuredClone(apply(existing!.decoded()))
        : { ...existing!.draft(), status: structuredClone(status) }) as Draft<KubeObject>,
    withoutOwner(contextFor(resource, object, 'status')),
  );
}

function withoutOwner({ fieldManager: _, ...context }: WriteContext): WriteContext {
  return context;
}

function resourceOf(deps: BootstrapDeps, object: Draft<KubeObject>): ServedResource {
  const resource = deps.scheme.ofKind({ ...parseApiVersion(object.apiVersion), kind: object.kind });
  if (!resource) throw new Error(`${object.kind} is not served`);
  return resource;
}

function contextFor(resource: ServedResource, object: Draft<KubeObject>, subresource: string): WriteContext {
  const { name = '', namespace } = object.metadata;
  return { ...ownContext(resource, name, namespace), subresource, fieldManager: ownFieldManager };
}
