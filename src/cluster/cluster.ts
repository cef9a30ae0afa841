/**
 * The composition root: one list of components in the order in which they start, each ready before the next. The only
 * place that makes in-process transports and binds each to an identity.
 */
import {
  type ApiServer,
  type ApiServerConfig,
  type ComponentProbe,
  type ComponentProbes,
  createApiServer,
  defaultShutdown,
  type KubeletClient,
  servedVersions,
  serviceAccountUser,
  type UserInfo,
  user,
} from '#apiserver';
import {
  type Activity,
  type Clock,
  type Component,
  type FaultPlan,
  type Logger,
  type MetricRestrictions,
  MetricsRegistry,
  type Random,
  type Running,
  startAll,
} from '#base';
import { type Client, createClient, RestClientMetrics, WorkQueueMetrics } from '#client';
import {
  apiControllers,
  type ControllerDefinition,
  clusterTrustBundlePublisher,
  controllers,
  startControllers,
} from '#controllers';
import type { Authority, TokenClaims, TokenKeys, TrustBundle } from '#pki';
import { startScheduler } from '#scheduler';
import type { Store } from '#storage';

/** The edges of the world, and what the cluster is made on. */
export interface ClusterDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly faults: FaultPlan;
  readonly activity: Activity;
  readonly tokenKeys: TokenKeys;
  /** How the API server shows itself to kubelets; absent: logs and exec are refused there. */
  readonly kubeletClient?: KubeletClient;
  readonly rootCa: TrustBundle;
  /** Certifies approved certificate requests; absent: nobody does. */
  readonly signer?: Pick<Authority, 'sign'>;
  /** `--cluster-signing-duration`; default a year. */
  readonly signingDurationMs?: number;
  /** `--legacy-service-account-token-clean-up-period`; default a year. */
  readonly legacyTokenPeriodMs?: number;
}

export interface ControlPlaneOptions {
  readonly serviceCidr: string;
  /** Only the API with the controllers that it needs. */
  readonly apiOnly: boolean;
  /** What of the metrics is shown. */
  readonly metrics?: MetricRestrictions;
  /** Further settings of the API server. */
  readonly apiServer?: Partial<ApiServerConfig>;
  /** Host and port by which clients and pods reach the API. */
  readonly externalAddress?: { readonly host: string; readonly port: number };
}

/** A control plane that runs in this process. Disposing stops it in the reverse order of its start. */
export interface ControlPlane extends AsyncDisposable {
  readonly apiServer: ApiServer;
  readonly metrics: MetricsRegistry;
  /** A client that acts as `who` (default: a cluster administrator), without a network. */
  client(who?: UserInfo): Client;
  /** Milliseconds that each component took to be ready. */
  readonly startedMs: Running['startedMs'];
}

const serviceAccountPrefix = 'system:serviceaccount:';

/** The identity that a name stands for: a ServiceAccount with its groups, or a plain system user. */
function identity(name: string): UserInfo {
  if (!name.startsWith(serviceAccountPrefix)) return user(name, []);
  const [namespace = '', account = ''] = name.slice(serviceAccountPrefix.length).split(':');
  return serviceAccountUser(namespace, account);
}

/** A component that may not read what it needs, by who authorizes, does not keep the API from being served. */
const componentPatienceMs = 15_000;

/** Starts API server, controllers and scheduler. Resolves when all are ready, or the API is and others had their time. */
export async function startControlPlane(
  deps: ClusterDeps,
  options: ControlPlaneOptions,
  signal: AbortSignal,
): Promise<ControlPlane> {
  const metrics = new MetricsRegistry();
  if (options.metrics) metrics.restrict(options.metrics);
  const { clock, logger } = deps;
  let apiServer: ApiServer | undefined;
  const workQueues = new WorkQueueMetrics(metrics, clock);
  const requests = new RestClientMetrics(metrics, clock);
  const clientFor = (name: string): Client => {
    const transport = requests.measured(apiServer!.transport(identity(name), name), 'in-process');
    return createClient(transport, { fieldManager: managerName(name) });
  };
  const components: Component[] = [
    {
      name: 'kube-apiserver',
      stopTimeoutMs: apiStopTimeoutMs(options.apiServer),
      async start() {
        apiServer = await createApiServer(
          { ...deps, metrics, components: ownComponents(options) },
          {
            ...options.apiServer,
            serviceCidrs: [options.serviceCidr],
            ...(options.externalAddress && { externalAddress: options.externalAddress }),
          },
        );
        await apiServer.ready;
        return apiServer;
      },
    },
    {
      name: 'kube-controller-manager',
      patienceMs: componentPatienceMs,
      start: stop =>
        startControllers(
          {
            ...deps,
            clientFor,
            workQueues,
            // An external signer signs what is asked for, and nothing for Secrets.
            ...(!apiServer!.tokenKeys?.signElsewhere && {
              signToken: (claims: object) => (apiServer!.tokenKeys ?? deps.tokenKeys).sign(claims as TokenClaims),
            }),
          },
          options.apiOnly ? apiControllers : [...controllers, ...optionalControllers(options.apiServer)],
          stop,
        ),
    },
  ];
  if (!options.apiOnly) {
    components.push({
      name: 'kube-scheduler',
      patienceMs: componentPatienceMs,
      start: stop => startScheduler({ ...deps, metrics, client: clientFor('system:kube-scheduler') }, {}, stop),
    });
  }
  const running = await startAll(components, { clock, logger, signal });
  return {
    apiServer: apiServer!,
    metrics,
    startedMs: running.startedMs,
    client: (who = user('kubernetes-admin', ['system:masters'])) => createClient(apiServer!.transport(who)),
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}

/** Those whose kinds are not served unless asked for. */
function optionalControllers(apiServer: Partial<ApiServerConfig> = {}): ControllerDefinition[] {
  const [bundles] = servedVersions(apiServer, 'certificates.k8s.io', 'clustertrustbundles');
  return bundles === undefined ? [] : [clusterTrustBundlePublisher(bundles)];
}

/** What was asked gets its answer, so a stop may take as long as an answer. */
export function apiStopTimeoutMs({ requestTimeoutMs, shutdown }: Partial<ApiServerConfig> = {}): number {
  const { delayMs, watchGraceMs } = shutdown ?? defaultShutdown;
  return delayMs + watchGraceMs + (requestTimeoutMs ?? 60_000) + 10_000;
}

const answers: ComponentProbe = async () => ({ healthy: true, message: 'ok' });

/** What runs in this process answers as long as this process does. */
function ownComponents({ apiOnly }: ControlPlaneOptions): ComponentProbes {
  return { 'controller-manager': answers, ...(!apiOnly && { scheduler: answers }) };
}

/** Field manager of a component's writes: the last part of its name, as upstream's user agents begin. */
function managerName(name: string): string {
  return name.startsWith(serviceAccountPrefix) ? 'kube-controller-manager' : name.split(':').at(-1)!;
}
