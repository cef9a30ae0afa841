/**
 * What a kubelet's heartbeats (renewals of its Lease, patches of its Node's status) have to wait while another client
 * lists all pods on many connections without a pause. Budget: at the median, at p90 and at p99 not beyond twice of what
 * they take alone.
 *
 *     node bench/flood.bench.ts [--connections 30] [--pods 5000] [--beats 40] [--rounds 10] KUBECONFIG …
 *
 * What is measured is the time from a request's begin to its answer's end, at the client. Three states take turns, a
 * round after the other, so that whatever else the machine does meets all of them alike: nothing else; beside the flood;
 * and beside a process that uses as much of a core as the flooding client did, for nothing. The last is what the flood
 * costs on this machine without the server's doing anything for it: on few cores that is much of it, and the ratio to it
 * is the server's own. The flood comes from a process and session of its own, since schedulers weigh sessions. Further
 * kubeconfigs (the original's, on the same machine) are measured in the same rounds.
 *
 * Both clients ask as others than the administrator whose kubeconfig it is, by impersonation, for administrators are
 * exempt from priority and fairness.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { isStatusError } from '#apimachinery';
import type { Transport } from '#client';
import { quantile, times } from './api/figures.ts';
import type { Ask, Done } from './flood/child.ts';
import { clientOf } from './kubeconfig.ts';

const { values, positionals: paths } = parseArgs({
  allowPositionals: true,
  options: {
    connections: { type: 'string', default: '30' },
    pods: { type: 'string', default: '5000' },
    beats: { type: 'string', default: '40' },
    rounds: { type: 'string', default: '10' },
  },
});
if (paths.length === 0) throw new Error('Usage: node bench/flood.bench.ts [options] KUBECONFIG …');

const namespace = 'flood';
const node = 'flooded';
const podsPath = `/api/v1/namespaces/${namespace}/pods`;
const leasePath = `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${node}`;
const kubelet = { 'impersonate-user': `system:node:${node}`, 'impersonate-group': 'system:nodes' };
/** Between two beats, so that each meets another moment of the flood. */
const pauseMs = 15;
/** Until a flood has come to its full height, or has gone. */
const settleMs = 1000;
const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));

async function make(transport: Transport, path: string, body: object): Promise<void> {
  await transport.request({ method: 'POST', path, body }).catch(error => {
    if (!isStatusError(error, 'AlreadyExists')) throw error;
  });
}

