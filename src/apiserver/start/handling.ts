/** The third stage of a start: how requests for resources are handled, admission included. */
import { AdmissionChain } from '../admission/chain.ts';
import { WebhookClient } from '../admission/dynamic/webhooks/client.ts';
import { AdmissionMetrics } from '../admission/metrics.ts';
import { admissionPlugins } from '../admission/plugins.ts';
import { ensureObject } from '../bootstrap/bootstrap.ts';
import { BulkTurns } from '../flow-control/bulk-turns.ts';
import { type ComponentProbes, localComponent, storeComponent } from '../handlers/component-statuses.ts';
import { FieldManagers } from '../registry/field-managers.ts';
import { registryHooks } from '../registry/hooks/hooks.ts';
import { Registry } from '../registry/registry.ts';
import { PieceBuffers } from '../serialization/piece-buffers.ts';
import { deprecatedApis } from '../server/deprecated-apis.ts';
import type { DispatchDeps } from '../server/dispatch.ts';
import { serviceResolver } from '../server/service-resolver.ts';
import { storeCheck } from '../server/store-check.ts';
import { subresourceHandlers, virtualHandlers } from '../server/subresources.ts';
import type { Access } from './access.ts';
import type { Start } from './start.ts';
import type { Storage } from './storage.ts';

export interface Handling extends Disposable {
  readonly registry: Registry;
  readonly dispatch: DispatchDeps;
}

export async function startHandling(start: Start, storage: Storage, access: Access): Promise<Handling> {
  const { deps, config } = start;
  const { clock, random } = deps;
  const { scheme, store, caches, objects } = storage;
  const { lookup, authorizer, authentication } = access;
  const hooks = registryHooks({ ...deps, store, lookup, authorizer }, config, scheme);
  const clusterTrustBundleProjection = start.features.enabled('ClusterTrustBundleProjection');
  const ruleConfig = { ...config, clusterTrustBundleProjection };
  const fieldManagers = new FieldManagers(scheme);
  const registry = new Registry({ clock, random, objects, caches, config: ruleConfig, hooks, fieldManagers });
  const toEndpoints = config.aggregation.enableAggregatorRouting;
  const client = new WebhookClient(serviceResolver(lookup, random, { toEndpoints }), clock);
  const admission = await admissionOf(start, storage, access, { registry, fieldManagers, client });
  const subresourceDeps = {
    lookup,
    authorizer,
    rules: authorizer,
    authentication,
    serviceAccountTokens: authentication.serviceAccountTokens,
    apiAudiences: config.apiAudiences,
    kubeletClient: deps.kubeletClient,
    preferredAddresses: config.kubeletPreferredAddressTypes,
    kubeletPort: config.kubeletPort,
    components: componentProbes(start),
  };
  return {
    registry,
    dispatch: {
      minRequestTimeoutMs: config.minRequestTimeoutMs,
      clock,
      scheme,
      registry,
      caches,
      admission,
      fieldManagers,
      pieces: new PieceBuffers(),
      turns: new BulkTurns(clock),
      authorizer,
      subresources: subresourceHandlers(subresourceDeps),
      virtual: virtualHandlers(subresourceDeps),
      deprecated: deprecatedApis(deps.metrics),
    },
    [Symbol.dispose]: () => client[Symbol.dispose](),
  };
}

interface AdmissionParts {
  readonly registry: Registry;
  readonly fieldManagers: FieldManagers;
  readonly client: WebhookClient;
}

async function admissionOf(
  { deps, config, hooks, signal }: Start,
  { scheme, caches }: Storage,
  { lookup, authorizer, rbac }: Access,
  { registry, fieldManagers, client }: AdmissionParts,
): Promise<AdmissionChain> {
  const { clock, metrics } = deps;
  const makeNamespace = async (name: string): Promise<void> => {
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
    await ensureObject({ clock, scheme, registry, config }, namespace);
  };
  const { enableAdmissionPlugins: enable, disableAdmissionPlugins: disable, admissionControl } = config;
  const { tolerationSeconds } = config;
  const parts = {
    ...deps,
    scheme,
    caches,
    fieldManagers,
    lookup,
    authorizer,
    rbac,
    makeNamespace,
    client,
    signal,
    tolerationSeconds,
  };
  return hooks.run('start-apiserver-admission-initializer', () => {
    const plugins = admissionPlugins(parts, { enable, disable }, admissionControl);
    return new AdmissionChain(plugins, new AdmissionMetrics(metrics, clock));
  });
}

/** Where upstream's components listen on a machine. Upstream: cluster/ports/ports.go. */
const controllerManagerPort = 10257;
const schedulerPort = 10259;

function componentProbes({ deps: { store, clock, components }, config }: Start): ComponentProbes {
  return {
    'controller-manager': localComponent(controllerManagerPort),
    scheduler: localComponent(schedulerPort),
    ...components,
    'etcd-0': storeComponent(storeCheck(store, clock, config.storeHealthTimeoutMs)),
  };
}
