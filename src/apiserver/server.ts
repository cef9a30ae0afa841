/**
 * The API server: one instance a cluster, over a store, with a neutral entry that its listeners and in-process
 * transports share. Upstream: apiserver pkg/server/{config,genericapiserver}.go, pkg/controlplane.
 */

import { rulesOf } from '#api/rules';
import type { Activity, Clock, FaultPlan, Logger, MetricsRegistry, Random } from '#base';
import type { Transport } from '#client';
import type { TokenKeys } from '#pki';
import { type Store, startCompactor, startWatchCache } from '#storage';
import { AdmissionChain } from './admission/chain.ts';
import { WebhookClient } from './admission/dynamic/webhooks/client.ts';
import { cacheLookup, podsOnNode } from './admission/lookup.ts';
import { AdmissionMetrics } from './admission/metrics.ts';
import { admissionPlugins } from './admission/plugins.ts';
import { Aggregator } from './aggregation/aggregator.ts';
import { publishAuthenticationInfo } from './aggregation/authentication-info.ts';
import { createAuditor } from './audit/auditor.ts';
import { createAuthentication } from './authentication/authentication.ts';
import type { TokenAuthenticator } from './authentication/authenticator.ts';
import { tokenKeysOf } from './authentication/service-accounts/key-files.ts';
import { secretLabeller } from './authentication/service-accounts/label-secret.ts';
import { serviceAccountUser, type UserInfo, user, withAuthenticatedGroup } from './authentication/user.ts';
import { AuthorizerChain } from './authorization/chain.ts';
import { nodeAuthorizer } from './authorization/node.ts';
import { Rbac } from './authorization/rbac.ts';
import { watchRbacObjects } from './authorization/rbac-objects.ts';
import { bootstrap, ensureObject } from './bootstrap/bootstrap.ts';
import { EndpointReconciler } from './bootstrap/endpoints.ts';
import { collectIdentityLeases, holdIdentityLease, leaseName } from './bootstrap/identity-lease.ts';
import { keepNodePorts } from './bootstrap/node-ports.ts';
import { type ApiServerConfig, defaultConfig } from './config.ts';
import { CelMetrics } from './custom/cel-metrics.ts';
import { Definitions } from './custom/definitions.ts';
import { webhookClient } from './custom/webhook-client.ts';
import { Discovery } from './discovery/discovery.ts';
import { encryptionOptions, startEncryption } from './encryption/encryption.ts';
import { Impersonation } from './filters/impersonation/impersonation.ts';
import { StepMetrics } from './filters/step-metrics.ts';
import { concurrency } from './flow-control/start.ts';
import { type ComponentProbes, localComponent, storeComponent } from './handlers/component-statuses.ts';
import type { KubeletClient } from './handlers/kubelet-tunnel.ts';
import { inProcessTransport } from './http/in-process.ts';
import { type Entry, type Listener, type ListenOptions, listen } from './http/listener.ts';
import { CustomDocuments, OpenapiDocuments } from './openapi/openapi.ts';
import { Caches } from './registry/caches.ts';
import { FieldManagers } from './registry/field-managers.ts';
import { registryHooks } from './registry/hooks/hooks.ts';
import { ObjectStore } from './registry/object-store.ts';
import { Registry } from './registry/registry.ts';
import { StoreMetrics } from './registry/store-metrics.ts';
import { Scheme } from './scheme/scheme.ts';
import { withStoredValues } from './serialization/stored-values.ts';
import type { DispatchDeps } from './server/dispatch.ts';
import { createEntry } from './server/entry.ts';
import { healthChecks } from './server/health.ts';
import { registerProcessMetrics } from './server/process-metrics.ts';
import { serviceResolver } from './server/service-resolver.ts';
import { StartHooks } from './server/start-hooks.ts';
import { storeCheck } from './server/store-check.ts';
import { subresourceHandlers, virtualHandlers } from './server/subresources.ts';
import { Lifecycle } from './shutdown/lifecycle.ts';

