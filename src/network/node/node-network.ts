/**
 * Puts a node's network together: the interface with the node's own address, the table of Service rules, pod
 * attachments, and, once the API answers, the informers behind proxy and DNS. What pods use stays when we stop, so that
 * containers go on; `remove` takes everything away.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeObject } from '#apimachinery';
import { type Activity, type Clock, isAbort, type Logger, type Random, UserError } from '#base';
import { type Client, createInformer, type Informer, type ResourceName } from '#client';
import type { Cni } from '#cni';
import { createAddressPool, nodeAddressOf } from './addresses.ts';
import { ensureClusterDns } from './cluster-dns.ts';
import type { DnsService } from './dns-records.ts';
import { startDnsServer } from './dns-server.ts';
import type { NetworkKernel } from './kernel.ts';
import { type Attachment, createPodNetwork } from './pod-network.ts';
import type { RulesetConfig } from './ruleset.ts';
import type { ProxyEndpointSlice } from './service-elements.ts';
import { type ServiceProxy, startServiceProxy } from './service-proxy.ts';
import { createServiceView, type MutableServiceView } from './service-view.ts';

export interface NodeNetworkDeps {
  readonly kernel: NetworkKernel;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly activity: Activity;
}

export interface NodeNetworkConfig {
  /** Number of the cluster on this machine: names the table and the interfaces. */
  readonly index: number;
  readonly nodeName: string;
  /** Pods of this node, as `10.160.0.0/24`. */
  readonly podCidr: string;
  /** Pods of the cluster. */
  readonly clusterCidr: string;
  readonly serviceCidr: string;
  /** Address of the DNS Service, one of `serviceCidr`. */
  readonly dnsAddress: string;
  readonly clusterDomain: string;
  /** Directory for what must survive a restart. */
  readonly stateDir: string;
}

/** A running node network. Disposing stops serving but leaves pods connected. */
export interface NodeNetwork extends AsyncDisposable {
  readonly cni: Cni;
  /** The node's own address, where the API and the kubelet listen for pods. */
  readonly nodeAddress: string;
  /** Begins to follow the API; resolves when Services known now are in force and DNS answers. */
  follow(client: Client, signal: AbortSignal): Promise<void>;
  /** Takes away table, interfaces and files, for good. */
  remove(): Promise<void>;
}

const services: ResourceName<DnsService & KubeObject> = {
  group: '',
  version: 'v1',
  resource: 'services',
  kind: 'Service',
  namespaced: true,
};
const endpointSlices: ResourceName<ProxyEndpointSlice & KubeObject> = {
  group: 'discovery.k8s.io',
  version: 'v1',
  resource: 'endpointslices',
  kind: 'EndpointSlice',
  namespaced: true,
};
const namespaces: ResourceName = {
  group: '',
  version: 'v1',
  resource: 'namespaces',
  kind: 'Namespace',
  namespaced: false,
};

const mtu = 1500;
const markBase = 0x4b000000;
const marksOfCluster = 0x40000;
const dnsPort = 53;

/**
 * Makes the node's interface and table. Rejects with a UserError when a tool or the kernel lacks what it takes.
 */
export async function startNodeNetwork(deps: NodeNetworkDeps, config: NodeNetworkConfig): Promise<NodeNetwork> {
  const nodeAddress = nodeAddressOf(config.podCidr);
  const nodeInterface = `kb${config.index}node`;
  const podInterfacePrefix = `kb${config.index}p`;
  const ruleset: RulesetConfig = {
    table: `kobune${config.index}`,
    nodeAddress,
    podCidr: config.podCidr,
    clusterCidr: config.clusterCidr,
    nodeInterface,
    podInterfacePrefix,
    markBase: markBase + config.index * marksOfCluster,
  };
  await makeNodeInterface(deps.kernel, nodeInterface, nodeAddress, config.serviceCidr);
  const view = createServiceView();
  const proxy = await startServiceProxy({ ...deps, view, ruleset, nodeName: config.nodeName }).catch(cause => {
    const why = (cause as Error).message.split('\n')[0];
    throw new UserError(`nftables cannot be used on this machine: ${why}.`, {
      remedy: "Containers need a kernel with nf_tables and Debian's package nftables.",
      cause,
    });
  });
  const applyHostPorts = (attachments: Iterable<Attachment>): Promise<void> =>
    proxy.setHostPorts(
      [...attachments].flatMap(each => each.hostPorts.map(port => ({ ...port, address: each.address }))),
    );
  const pods = await createPodNetwork({
    kernel: deps.kernel,
    pool: createAddressPool(config.podCidr),
    stateDir: config.stateDir,
    podInterfacePrefix,
    mtu,
    changed: applyHostPorts,
  });
  await applyHostPorts(pods.attachments());

  const stack = new AsyncDisposableStack();
  return {
    cni: pods,
    nodeAddress,
    async follow(client, signal) {
      const informers = watchInto(deps, client, view, proxy);
      for (const informer of informers) stack.use(informer);
      await Promise.all(informers.map(informer => informer.start(signal)));
      if (signal.aborted) return;
      stack.use(
        await startDnsServer(
          { clock: deps.clock, logger: deps.logger, view },
          { address: nodeAddress, port: dnsPort, domain: config.clusterDomain, upstreams: hostResolvers(nodeAddress) },
        ),
      );
      await keepClusterDns(deps, client, config, nodeAddress, signal);
      await proxy.settled();
    },
    async remove() {
      await stack.disposeAsync();
      await proxy[Symbol.asyncDispose]();
      for (const name of interfacesOf(config.index)) await deps.kernel.ip([`link del ${name}`]);
    },
    async [Symbol.asyncDispose]() {
      await stack.disposeAsync();
      await proxy.settled();
    },
  };
}

