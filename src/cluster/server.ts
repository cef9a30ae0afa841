/**
 * A cluster's server process: keys, store, control plane, and on Linux the node; in the foreground until a signal.
 */
import { readFileSync, rmSync } from 'node:fs';
import { type ApiServer, type KubeletClient, type Listener, openDebugSocket, user } from '#apiserver';
import {
  createActivity,
  keepProcessAlive,
  type Logger,
  noFaults,
  returnSpareMemory,
  systemClock,
  systemRandom,
  UserError,
} from '#base';
import { StorageError } from '#storage';
import { adminAccess } from './admin-access.ts';
import { startAdminSocket } from './admin-socket.ts';
import { apiStopTimeoutMs, startControlPlane } from './cluster.ts';
import type { ClusterConfig } from './config.ts';
import type { KubeletSettings, ServerSettings } from './flags/settings.ts';
import { withFrontProxy } from './front-proxy.ts';
import { hostAddress, isUnspecified, localHost } from './host-address.ts';
import { renewInKubeconfig, userKubeconfigPath } from './kubeconfig.ts';
import type { ClusterPki } from './pki-files.ts';
import { keepPki, type PkiKeeper } from './pki-keeper.ts';
import { checkPortFree, explainPortInUse } from './ports.ts';
import { withCertDir } from './serving/cert-dir.ts';
import { Serving } from './serving/serving.ts';
import {
  createStateDir,
  processStartTicks,
  removeEmptyRun,
  runningServer,
  type ServerFile,
  type StateDir,
  writeFileAtomically,
} from './state-dir.ts';
import { openStore } from './store.ts';

export interface ServerOptions {
  readonly dir: StateDir;
  readonly config: ClusterConfig;
  readonly logger: Logger;
  /** Only the API with the controllers that it needs; no node either. */
  readonly apiOnly: boolean;
  /** False: a control plane without a node. */
  readonly node: boolean;
  /** What flags of kube-apiserver say. */
  readonly settings: ServerSettings;
}

const loopbackNames = ['localhost', '127.0.0.1', '::1'];

/** Runs the server until SIGINT or SIGTERM. Rejects with a UserError for what its user can mend. */
export async function runServer(options: ServerOptions): Promise<void> {
  const stop = Promise.withResolvers<void>();
  const abort = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.resolve());
  const other = runningServer(options.dir);
  if (other) {
    throw new UserError(`A server of "${options.dir.name}" runs already (process ${other.pid}).`, {
      remedy: `Stop it: kobune down --name ${options.dir.name}`,
    });
  }
  const stack = new AsyncDisposableStack();
  const alive = keepProcessAlive();
  stack.use(returnSpareMemory(systemClock));
  let isStarted = false;
  try {
    const started = start(options, stack, abort.signal, error => stop.reject(error));
    const { url, nodeAddress, apiServer } = await Promise.race([started, rejectOnStop(stop.promise)]).catch(cause => {
      throw explainPortInUse(cause, options);
    });
    isStarted = true;
    const readyMs = Math.round(performance.now()); // since the process began
    options.logger.info('ready', { url, readyMs });
    writeServerFile(options, url, nodeAddress);
    await stop.promise;
    options.logger.info('stopping');
    // Said at once, and nothing stops before those who look at it could have seen it.
    await apiServer.beginShutdown();
  } finally {
    rmSync(options.dir.serverFile, { force: true });
    // In order, the API last, so that what stops can still say so; then whatever has only the signal.
    if (!isStarted) abort.abort(new Error('the server stops'));
    await stack.disposeAsync();
    abort.abort(new Error('the server stops'));
    removeEmptyRun(options.dir);
    alive[Symbol.dispose]();
  }
}

/** A signal during the start ends it. */
async function rejectOnStop(stopped: Promise<void>): Promise<never> {
  await stopped;
  throw new UserError('The server was stopped before it was ready.');
}