export interface ApiServerDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: MetricsRegistry;
  readonly faults: FaultPlan;
  readonly activity: Activity;
  /** Signs and checks ServiceAccount tokens; absent: there are none. */
  readonly tokenKeys?: TokenKeys | undefined;
  /** As whom to reach kubelets for logs, exec and the like. */
  readonly kubeletClient?: KubeletClient;
  /** How components of this process are; those that are not named are asked on upstream's ports. */
  readonly components?: ComponentProbes;
  /** The built-in OpenAPI documents, when several servers share them. */
  readonly openapi?: OpenapiDocuments;
  /** Further ways to recognise a bearer token, asked first. */
  readonly tokenAuthenticators?: readonly TokenAuthenticator[];
}

export interface ApiServer extends AsyncDisposable {
  /** The neutral entry; never rejects. */
  readonly handle: Entry;
  /** A client's way in without a network, bound to an identity (system:authenticated is added). */
  transport(user: UserInfo, userAgent?: string): Transport;
  /** Opens a TLS port. May be called several times. */
  listen(options: ListenOptions): Promise<Listener>;
  /**
   * Begins the end: readiness fails, the address is taken back, and all is served as before until the promise resolves
   * (after `--shutdown-delay-duration`). Disposing does this first, then lets requests and watches come to their end.
   */
  beginShutdown(): Promise<void>;
  /** Resolves when everything that a fresh server has is there. */
  readonly ready: Promise<void>;
  readonly config: ApiServerConfig;
  /** What signs ServiceAccounts' tokens, for the controller that fills Secrets with them. */
  readonly tokenKeys: TokenKeys | undefined;
}

export { serviceAccountUser, type UserInfo, user };