/** Interfaces of the cluster with this index that exist now. */
function interfacesOf(index: number): string[] {
  const ours = new RegExp(`^kb${index}(node|p[0-9a-z]+)$`);
  return readdirSync('/sys/class/net').filter(name => ours.test(name));
}

async function makeNodeInterface(
  kernel: NetworkKernel,
  name: string,
  address: string,
  serviceCidr: string,
): Promise<void> {
  try {
    if (!existsSync(join('/sys/class/net', name))) {
      // A veth pair that leads nowhere: unlike dummy interfaces, every kernel that runs containers has them.
      await kernel.ip([`link add ${name} type veth peer name ${name}0`, `link set ${name}0 up`]);
    }
    await kernel.ip([
      `addr replace ${address}/32 dev ${name}`,
      `link set ${name} up`,
      `route replace ${serviceCidr} dev ${name} src ${address}`,
    ]);
    await kernel.sysctl('net/ipv4/ip_forward', '1');
  } catch (cause) {
    throw new UserError(`The node's network interface cannot be made: ${(cause as Error).message}`, {
      remedy: 'Containers need root and iproute2; kobune server --api-only needs neither.',
      cause,
    });
  }
}

/** Informers of Services, EndpointSlices and namespaces that keep `view` up to date. */
function watchInto(
  deps: NodeNetworkDeps,
  client: Client,
  view: MutableServiceView,
  proxy: ServiceProxy,
): Array<Informer<KubeObject>> {
  const follow = <T extends KubeObject>(
    resource: ResourceName<T>,
    set: (object: T) => void,
    remove: (object: T) => void,
  ): Informer<KubeObject> => {
    const informer = createInformer(deps, client.resource(resource));
    const changed = (apply: (object: T) => void) => (object: T) => {
      apply(object);
      proxy.changed();
    };
    informer.addHandler({ added: changed(set), updated: changed(set), deleted: changed(remove) });
    return informer as unknown as Informer<KubeObject>;
  };
  return [
    follow(services, view.setService, view.removeService),
    follow(endpointSlices, view.setSlice, view.removeSlice),
    follow(
      namespaces,
      object => view.setNamespace(object.metadata.name!),
      object => view.removeNamespace(object.metadata.name!),
    ),
  ];
}

const dnsRetryMs = 2000;

/** Makes the DNS Service, trying again in the background while the API refuses (its namespace may not exist yet). */
async function keepClusterDns(
  deps: NodeNetworkDeps,
  client: Client,
  config: NodeNetworkConfig,
  nodeAddress: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    await ensureClusterDns(client, { ...config, nodeAddress });
  } catch (error) {
    deps.logger.warn('the DNS Service cannot be made yet', { error });
    void deps.clock
      .sleep(dnsRetryMs, signal)
      .then(() => keepClusterDns(deps, client, config, nodeAddress, signal))
      .catch(again => {
        if (!isAbort(again, signal)) throw again;
      });
  }
}

/** Nameservers of the host, but not ourselves. */
function hostResolvers(nodeAddress: string): string[] {
  const path = existsSync('/run/systemd/resolve/resolv.conf') ? '/run/systemd/resolve/resolv.conf' : '/etc/resolv.conf';
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .map(line => line.match(/^\s*nameserver\s+(\S+)/)?.[1])
    .filter((address): address is string => address !== undefined && address !== nodeAddress);
}