/** Starts everything; what was started is in `stack`. */
async function start(
  options: ServerOptions,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
  onFatal: (error: Error) => void,
): Promise<{ url: string; nodeAddress: string | undefined; apiServer: ApiServer }> {
  const { dir, config, logger, apiOnly } = options;
  for (const remark of options.settings.remarks ?? []) logger.warn(remark);
  createStateDir(dir);
  const opening = openStore({ dir, config, etcd: options.settings.etcd }, onFatal);
  stack.defer(() =>
    opening.then(
      opened => opened.close(),
      () => {},
    ),
  );
  await checkPortFree(config.apiAddress, config.apiPort);
  const apiServiceAddress = config.serviceCidr.replace(/\.\d+\/\d+$/, '.1');
  const nodeModule = apiOnly || !options.node ? undefined : await import('./node.ts');
  const nodeAddress = nodeModule?.nodeAddress(config);
  const { listening } = options.settings;
  const externalHost = listening?.advertiseAddress ?? nodeAddress ?? hostAddress();
  const isEverywhere = isUnspecified(config.apiAddress);
  const { externalHostname } = options.settings.apiServer;
  const furtherName = externalHostname?.replace(/:\d+$/, '');
  const apiServerSettings = {
    ...options.settings.apiServer,
    flags: {
      ...options.settings.apiServer.flags,
      'secure-port': String(config.apiPort),
      'service-cluster-ip-range': config.serviceCidr,
    },
    ...(furtherName && furtherName === externalHostname && { externalHostname: `${furtherName}:${config.apiPort}` }),
  };
  const apiNames = [
    ...loopbackNames,
    ...(isEverywhere ? [] : [config.apiAddress]),
    ...(isEverywhere || listening?.advertiseAddress ? (externalHost ? [externalHost] : []) : []),
    ...(furtherName ? [furtherName] : []),
    apiServiceAddress,
    ...(nodeAddress ? [nodeAddress] : []),
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    `kubernetes.default.svc.${config.clusterDomain}`,
  ];
  const names = {
    apiServerNames: [...new Set(apiNames)],
    kubeletNames: [config.nodeName, ...(nodeAddress ? [nodeAddress] : []), ...loopbackNames],
    nodeName: config.nodeName,
  };
  const keeper = stack.use(await keepPki({ clock: systemClock, logger }, dir.pki, names));
  const shown = options.settings.serving;
  const servingSettings = listening?.certDir ? withCertDir(listening.certDir, shown, keeper) : shown;
  const serving = new Serving({ clock: systemClock, logger, pki: keeper, signal }, servingSettings);
  keeper.onChange((now, before) => renewUserKubeconfig(options, now, before));
  const store = await opening;
  // The network and the engine wait for other programs; the control plane computes meanwhile.
  const nodeStack = new AsyncDisposableStack();
  const preparing = nodeModule?.prepareNode({ dir, config, logger }, nodeStack);
  const startingControlPlane = startControlPlane(
    {
      store,
      clock: systemClock,
      random: systemRandom,
      logger,
      faults: noFaults,
      activity: createActivity(),
      tokenKeys: keeper.tokenKeys,
      kubeletClient: kubeletClient(keeper, options.settings.kubelet),
      rootCa: keeper.rootCa,
      signer: { sign: (request, how) => keeper.current.authority.sign(request, how) },
      ...(options.settings.legacyTokenPeriodMs !== undefined && {
        legacyTokenPeriodMs: options.settings.legacyTokenPeriodMs,
      }),
      ...(options.settings.signingDurationMs !== undefined && {
        signingDurationMs: options.settings.signingDurationMs,
      }),
    },
    {
      serviceCidr: config.serviceCidr,
      ...(options.settings.metrics && { metrics: options.settings.metrics }),
      apiOnly,
      // The API alone has a front proxy, and tells of authorities, when flags say so, as upstream's.
      apiServer: apiOnly
        ? { ...apiServerSettings, publishListenerAuthorities: false }
        : withFrontProxy(apiServerSettings, dir.pki),
      ...(externalHost && { externalAddress: { host: externalHost, port: config.apiPort } }),
    },
    signal,
  );
  await Promise.allSettled([preparing, startingControlPlane]);
  if (options.settings.debugSocketPath) {
    stack.use(await openDebugSocket(options.settings.debugSocketPath, { clock: systemClock, logger }));
  }
  stack.use(nodeStack);
  const controlPlane = stack.use(await startingControlPlane.catch(explainUnreadable));
  const node = await preparing;
  const { apiServer } = controlPlane;
  const open = async (host: string): Promise<Listener> => {
    const listener = await apiServer.listen({ host, port: config.apiPort, tls: serving.tls, ...listening?.listener });
    serving.add(listener);
    return listener;
  };
  const listener = await open(config.apiAddress);
  if (nodeAddress && !isEverywhere) await open(nodeAddress);
  if (node) {
    const nodeUser = user(`system:node:${config.nodeName}`, ['system:nodes']);
    await node.start({ controlPlane, pki: keeper, nodeUser }, stack, signal);
    stack.use(await startAdminSocket(dir, node.images, logger));
  }
  return { url: `https://${localHost(config.apiAddress)}:${listener.port}`, nodeAddress, apiServer };
}

/** A server that cannot read what it needs to start: a key is missing, or its KMS. */
function explainUnreadable(cause: unknown): never {
  if (!(cause instanceof StorageError) || cause.code !== 'transform') throw cause;
  throw new UserError(`What is stored cannot be read: ${cause.message}.`, {
    remedy: 'See that --encryption-provider-config names every key that was ever used.',
    cause,
  });
}

/** How the API server shows itself to kubelets: by what is good at the time, or by what flags name. */
function kubeletClient(keeper: PkiKeeper, { pair, caFile }: KubeletSettings = {}): KubeletClient {
  const own = {
    get certPem() {
      return keeper.current.apiServerKubeletClient.certPem;
    },
    get keyPem() {
      return keeper.current.apiServerKubeletClient.keyPem;
    },
    get caPem() {
      return keeper.current.trustedPem;
    },
  };
  if (!pair && !caFile) return own;
  const read = (path: string): string => readFileSync(path, 'utf8');
  return {
    get certPem() {
      return pair ? read(pair.cert) : own.certPem;
    },
    get keyPem() {
      return pair ? read(pair.key) : own.keyPem;
    },
    get caPem() {
      return caFile ? read(caFile) : own.caPem;
    },
  };
}

/** What the user's own kubeconfig has of the cluster's certificates follows them. */
function renewUserKubeconfig({ dir, config, logger }: ServerOptions, now: ClusterPki, before: ClusterPki): void {
  if (now.admin.certPem === before.admin.certPem && now.trustedPem === before.trustedPem) return;
  const path = userKubeconfigPath();
  const old = { certPem: before.admin.certPem, caPem: before.trustedPem };
  if (renewInKubeconfig(path, dir.name, old, adminAccess(dir, config)))
    logger.info('the certificates of the cluster were renewed in the kubeconfig', { path });
}

/** Its node and its components stop beside the API, whose end is told by its flags. */
const furtherStopMs = 10_000;

function writeServerFile({ dir, settings }: ServerOptions, url: string, nodeAddress: string | undefined): void {
  const file: ServerFile = {
    pid: process.pid,
    startTicks: processStartTicks(process.pid) ?? '',
    url,
    startedAt: new Date(systemClock.now()).toISOString(),
    stopsWithinMs: apiStopTimeoutMs(settings.apiServer) + furtherStopMs,
    ...(nodeAddress && { nodeAddress }),
  };
  writeFileAtomically(dir.serverFile, JSON.stringify(file));
}