/** Starts an API server over `deps.store`, which stays the caller's. Resolves when it answers. */
export async function createApiServer(
  deps: ApiServerDeps,
  settings: Partial<ApiServerConfig> = {},
): Promise<ApiServer> {
  const config: ApiServerConfig = { ...defaultConfig, ...settings };
  const stopping = new AbortController();
  const scheme = new Scheme(config.keyPrefix, rulesOf);
  const auditor = createAuditor(config.audit, deps);
  const encryption = await startEncryption({ ...deps, scheme }, encryptionOptions(config), stopping.signal);
  const store = withStoredValues(encryption.over(deps.store), scheme, config.storageMediaType);
  const watchCache = await startWatchCache({ ...deps, store }, { prefix: `${config.keyPrefix}/` });
  const compactor = startCompactor({ ...deps, intervalMs: config.compactionIntervalMs });
  const caches = new Caches(watchCache);
  const { clock, random } = deps;
  registerProcessMetrics(deps.metrics, deps.clock);
  const objects = new ObjectStore(store, new StoreMetrics(deps.metrics, deps.clock));
  const startHooks = new StartHooks();
  const lifecycle = new Lifecycle({ ...deps, requestTimeoutMs: config.requestTimeoutMs }, config.shutdown);
  const begunMs = clock.monotonicMs();
  await startHooks.run('storage-readiness', () => store.currentRevision());
  const rbac = await startHooks.run(
    'generic-apiserver-start-informers',
    async () => new Rbac(await watchRbacObjects(scheme, caches, stopping.signal)),
  );
  await startHooks.run('storage-object-count-tracker-hook', () => {});
  const lookup = cacheLookup(scheme, caches);
  const node = nodeAuthorizer(lookup, podsOnNode(scheme, caches));
  const serverId = leaseName(config.keyPrefix);
  const authorizer = new AuthorizerChain({ ...deps, rbac, node, serverId }, config.authorization, stopping.signal);
  const hooks = registryHooks({ ...deps, store, lookup, authorizer }, config, scheme);
  const registry = new Registry({ clock, random, objects, caches, config, hooks });
  const tokenKeys = tokenKeysOf(deps.tokenKeys, config.authentication);
  const authentication = createAuthentication(
    {
      ...deps,
      lookup,
      signal: stopping.signal,
      serverId,
      tokenAuthenticators: deps.tokenAuthenticators ?? [],
      tokenKeys,
      labelSecret: secretLabeller(() => loopback),
    },
    {
      ...config,
      anonymousAuth: config.anonymousAuth && !allowsEverybody(config),
      options: config.authentication,
    },
  );
  const subresourceDeps = {
    lookup,
    authorizer,
    rules: authorizer,
    authentication,
    serviceAccountTokens: authentication.serviceAccountTokens,
    apiAudiences: config.apiAudiences,
    kubeletClient: deps.kubeletClient,
    components: {
      'controller-manager': localComponent(10257),
      scheduler: localComponent(10259),
      ...deps.components,
      'etcd-0': storeComponent(storeCheck(deps.store, clock, config.storeHealthTimeoutMs)),
    },
  };
  const bootstrapDeps = { clock, scheme, registry, config };
  const fieldManagers = new FieldManagers(scheme);
  const makeNamespace = async (name: string): Promise<void> => {
    await ensureObject(bootstrapDeps, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  };
  const toEndpoints = config.aggregation.enableAggregatorRouting;
  const admissionClient = new WebhookClient(serviceResolver(lookup, random, { toEndpoints }), clock);
  const admissionDeps = {
    clock,
    random,
    logger: deps.logger,
    scheme,
    caches,
    fieldManagers,
    lookup,
    authorizer,
    rbac,
    metrics: deps.metrics,
    makeNamespace,
    client: admissionClient,
    signal: stopping.signal,
  };
  const switches = { enable: config.enableAdmissionPlugins, disable: config.disableAdmissionPlugins };
  const dispatchDeps: DispatchDeps = {
    minRequestTimeoutMs: config.minRequestTimeoutMs,
    clock,
    scheme,
    registry,
    caches,
    admission: await startHooks.run(
      'start-apiserver-admission-initializer',
      () =>
        new AdmissionChain(
          admissionPlugins(admissionDeps, switches, config.admissionControl),
          new AdmissionMetrics(deps.metrics, clock),
        ),
    ),
    fieldManagers,
    authorizer,
    subresources: subresourceHandlers(subresourceDeps),
    virtual: virtualHandlers(subresourceDeps),
  };
  await bootstrap(bootstrapDeps, startHooks);
  const endpoints = new EndpointReconciler({ ...deps, ...bootstrapDeps });
  await keepNodePorts({ store, scheme, caches, clock, logger: deps.logger }, config.keyPrefix, stopping.signal);
  await startHooks.run('bootstrap-controller', () => endpoints.start(stopping.signal));
  await startHooks.run('start-kube-apiserver-identity-lease-controller', () =>
    holdIdentityLease(bootstrapDeps, deps.logger, stopping.signal),
  );
  await startHooks.run('start-kube-apiserver-identity-lease-garbage-collector', () =>
    collectIdentityLeases({ ...bootstrapDeps, caches }, deps.logger, stopping.signal),
  );
  const webhooks = webhookClient({ clock, random, lookup });
  const definitions = new Definitions({
    webhooks,
    cel: new CelMetrics(deps.metrics, clock),
    clock,
    logger: deps.logger,
    scheme,
    caches,
    registry,
    keyPrefix: config.keyPrefix,
  });
  await startHooks.run(
    ['start-apiextensions-informers', 'start-apiextensions-controllers', 'crd-informer-synced'],
    () => definitions.start(stopping.signal),
  );
  const aggregator = new Aggregator({
    ...{ ...deps, scheme, caches, registry, lookup, config: config.aggregation, signal: stopping.signal },
    customGroups: () => definitions.groups,
  });
  await startHooks.run(aggregationHooks, () => aggregator.start());
  const { clientCaFile, requestHeader } = config.authentication;
  await startHooks.run('start-cluster-authentication-info-controller', async () => {
    if (!config.publishListenerAuthorities && !clientCaFile && !requestHeader) return;
    await publishAuthenticationInfo({ ...deps, scheme, caches, registry, ...authentication }, stopping.signal);
  });
  const discovery = new Discovery({
    legacyGroups: () => aggregator.legacyGroups,
    aggregatedGroups: () => aggregator.aggregatedGroups,
    serverAddress: request => request.host ?? '',
  });
  const checks = healthChecks({
    store: storeCheck(deps.store, clock, config.storeHealthTimeoutMs),
    storeReadiness: storeCheck(deps.store, clock, config.storeReadyTimeoutMs),
    encryption: encryption.checks,
    startProblem: name => startHooks.problem(name),
    stopping: () => lifecycle.problem,
    flowControl: config.flowControl.enabled,
    isInGrace: () => clock.monotonicMs() - begunMs < config.livezGraceMs,
  });
  const limits = concurrency(
    { ...deps, scheme, caches, requestTimeoutMs: config.requestTimeoutMs },
    config.flowControl,
  );
  const entry = createEntry({
    ...deps,
    concurrency: limits,
    authenticate: authentication.authenticate,
    impersonation: new Impersonation(authorizer, clock, deps.metrics),
    authorizer,
    dispatch: dispatchDeps,
    discovery,
    aggregator,
    openapi: deps.openapi ?? new OpenapiDocuments(),
    customOpenapi: new CustomDocuments(definitions),
    serviceAccountTokens: authentication.serviceAccountTokens,
    checks,
    lifecycle,
    steps: new StepMetrics(deps.metrics, clock),
    requestTimeoutMs: config.requestTimeoutMs,
    auditor,
  });
  const listeners: Listener[] = [];
  const handshakeErrors = deps.metrics.counter(
    'apiserver_tls_handshake_errors_total',
    "[ALPHA] Number of requests dropped with 'TLS handshake error from' error",
  );
  const transports = new Set<Transport>();
  const transportOf = (who: UserInfo, userAgent = 'kobune'): Transport => {
    const transport = inProcessTransport(entry, withAuthenticatedGroup(who), userAgent);
    transports.add(transport);
    return transport;
  };
  const loopback = transportOf(user('system:apiserver', ['system:masters']));
  await startHooks.run(limitHooks, () => limits.start(loopback, stopping.signal));
  // It has no peers to tell its address to.
  await startHooks.run('peer-endpoint-reconciler-controller', () => {});
  const { clientAuthorities, proxyAuthorities } = authentication;
  const trusted = (): string => clientAuthorities.pem + proxyAuthorities.pem;
  for (const authorities of [clientAuthorities, proxyAuthorities]) {
    authorities.onChange(() => listeners.forEach(listener => void listener.trust(trusted())));
  }
  let stopped: Promise<void> | undefined;
  const beginShutdown = (): Promise<void> => lifecycle.begin(() => endpoints.stop());
  const stop = async (): Promise<void> => {
    await beginShutdown();
    await lifecycle.drain(listeners);
    stopping.abort(new Error('the API server stops'));
    compactor[Symbol.dispose]();
    admissionClient[Symbol.dispose]();
    aggregator[Symbol.dispose]();
    for (const transport of transports) await transport[Symbol.asyncDispose]();
    for (const listener of listeners) await listener[Symbol.asyncDispose]();
    await watchCache[Symbol.asyncDispose]();
    await auditor?.stop();
  };
  return {
    handle: entry,
    config,
    tokenKeys,
    ready: Promise.resolve(),
    transport: transportOf,
    async listen(options) {
      clientAuthorities.set('listener', options.tls.clientCaPem);
      const tls = { ...options.tls, clientCaPem: trusted() };
      const listener = await listen({ ...options, tls, onHandshakeError: () => handshakeErrors.inc() }, entry);
      listeners.push(listener);
      return listener;
    },
    beginShutdown,
    [Symbol.asyncDispose]: () => (stopped ??= stop()),
  };
}

const aggregationHooks = [
  'start-kube-aggregator-informers',
  'apiservice-status-local-available-controller',
  'apiservice-status-remote-available-controller',
  'apiservice-registration-controller',
  'apiservice-discovery-controller',
  'apiservice-openapi-controller',
  'apiservice-openapiv3-controller',
];
const limitHooks = [
  'priority-and-fairness-config-consumer',
  'priority-and-fairness-config-producer',
  'priority-and-fairness-filter',
  'max-in-flight-filter',
];

/** With `--authorization-mode=AlwaysAllow` nobody is anonymous: who may do everything is to be somebody. */
function allowsEverybody({ authorization: { authorizers, file } }: ApiServerConfig): boolean {
  return file === undefined && authorizers.some(({ type }) => type === 'AlwaysAllow');
}
