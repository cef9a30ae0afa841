/**
 * What a whole server costs and how fast its pods are: start to ready (first and later), first container from nothing,
 * POST of a pod to Running seen on a watch, memory and processor when idle. Needs root; starts a cluster of its own.
 * Usage: node bench/server.bench.ts [idle seconds]
 * Budgets: ready 600 ms the first time and 300 ms later; first container 2 s; Running 120 ms median; idle 140 MB RSS
 * and 0.3 % of a core.
 */
import { readFileSync } from 'node:fs';
import type { Pod } from '#api/types';
import { pods } from '#client';
import { startKobune } from '../test/support/kobune.ts';
import { clientOf, median } from './kubeconfig.ts';

const idleSeconds = Number(process.argv[2] ?? 20);
const rounds = 20;
const ticksPerSecond = 100;
const image = 'localhost/node:host';

const processorSeconds = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
};
const residentMb = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
const readyMs = (log: string): number => Number([...log.matchAll(/"readyMs":(\d+)/g)].at(-1)![1]);

await using kobune = await startKobune();
const row = (name: string, value: number, unit: string): void =>
  console.log(`| ${name} | ${value.toFixed(1)} | ${unit} |`);
console.log('| what | seen | unit |\n|---|---:|---|');
row('process start to ready, first time', readyMs((await kobune.cli('logs')).stdout), 'ms');
await kobune.cli('image', 'build-from-host', '--tag', image);
const later: number[] = [];
for (let round = 0; round < 5; round++) {
  await kobune.cli('down');
  await kobune.cli('up');
  later.push(readyMs((await kobune.cli('logs')).stdout));
}
row('process start to ready, later (median of 5)', median(later), 'ms');

const client = clientOf(kobune.kubeconfig);
const resource = client.resource(pods).namespace('default');
const abort = new AbortController();
const { metadata } = await resource.list();
const running = new Map<string, (atMs: number) => void>();
const watching = (async () => {
  const events = await resource.watch({ resourceVersion: metadata.resourceVersion!, signal: abort.signal });
  for await (const { object } of events) {
    if (object.status?.phase === 'Running') running.get(object.metadata.name!)?.(performance.now());
  }
})().catch(() => {});
const taken: number[] = [];
for (let round = 0; round < rounds; round++) {
  const name = `bench-${round}`;
  const begin = performance.now();
  const seen = new Promise<number>(resolve => running.set(name, resolve));
  const spec = {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'c', image, command: ['sleep', '1000'] }],
  };
  await resource.create({ metadata: { name }, spec } as Partial<Pod>);
  taken.push((await seen) - begin);
  await resource.delete(name, { gracePeriodSeconds: 0 });
}
abort.abort();
await watching;
row('POST of a pod to Running on a watch, first', taken[0]!, 'ms');
row(`POST of a pod to Running on a watch (median of ${rounds})`, median(taken), 'ms');
await client.transport[Symbol.asyncDispose]();

await new Promise(resolve => setTimeout(resolve, 5000));
const pid = kobune.pid();
const before = processorSeconds(pid);
await new Promise(resolve => setTimeout(resolve, idleSeconds * 1000));
row('memory when idle', residentMb(pid), 'MB RSS');
row('processor when idle', ((processorSeconds(pid) - before) / idleSeconds) * 100, '% of a core');
