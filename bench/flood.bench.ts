/**
 * What a kubelet's heartbeats (renewals of its Lease, patches of its Node's status) have to wait while another client
 * lists all pods on many connections without a pause. Budget: not beyond twice of what they take alone.
 *
 *     node bench/flood.bench.ts [--connections 30] [--pods 5000] [--beats 200] KUBECONFIG …
 *
 * The flood comes from a process of its own. Both ask as others than the administrator whose kubeconfig it is, by
 * impersonation, for administrators are exempt from priority and fairness.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { isStatusError } from '#apimachinery';
import type { Transport } from '#client';
import { quantile, times } from './api/figures.ts';
import { clientOf } from './kubeconfig.ts';

const { values, positionals: paths } = parseArgs({
  allowPositionals: true,
  options: {
    connections: { type: 'string', default: '30' },
    pods: { type: 'string', default: '5000' },
    beats: { type: 'string', default: '200' },
    flood: { type: 'string' },
  },
});

const namespace = 'flood';
const node = 'flooded';
const pods = `/api/v1/namespaces/${namespace}/pods`;
const flooder = { 'impersonate-user': 'flooder', 'impersonate-group': 'system:authenticated' };
const kubelet = { 'impersonate-user': `system:node:${node}`, 'impersonate-group': 'system:nodes' };
const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));

async function make(transport: Transport, path: string, body: object): Promise<void> {
  await transport.request({ method: 'POST', path, body }).catch(error => {
    if (!isStatusError(error, 'AlreadyExists')) throw error;
  });
}

async function prepare(transport: Transport): Promise<void> {
  await make(transport, '/api/v1/namespaces', { metadata: { name: namespace } });
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
    make(transport, pods, {
      metadata: { name: `p${at}` },
      spec: { schedulerName: 'nobody', containers: [{ name: 'c', image: 'c', env }] },
    }),
  );
}

/** Milliseconds of each beat. */
async function heartbeats(transport: Transport): Promise<number[]> {
  const path = `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${node}`;
  const read = await transport.request({ method: 'GET', path, headers: kubelet });
  let lease = (await read.json()) as { spec: object };
  const taken: number[] = [];
  const timed = async (work: () => Promise<void>): Promise<void> => {
    const begun = performance.now();
    await work();
    taken.push(performance.now() - begun);
  };
  for (let beat = 0; beat < Number(values.beats); beat++) {
    await pause(20);
    await timed(async () => {
      const renewTime = new Date().toISOString().replace('Z', '000Z');
      const body = { ...lease, spec: { ...lease.spec, renewTime } };
      lease = (await (await transport.request({ method: 'PUT', path, headers: kubelet, body })).json()) as typeof lease;
    });
    await pause(20);
    await timed(async () => {
      const condition = { type: 'Ready', status: 'True', lastHeartbeatTime: new Date().toISOString() };
      const headers = { ...kubelet, 'content-type': 'application/strategic-merge-patch+json' };
      const body = Buffer.from(JSON.stringify({ status: { conditions: [condition] } }));
      await (await transport.request({ method: 'PATCH', path: `/api/v1/nodes/${node}/status`, headers, body })).json();
    });
  }
  return taken;
}

/** In the child: lists until it is ended. */
async function flood(path: string): Promise<void> {
  let lists = 0;
  let refused = 0;
  process.on('message', () => process.send!({ lists, refused }));
  const one = async (): Promise<never> => {
    const { transport } = clientOf(path);
    for (;;) {
      try {
        const response = await transport.request({ method: 'GET', path: pods, headers: flooder });
        for await (const _ of response.bytes());
        lists++;
      } catch (error) {
        if (!isStatusError(error)) throw error;
        if (error.status.code !== 429) throw error;
        refused++;
        await pause(1000);
      }
    }
  };
  process.send!('ready');
  await Promise.all(Array.from({ length: Number(values.connections) }, one));
}

async function measure(path: string): Promise<void> {
  const { transport } = clientOf(path);
  await prepare(transport);
  const { transport: own } = clientOf(path);
  const before = await heartbeats(own);
  const child = fork(import.meta.filename, ['--flood', path, '--connections', values.connections]);
  await once(child, 'message');
  await pause(3000);
  const began = performance.now();
  const during = await heartbeats(own);
  const seconds = (performance.now() - began) / 1000;
  const answer = once(child, 'message');
  child.send('?');
  const [{ lists, refused }] = (await answer) as [{ lists: number; refused: number }];
  child.kill();
  await once(child, 'exit');
  const after = await heartbeats(own);
  const alone = [...before, ...after];
  const row = (of: readonly number[]): string => [0.5, 0.9, 0.99].map(at => quantile(of, at).toFixed(1)).join(' / ');
  console.log(`heartbeats alone (p50 / p90 / p99, ms)        ${row(alone)}`);
  console.log(`heartbeats beside ${values.connections} connections that list   ${row(during)}`);
  console.log(`times as long at p50: ${(quantile(during, 0.5) / quantile(alone, 0.5)).toFixed(2)}`);
  console.log(`lists a second: ${(lists / (seconds + 3)).toFixed(1)}, refused: ${refused}`);
}

if (values.flood) await flood(values.flood);
else for (const path of paths) await measure(path);
process.exit();
