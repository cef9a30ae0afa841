/**
 * `kobune/testing`: the real API with real controllers and scheduler in this process, in memory, in a fifth of a second.
 *
 *     await using cluster = await startCluster();
 *     await cluster.client.resource(configMaps).namespace('default').create({ metadata: { name: 'x' } });
 *
 * No ports unless `listen` is asked for; no Docker; any operating system. Many clusters may live in one process.
 */
import {
  type Activity,
  type Clock,
  createActivity,
  type FaultPlan,
  type Logger,
  noFaults,
  type Random,
  SteppedClock,
  seededRandom,
  silentLogger,
  systemClock,
  systemRandom,
} from '#base';
import type { Client } from '#client';
import { type Authority, createAuthority, createTokenKey, fixedTrust, loadTokenKeys } from '#pki';
import { openMemoryStore } from '#storage';
import { type ControlPlane, startControlPlane } from './cluster.ts';
import { kubeconfigText } from './kubeconfig.ts';

export { SteppedClock } from '#base';
export * from '#client';

export interface TestClusterOptions {
  /** Only the API with the namespace, service account and root CA controllers. Default false. */
  readonly apiOnly?: boolean;
  /** True: time moves only by `cluster.clock.advance`, which waits for everything that it causes. */
  readonly steppedTime?: boolean;
  /** Seed of names, uids and jitter; absent: the system's randomness. */
  readonly seed?: number;
  /** Default 10.96.0.0/16. */
  readonly serviceCidr?: string;
  readonly faults?: FaultPlan;
  readonly logger?: Logger;
}

export interface TestCluster extends AsyncDisposable {
  /** Acts as a cluster administrator. */
  readonly client: Client;
  readonly controlPlane: ControlPlane;
  /** The system's clock, or a {@link SteppedClock}. */
  readonly clock: Clock;
  readonly activity: Activity;
  /** Opens HTTPS on a free port of loopback and answers an administrator's kubeconfig, as YAML. */
  listen(): Promise<{ readonly url: string; readonly kubeconfig: string }>;
}

/** Starts a cluster. Resolves when API, controllers and scheduler are ready and the default namespaces exist. */
export async function startCluster(options: TestClusterOptions = {}): Promise<TestCluster> {
  const activity = createActivity();
  const clock: Clock = options.steppedTime ? new SteppedClock({ activity }) : systemClock;
  const random: Random = options.seed === undefined ? systemRandom : seededRandom(options.seed);
  const abort = new AbortController();
  // Certificates are minted by real time: TLS stacks check them by it.
  const [authority, tokenKey] = await Promise.all([createAuthority('kubernetes', systemClock.now()), createTokenKey()]);
  const store = await openMemoryStore({ clock });
  const controlPlane = await startControlPlane(
    {
      store,
      clock,
      random,
      activity,
      logger: options.logger ?? silentLogger,
      faults: options.faults ?? noFaults,
      tokenKeys: loadTokenKeys(tokenKey),
      rootCa: fixedTrust(authority.certPem),
      signer: authority,
    },
    { serviceCidr: options.serviceCidr ?? '10.96.0.0/16', apiOnly: options.apiOnly ?? false },
    abort.signal,
  );
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    abort.abort(new Error('the cluster stops'));
    await controlPlane[Symbol.asyncDispose]();
    await store.close();
  };
  return {
    client: controlPlane.client(),
    controlPlane,
    clock,
    activity,
    listen: () => listen(controlPlane, authority),
    [Symbol.asyncDispose]: () => (stopped ??= stop()),
  };
}

async function listen(controlPlane: ControlPlane, authority: Authority): Promise<{ url: string; kubeconfig: string }> {
  const nowMs = systemClock.now();
  const [serving, admin] = await Promise.all([
    authority.issue({
      commonName: 'kube-apiserver',
      dnsNames: ['localhost'],
      ipAddresses: ['127.0.0.1', '::1'],
      usages: ['server auth'],
      nowMs,
    }),
    authority.issue({
      commonName: 'kubernetes-admin',
      organizations: ['system:masters'],
      usages: ['client auth'],
      nowMs,
    }),
  ]);
  const tls = { ...serving, clientCaPem: authority.certPem };
  const { url } = await controlPlane.apiServer.listen({ host: '127.0.0.1', port: 0, tls });
  return { url, kubeconfig: kubeconfigText('test', { url, caPem: authority.certPem, ...admin }) };
}
