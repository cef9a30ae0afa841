/**
 * The API server: one instance a cluster, over a store, with a neutral entry that its listeners and in-process
 * transports share. It starts in four stages (`start/`); here they become something that answers and can be stopped.
 * Upstream: apiserver pkg/server/{config,genericapiserver}.go, pkg/controlplane.
 */
import { type ServedFacts, servedByDefault } from '#api/tables';
import type { Transport } from '#client';
import type { TokenKeys } from '#pki';
import { createAuditor } from './audit/auditor.ts';
import { serviceAccountUser, type UserInfo, user, withAuthenticatedGroup } from './authentication/user.ts';
import { type ApiServerConfig, defaultConfig } from './config.ts';
import { Discovery } from './discovery/discovery.ts';
import { FeatureGates } from './features/feature-gates.ts';
import { withBrowserHeaders } from './filters/browser-headers.ts';
import { Impersonation } from './filters/impersonation/impersonation.ts';
import { StepMetrics } from './filters/step-metrics.ts';
import { concurrency } from './flow-control/start.ts';
import { inProcessTransport } from './http/in-process.ts';
import type { Entry, Listener } from './http/listener.ts';
import { CustomDocuments, OpenapiDocuments } from './openapi/openapi.ts';
import { createEntry } from './server/entry.ts';
import { type HealthCheck, healthChecks } from './server/health.ts';
import { type PortOptions, Ports } from './server/ports.ts';
import { registerProcessMetrics } from './server/process-metrics.ts';
import { HealthIndicators, processStartMs } from './server/root-pages.ts';
import { storeCheck } from './server/store-check.ts';
import { zpages } from './server/zpages.ts';
import { Lifecycle } from './shutdown/lifecycle.ts';
import { startAccess } from './start/access.ts';
import { startContents } from './start/contents.ts';
import { startHandling } from './start/handling.ts';
import type { ApiServerDeps, Start } from './start/start.ts';
import { StartHooks } from './start/start-hooks.ts';
import { type Storage, startStorage } from './start/storage.ts';

export type { ApiServerDeps } from './start/start.ts';