async function prepare(transport: Transport): Promise<void> {
  await make(transport, '/api/v1/namespaces', { metadata: { name: namespace } });
  await make(transport, '/api/v1/namespaces', { metadata: { name: 'kube-node-lease' } });
  await make(transport, `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: 'default' } });
  await make(transport, '/api/v1/nodes', { metadata: { name: node } });
  const lease = { metadata: { name: node }, spec: { holderIdentity: node, leaseDurationSeconds: 40 } };
  await make(transport, '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases', lease);
  const rbac = { apiGroup: 'rbac.authorization.k8s.io' };
  await make(transport, `/apis/${rbac.apiGroup}/v1/clusterroles`, {
    metadata: { name: 'flooder-lists' },
    rules: [{ verbs: ['list'], apiGroups: [''], resources: ['pods'] }],
  });
  await make(transport, `/apis/${rbac.apiGroup}/v1/clusterrolebindings`, {
    metadata: { name: 'flooder-lists' },
    roleRef: { ...rbac, kind: 'ClusterRole', name: 'flooder-lists' },
    subjects: [{ ...rbac, kind: 'User', name: 'flooder' }],
  });
  const env = Array.from({ length: 20 }, (_, at) => ({ name: `SETTING_${at}`, value: 'x'.repeat(40) }));
  await times(Number(values.pods), 50, at =>
    make(transport, podsPath, {
      metadata: { name: `p${at}` },
      spec: { schedulerName: 'nobody', containers: [{ name: 'c', image: 'c', env }] },
    }),
  );
}

/** Milliseconds of each beat, added to `taken`. */
async function heartbeats(transport: Transport, taken: number[]): Promise<void> {
  const read = await transport.request({ method: 'GET', path: leasePath, headers: kubelet });
  let lease = (await read.json()) as { spec: object };
  const timed = async (work: () => Promise<void>): Promise<void> => {
    await pause(pauseMs * (0.5 + Math.random()));
    const begun = performance.now();
    await work();
    taken.push(performance.now() - begun);
  };
  for (let beat = 0; beat < Number(values.beats); beat++) {
    await timed(async () => {
      const renewTime = new Date().toISOString().replace('Z', '000Z');
      const body = { ...lease, spec: { ...lease.spec, renewTime } };
      const answer = await transport.request({ method: 'PUT', path: leasePath, headers: kubelet, body });
      lease = (await answer.json()) as typeof lease;
    });
    await timed(async () => {
      const condition = { type: 'Ready', status: 'True', lastHeartbeatTime: new Date().toISOString() };
      const headers = { ...kubelet, 'content-type': 'application/strategic-merge-patch+json' };
      const body = Buffer.from(JSON.stringify({ status: { conditions: [condition] } }));
      await (await transport.request({ method: 'PATCH', path: `/api/v1/nodes/${node}/status`, headers, body })).json();
    });
  }
}

interface Cluster {
  readonly path: string;
  readonly transport: Transport;
  readonly alone: number[];
  readonly besideFlood: number[];
  readonly besideBurner: number[];
  sizeBytes: number;
  refused: number;
  broken: number;
  floodedSeconds: number;
  shares: number[];
}

async function rest(child: ChildProcess): Promise<Done> {
  const answer = once(child, 'message');
  child.send({ do: 'rest' } satisfies Ask);
  const [done] = (await answer) as [Done];
  await pause(settleMs);
  return done;
}

async function round(cluster: Cluster, child: ChildProcess): Promise<void> {
  const { path, transport } = cluster;
  const ask = (what: Ask): void => void child.send(what);
  await heartbeats(transport, cluster.alone);
  ask({ do: 'flood', kubeconfig: path, path: podsPath, connections: Number(values.connections) });
  const begun = performance.now();
  await pause(settleMs);
  await heartbeats(transport, cluster.besideFlood);
  cluster.floodedSeconds += (performance.now() - begun) / 1000;
  const { sizeBytes, refused, broken, processorShare } = await rest(child);
  cluster.sizeBytes += sizeBytes;
  cluster.refused += refused;
  cluster.broken += broken;
  cluster.shares.push(processorShare);
  ask({ do: 'burn', share: processorShare });
  await heartbeats(transport, cluster.besideBurner);
  await rest(child);
}

const shares = [0.5, 0.9, 0.99];
const row = (of: readonly number[]): string => shares.map(at => quantile(of, at).toFixed(1)).join(' / ');
const ratios = (of: readonly number[], to: readonly number[]): string =>
  shares.map(at => (quantile(of, at) / quantile(to, at)).toFixed(2)).join(' / ');

function report(cluster: Cluster): void {
  const { path, alone, besideFlood, besideBurner, sizeBytes, refused, broken, floodedSeconds } = cluster;
  const processor = cluster.shares.reduce((sum, each) => sum + each, 0) / cluster.shares.length;
  console.log(`${path}: ${alone.length} heartbeats in each state; p50 / p90 / p99 in ms`);
  console.log(`  alone                                       ${row(alone)}`);
  console.log(`  beside as much processor, used for nothing  ${row(besideBurner)}`);
  console.log(`  beside ${values.connections} connections that list              ${row(besideFlood)}`);
  console.log(`  times as long as alone                      ${ratios(besideFlood, alone)}`);
  console.log(`  times as long as beside the same processor  ${ratios(besideFlood, besideBurner)}`);
  const rate = (sizeBytes / 2 ** 20 / floodedSeconds).toFixed(1);
  console.log(
    `  ${rate} MB of lists a second for ${processor.toFixed(2)} cores of their client, ${refused} refused, ${broken} broken off`,
  );
}

const clusters: Cluster[] = [];
for (const path of paths) {
  const { transport } = clientOf(path);
  await prepare(transport);
  const figures = { alone: [], besideFlood: [], besideBurner: [], shares: [] };
  clusters.push({ path, transport, ...figures, sizeBytes: 0, refused: 0, broken: 0, floodedSeconds: 0 });
  // What is compiled at first use is.
  await heartbeats(transport, []);
}
const child = fork(new URL('flood/child.ts', import.meta.url), { detached: true });
for (let at = 0; at < Number(values.rounds); at++) for (const cluster of clusters) await round(cluster, child);
child.disconnect();
await once(child, 'exit');
for (const cluster of clusters) report(cluster);
process.exit();
