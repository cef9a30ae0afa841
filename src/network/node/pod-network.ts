/**
 * Pod networking as a CNI implementation: a veth pair a pod, a /32 address, a default route by a link-local gateway
 * whose hardware address is fixed, and one host route. No bridge, no ARP on the host. What was given out is one JSON
 * file a sandbox, so that addresses survive a restart of ours.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Cni, CniHostPort, CniPodRequest, CniResult } from '#cni';
import type { AddressPool } from './addresses.ts';
import type { NetworkKernel } from './kernel.ts';

/** What stands in a sandbox's file. */
export interface Attachment {
  readonly containerId: string;
  readonly address: string;
  readonly hostInterface: string;
  readonly hostPorts: readonly CniHostPort[];
}

export interface PodNetworkDeps {
  readonly kernel: NetworkKernel;
  readonly pool: AddressPool;
  /** Directory of the sandboxes' files; made if absent. */
  readonly stateDir: string;
  readonly podInterfacePrefix: string;
  readonly mtu: number;
  /** Called after an attachment came or went, before the verb is answered; enters host ports. */
  readonly changed: (attachments: Iterable<Attachment>) => Promise<void>;
}

/** Next hop of every pod; answered by a permanent neighbour entry, so nobody needs to own it. */
const gateway = '169.254.1.1';
const gatewayMac = '0e:4b:6f:62:75:6e';

/** Loads what an earlier run gave out, then serves. */
export async function createPodNetwork(deps: PodNetworkDeps): Promise<Cni & { attachments(): Iterable<Attachment> }> {
  const attachments = await load(deps);
  const fileOf = (id: string): string => join(deps.stateDir, `${id}.json`);

  const add = async (request: CniPodRequest): Promise<CniResult> => {
    const known = attachments.get(request.containerId);
    if (known) return { ips: [known.address] };
    const address = deps.pool.take();
    const attachment: Attachment = {
      containerId: request.containerId,
      address,
      hostInterface: `${deps.podInterfacePrefix}${request.containerId.slice(0, 15 - deps.podInterfacePrefix.length)}`,
      hostPorts: request.hostPorts,
    };
    try {
      await save(fileOf(request.containerId), attachment);
      await plug(deps, request, attachment);
      attachments.set(request.containerId, attachment);
      if (request.hostPorts.length > 0) await deps.changed(attachments.values());
    } catch (cause) {
      attachments.delete(request.containerId);
      await unplug(deps, attachment.hostInterface);
      await rm(fileOf(request.containerId), { force: true });
      deps.pool.free(address);
      throw cause;
    }
    return { ips: [address] };
  };

  return {
    add,
    async del({ containerId }) {
      const attachment = attachments.get(containerId);
      if (!attachment) return;
      attachments.delete(containerId);
      await unplug(deps, attachment.hostInterface);
      if (attachment.hostPorts.length > 0) await deps.changed(attachments.values());
      await rm(fileOf(containerId), { force: true });
      deps.pool.free(attachment.address);
    },
    notReadyReason: () => Promise.resolve(undefined),
    attachments: () => attachments.values(),
  };
}

async function load({ stateDir, pool }: PodNetworkDeps): Promise<Map<string, Attachment>> {
  await mkdir(stateDir, { recursive: true });
  const attachments = new Map<string, Attachment>();
  for (const name of await readdir(stateDir)) {
    if (!name.endsWith('.json')) continue;
    const attachment = JSON.parse(await readFile(join(stateDir, name), 'utf8')) as Attachment;
    attachments.set(attachment.containerId, attachment);
    pool.keep(attachment.address);
  }
  return attachments;
}

async function save(path: string, attachment: Attachment): Promise<void> {
  await writeFile(`${path}.tmp`, JSON.stringify(attachment));
  await rename(`${path}.tmp`, path);
}

async function plug(deps: PodNetworkDeps, request: CniPodRequest, attachment: Attachment): Promise<void> {
  const { hostInterface, address } = attachment;
  const netns = basename(request.netnsPath);
  await deps.kernel.ip([
    `link add ${hostInterface} address ${gatewayMac} mtu ${deps.mtu} type veth peer name ${request.ifName} netns ${netns} mtu ${deps.mtu}`,
    `link set ${hostInterface} up`,
    `route replace ${address}/32 dev ${hostInterface}`,
  ]);
  await deps.kernel.ip(
    [
      'link set lo up',
      `addr add ${address}/32 dev ${request.ifName}`,
      `link set ${request.ifName} up`,
      `neigh replace ${gateway} lladdr ${gatewayMac} dev ${request.ifName} nud permanent`,
      `route add ${gateway} dev ${request.ifName} scope link`,
      `route add default via ${gateway} dev ${request.ifName} src ${address}`,
    ],
    netns,
  );
}

/** Removing the host's end removes the pair and its route; that it is gone already is what we want. */
async function unplug(deps: PodNetworkDeps, hostInterface: string): Promise<void> {
  await deps.kernel.ip([`link del ${hostInterface}`]).catch(error => {
    if (!/Cannot find device/.test(String(error))) throw error;
  });
}
