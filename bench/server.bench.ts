/**
 * How fast a server is there, how fast its pods are, and what it costs when idle.
 * Usage: node bench/server.bench.ts [--image NAME] [--idle SECONDS] [KUBECONFIG …]
 * With kubeconfigs, any clusters are measured in turn, with the ratio to the first: POST of a pod to Running seen on a
 * watch, then memory and processor as the API server's /metrics tell them. Without, a Kobune is made for the purpose
 * (needs root), and its start is measured too.
 * Budgets: ready 600 ms the first time and 300 ms later, from the process's begin; first container 2 s; Running 120 ms
 * median; idle 140 MB RSS and 0.3 % of a core.
 */
import { parseArgs } from 'node:util';
import type { Pod } from '#api/types';
import { type Client, pods } from '#client';
import { type Kobune, startKobune } from '../test/support/kobune.ts';
import { clientOf, median } from './kubeconfig.ts';

const rounds = 20;
const starts = 7;
/** The memory of the start and of the pods has gone back to the system by then. */
const settleMs = 25_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { image: { type: 'string', default: 'localhost/node:host' }, idle: { type: 'string', default: '20' } },
});
const idleSeconds = Number(values.idle);

/** What was measured of one cluster: the row's name to its figure. */
type Figures = Map<string, number>;

const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));

const readyMs = (log: string): number => Number([...log.matchAll(/"readyMs":(\d+)/g)].at(-1)![1]);

async function measureStarts(kobune: Kobune, figures: Figures): Promise<void> {
  figures.set('process start to ready, first time (ms)', readyMs((await kobune.cli('logs')).stdout));
  await kobune.cli('image', 'build-from-host', '--tag', values.image);
  const later: number[] = [];
  for (let round = 0; round < starts; round++) {
    await kobune.cli('down');
    await kobune.cli('up');
    later.push(readyMs((await kobune.cli('logs')).stdout));
  }
  figures.set(`process start to ready, later (median of ${starts}, ms)`, median(later));
  figures.set('process start to ready, later (fastest, ms)', Math.min(...later));
}

async function measurePods(client: Client, figures: Figures): Promise<void> {
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
    const name = `bench-${process.pid}-${round}`;
    const begin = performance.now();
    const seen = new Promise<number>(resolve => running.set(name, resolve));
    const container = { name: 'c', image: values.image, command: ['sleep', '1000'] };
    const spec = { terminationGracePeriodSeconds: 0, containers: [container] };
    await resource.create({ metadata: { name }, spec } as Partial<Pod>);
    taken.push((await seen) - begin);
    await resource.delete(name, { gracePeriodSeconds: 0 });
  }
  abort.abort();
  await watching;
  figures.set('POST of a pod to Running on a watch, first (ms)', taken[0]!);
  figures.set(`POST of a pod to Running on a watch (median of ${rounds}, ms)`, median(taken));
}

async function measureIdle(client: Client, figures: Figures): Promise<void> {
  const metric = async (name: string): Promise<number> => {
    const response = await client.transport.request({ method: 'GET', path: '/metrics' });
    const text = Buffer.concat(await Array.fromAsync(response.bytes())).toString('utf8');
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)![1]);
  };
  await sleep(settleMs);
  const before = await metric('process_cpu_seconds_total');
  await sleep(idleSeconds * 1000);
  const used = (await metric('process_cpu_seconds_total')) - before;
  figures.set('memory when idle (MB RSS)', (await metric('process_resident_memory_bytes')) / 2 ** 20);
  figures.set('processor when idle (% of a core)', (used / idleSeconds) * 100);
}

async function measure(kubeconfig: string, figures: Figures): Promise<Figures> {
  const client = clientOf(kubeconfig);
  await measurePods(client, figures);
  await measureIdle(client, figures);
  await client.transport[Symbol.asyncDispose]();
  return figures;
}

async function measureOwn(): Promise<Figures> {
  await using kobune = await startKobune();
  const figures: Figures = new Map();
  await measureStarts(kobune, figures);
  return await measure(kobune.kubeconfig, figures);
}

const all: Figures[] = [];
for (const path of positionals) all.push(await measure(path, new Map()));
if (positionals.length === 0) all.push(await measureOwn());

const [first] = all;
const titles = positionals.length > 0 ? positionals : ['Kobune'];
const ratio = (figures: Figures, name: string): string => (figures.get(name)! / first!.get(name)!).toFixed(2);
console.log(`| what | ${titles.map((title, at) => (at === 0 ? title : `${title} | ratio`)).join(' | ')} |`);
console.log(`|---|${titles.map((_, at) => (at === 0 ? '---:|' : '---:|---:|')).join('')}`);
for (const [name] of first!) {
  const cells = all.map((figures, at) => {
    const figure = figures.get(name)!.toFixed(1);
    return at === 0 ? figure : `${figure} | ${ratio(figures, name)}`;
  });
  console.log(`| ${name} | ${cells.join(' | ')} |`);
}
