/**
 * The node part of a server: network, container engine, kubelet. Imported only where containers are to run, because
 * everything below is Linux's own.
 */
import { join } from 'node:path';
import { type UserInfo, user } from '#apiserver';
import { createActivity, type Logger, MetricsRegistry, noFaults, systemClock, systemRandom } from '#base';
import { createClient } from '#client';
import { createContainerEngine, detectHost, type KobuneEngine } from '#container-runtime';
import { defaultKubeletConfig, startKubelet } from '#kubelet';
import { linuxKernel, type NodeNetwork, nodeAddressOf, startNodeNetwork } from '#network/node';
import type { KeyPair } from '#pki';
import type { ImageAdmin } from './admin-socket.ts';
import type { ControlPlane } from './cluster.ts';
import { type ClusterConfig, dnsAddress, keepUsedConfig } from './config.ts';
import { ensureNetworkRole, networkUserName } from './network-role.ts';
import type { ClusterPki } from './pki-files.ts';
import type { PkiKeeper } from './pki-keeper.ts';
import type { StateDir } from './state-dir.ts';
import { kubernetesVersion, version } from './version.ts';

export interface NodeOptions {
  readonly dir: StateDir;
  readonly config: ClusterConfig;
  readonly logger: Logger;
}

/**
 * A node whose network and engine are ready; `start` makes it part of a cluster and puts into `stack` what must stop
 * before the cluster's API does.
 */
export interface PreparedNode {
  readonly images: ImageAdmin;
  start(
    cluster: { readonly controlPlane: ControlPlane; readonly pki: PkiKeeper; readonly nodeUser: UserInfo },
    stack: AsyncDisposableStack,
    signal: AbortSignal,
  ): Promise<void>;
}

/** Pods of the one node of this machine: the first /24 of the cluster's range. */
function podCidr(config: ClusterConfig): string {
  return config.clusterCidr.replace(/\.\d+\.\d+\/\d+$/, '.0.0/24');
}

/** The address at which pods reach the API and the kubelet. */
export function nodeAddress(config: ClusterConfig): string {
  return nodeAddressOf(podCidr(config));
}

const cgroupPrefix = (dir: StateDir): string => `/kobune/${dir.run.split('/').at(-1)}`;

async function openNetwork({ dir, config, logger }: NodeOptions): Promise<NodeNetwork> {
  return startNodeNetwork(
    { kernel: linuxKernel, clock: systemClock, random: systemRandom, logger, activity: createActivity() },
    {
      index: config.index,
      nodeName: config.nodeName,
      podCidr: podCidr(config),
      clusterCidr: config.clusterCidr,
      serviceCidr: config.serviceCidr,
      dnsAddress: dnsAddress(config),
      clusterDomain: config.clusterDomain,
      stateDir: join(dir.node, 'network'),
    },
  );
}

async function openEngine(
  { dir, logger }: NodeOptions,
  network: NodeNetwork,
  forRemoval = false,
): Promise<KobuneEngine> {
  return createContainerEngine(
    { clock: systemClock, logger, cni: network.cni },
    { nodeDir: dir.node, runDir: dir.run, cgroupPrefix: cgroupPrefix(dir), version, forRemoval },
  );
}

/** Makes the node's interface and opens the engine, adopting what runs. Both are put into `stack`. */
export async function prepareNode(options: NodeOptions, stack: AsyncDisposableStack): Promise<PreparedNode> {
  const { dir, config, logger } = options;
  keepUsedConfig(dir, config);
  const network = stack.use(await openNetwork(options));
  const engine = stack.use(await openEngine(options, network));
  return {
    images: imageAdmin(engine),
    async start({ controlPlane, pki, nodeUser }, running, signal) {
      const transport = controlPlane.apiServer.transport(nodeUser, 'kubelet');
      await ensureNetworkRole(controlPlane.client());
      const networkUser = user(networkUserName, []);
      const host = detectHost({ nodeDir: dir.node, runDir: dir.run, cgroupPrefix: cgroupPrefix(dir) });
      running.defer(() => network[Symbol.asyncDispose]());
      const following = network.follow(
        createClient(controlPlane.apiServer.transport(networkUser, 'kobune-network')),
        signal,
      );
      const kubelet = await startKubelet(
        {
          transport,
          engine,
          clock: systemClock,
          random: systemRandom,
          logger,
          metrics: new MetricsRegistry(),
          faults: noFaults,
          activity: createActivity(),
          paths: {
            root: join(dir.node, 'kubelet'),
            podLogs: join(dir.logs, 'pods'),
            cgroupRoot: host.cgroupRoot,
            cgroupPrefix: cgroupPrefix(dir),
            procfs: '/proc',
            resolvConf: '/etc/resolv.conf',
          },
          serving: {
            ...kubeletServing(pki.current),
            onChange: replace =>
              pki.onChange((now, before) => {
                const isSame = JSON.stringify(kubeletServing(now)) === JSON.stringify(kubeletServing(before));
                if (!isSame) replace(kubeletServing(now));
              }),
          },
        },
        {
          ...defaultKubeletConfig,
          nodeName: config.nodeName,
          nodeIps: [network.nodeAddress],
          hostname: config.nodeName,
          address: network.nodeAddress,
          port: config.kubeletPort,
          clusterDns: [dnsAddress(config)],
          clusterDomain: config.clusterDomain,
          version: kubernetesVersion,
        },
        { signal },
      );
      running.use(kubelet);
      await following;
    },
  };
}

function kubeletServing({ kubeletServer, trustedPem }: ClusterPki): KeyPair & { clientCaPem: string } {
  return { ...kubeletServer, clientCaPem: trustedPem };
}

function imageAdmin(engine: KobuneEngine): ImageAdmin {
  return {
    list: () => engine.images.listImages(),
    buildFromHost: tag => engine.buildFromHost({ names: [tag] }),
    importArchive: archive => engine.importArchive(archive),
    async remove(reference) {
      const found = await engine.images.imageStatus({ image: reference });
      if (found) await engine.images.removeImage({ image: reference });
      return found !== undefined;
    },
  };
}

/** Ends every container and takes away the network; for `down --delete`. The server must not run. */
export async function removeNode(options: NodeOptions): Promise<void> {
  const network = await openNetwork(options);
  const engine = await openEngine(options, network, true);
  await engine.removeEverything({ images: true });
  await engine[Symbol.asyncDispose]();
  await network.remove();
}