export interface ApiServer extends AsyncDisposable {
  /** The neutral entry; never rejects. */
  readonly handle: Entry;
  /** A client's way in without a network, bound to an identity (system:authenticated is added). */
  transport(user: UserInfo, userAgent?: string): Transport;
  /** Opens a TLS port. May be called several times. */
  listen(options: PortOptions): Promise<Listener>;
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

const limitHooks = [
  'priority-and-fairness-config-consumer',
  'priority-and-fairness-config-producer',
  'priority-and-fairness-filter',
  'max-in-flight-filter',
];

/** Starts an API server over `deps.store`, which stays the caller's. Resolves when it answers. */
export async function createApiServer(
  deps: ApiServerDeps,
  settings: Partial<ApiServerConfig> = {},
): Promise<ApiServer> {
  const config: ApiServerConfig = { ...defaultConfig, ...settings };
  const { clock, metrics } = deps;
  const stopping = new AbortController();
  const hooks = new StartHooks();
  const features = new FeatureGates(config.featureGates);
  features.register(metrics);
  const start: Start = {
    deps,
    config,
    hooks,
    features,
    begunMs: clock.monotonicMs(),
    signal: stopping.signal,
    loopback: () => loopback,
  };
  const auditor = createAuditor(config.audit, deps);
  registerProcessMetrics(metrics, clock);
  const lifecycle = new Lifecycle({ ...deps, requestTimeoutMs: config.requestTimeoutMs }, config.shutdown);
  const storage = await startStorage(start);
  const access = await startAccess(start, storage);
  const handling = await startHandling(start, storage, access);
  const contents = await startContents(start, storage, access, handling.registry);
  const { authentication, authorizer } = access;
  const { aggregator, definitions, endpoints } = contents;
  const limits = concurrency(
    { ...deps, ...storage, turns: handling.dispatch.turns, requestTimeoutMs: config.requestTimeoutMs },
    config.flowControl,
  );
  const entry = createEntry({
    ...deps,
    concurrency: limits,
    authenticate: authentication.authenticate,
    impersonation: new Impersonation(authorizer, clock, metrics),
    authorizer,
    dispatch: handling.dispatch,
    discovery: new Discovery({
      builtin: aggregator.builtin,
      aggregations: metrics.counter(
        'aggregator_discovery_aggregation_count_total',
        '[ALPHA] Counter of number of times discovery was aggregated',
        true,
      ),
      legacyGroups: () => aggregator.legacyGroups,
      aggregatedGroups: () => aggregator.aggregatedGroups,
      serverAddress: request => config.externalHostname ?? request.host ?? '',
    }),
    aggregator,
    openapi: openapiOf(deps, storage.scheme.served),
    customOpenapi: new CustomDocuments(definitions, storage.scheme.served),
    compresses: features.enabled('APIResponseCompression'),
    serviceAccountTokens: authentication.serviceAccountTokens,
    checks: checksOf(start, storage, lifecycle),
    lifecycle,
    steps: new StepMetrics(metrics, clock),
    requestTimeoutMs: config.requestTimeoutMs,
    auditor,
    profiling: config.profiling,
    setVerbosity: config.setVerbosity,
    healthIndicators: new HealthIndicators(clock),
    zpages: zpages({ clock, features, flags: config.flags, startedMs: processStartMs(clock) }),
    externalHostname: config.externalHostname,
  });
  const transports = new Set<Transport>();
  const transportOf = (who: UserInfo, userAgent = 'kobune'): Transport => {
    const transport = inProcessTransport(entry, withAuthenticatedGroup(who), userAgent);
    transports.add(transport);
    return transport;
  };
  const loopback = transportOf(user('system:apiserver', ['system:masters']));
  await hooks.run(limitHooks, () => limits.start(loopback, stopping.signal));
  // It has no peers to tell its address to.
  await hooks.run('peer-endpoint-reconciler-controller', () => {});
  const ports = new Ports(
    withBrowserHeaders(entry, config, () => deps.random.uuid()),
    authentication,
    deps,
  );
  let stopped: Promise<void> | undefined;
  const beginShutdown = (): Promise<void> => lifecycle.begin(() => endpoints.stop());
  const stop = async (): Promise<void> => {
    await beginShutdown();
    await lifecycle.drain(ports.listeners);
    stopping.abort(new Error('the API server stops'));
    handling[Symbol.dispose]();
    aggregator[Symbol.dispose]();
    for (const transport of transports) await transport[Symbol.asyncDispose]();
    for (const listener of ports.listeners) await listener[Symbol.asyncDispose]();
    await storage[Symbol.asyncDispose]();
    await auditor?.stop();
  };
  return {
    handle: entry,
    config,
    tokenKeys: access.tokenKeys,
    ready: Promise.resolve(),
    transport: transportOf,
    listen: options => ports.open(options),
    beginShutdown,
    [Symbol.asyncDispose]: () => (stopped ??= stop()),
  };
}

/** Servers that serve the same may share the documents. */
function openapiOf({ openapi }: ApiServerDeps, served: ServedFacts): OpenapiDocuments {
  return served === servedByDefault && openapi ? openapi : new OpenapiDocuments(served);
}

function checksOf(
  { deps, config, hooks, begunMs }: Start,
  { encryption }: Storage,
  lifecycle: Lifecycle,
): HealthCheck[] {
  const { store, clock } = deps;
  return healthChecks({
    store: storeCheck(store, clock, config.storeHealthTimeoutMs),
    storeReadiness: storeCheck(store, clock, config.storeReadyTimeoutMs),
    encryption: encryption.checks,
    startProblem: name => hooks.problem(name),
    stopping: () => lifecycle.problem,
    flowControl: config.flowControl.enabled,
    isInGrace: () => clock.monotonicMs() - begunMs < config.livezGraceMs,
  });
}
