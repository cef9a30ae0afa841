/**
 * What a list of everything does to others of the same server: how long the loop is held, and the processor's time an
 * object, in every encoding. In this process on a memory store; each piece is taken a turn after the one before, as a
 * socket takes it. Budget: loop delay p99 20 ms in any encoding.
 *
 *     node bench/list-delay.bench.ts [objects]            default 100,000 pods
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { systemClock } from '#base';
import { createMemoryStore, type Store } from '#storage';
import { startTestApiServer } from '../test/support/api-server.ts';

const count = Number(process.argv[2] ?? 100_000);
const transforms = ';v=v1;g=meta.k8s.io';
const accepts = [
  'application/json',
  'application/vnd.kubernetes.protobuf',
  'application/vnd.kubernetes.protobuf',
  `application/json;as=Table${transforms}`,
  `application/json;as=PartialObjectMetadataList${transforms}`,
  `application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList${transforms}`,
  'application/json;pretty=1',
  'application/yaml',
];
const pod = JSON.parse(readFileSync(join(import.meta.dirname, 'data', 'pod.json'), 'utf8')) as {
  metadata: Record<string, unknown>;
};
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

async function fill(store: Store): Promise<void> {
  const { name: _name, uid: _uid, namespace: _namespace, resourceVersion: _version, ...metadata } = pod.metadata;
  for (let at = 0; at < count; at++) {
    const place = { name: `p${at}`, namespace: `ns${at % 100}`, uid: `${at}`.padStart(36, '0') };
    const labels = { app: `app-${at % 100}` };
    const value = Buffer.from(JSON.stringify({ ...pod, metadata: { ...place, ...metadata, labels } }));
    await store.txn([], [{ type: 'put', key: `/registry/pods/${place.namespace}/${place.name}`, value }]);
  }
}

const store = createMemoryStore({ clock: systemClock });
await fill(store);
await using server = await startTestApiServer({ store });
const transport = server.transport();

async function list(accept: string, query: ReadonlyArray<readonly [string, string]>): Promise<void> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const begin = performance.now();
  const before = process.cpuUsage();
  const answer = await transport.request({ method: 'GET', path: '/api/v1/pods', query, headers: { accept } });
  let size = 0;
  let first = 0;
  for await (const piece of answer.bytes()) {
    first ||= performance.now() - begin;
    size += piece.length;
    await turn();
  }
  delay.disable();
  const { user, system } = process.cpuUsage(before);
  const cells = [
    `${((user + system) / count).toFixed(1)} µs`,
    `${(size / 2 ** 20).toFixed(0)} MB`,
    `${first.toFixed(0)} ms`,
    `${(delay.percentile(99) / 1e6).toFixed(1)} ms`,
    `${(delay.max / 1e6).toFixed(1)} ms`,
  ];
  console.log(`| ${query.map(each => each.join('=')).join('&') || accept} | ${cells.join(' | ')} |`);
}

console.log(`${count} pods of ${JSON.stringify(pod).length} bytes; median of loop delay without work is 1.1 ms`);
console.log(
  '| list | processor an object | size | first piece after | loop delay p99 | at most |\n|---|---:|---:|---:|---:|---:|',
);
await list('application/json', [['limit', '1']]);
for (const accept of accepts) await list(accept, []);
await list('application/json', [['labelSelector', 'app in (app-1,app-2)']]);
await list('application/json', [['fieldSelector', 'status.phase!=Running']]);
await list('application/json', [['limit', '500']]);
process.exit();
