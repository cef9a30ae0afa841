/**
 * Durable creates, reads and patches a second over HTTPS, at 1, 10 and 100 clients, and a list of what was made.
 * Usage: node bench/api.bench.ts KUBECONFIG [KUBECONFIG …]; several are measured in turn, with the ratio to the first.
 * Budgets (against kube-apiserver v1.36 with etcd on the same machine): creates 2 times at 1, 1.5 times at 10 and 100;
 * GET and merge patches 1.2 times; a list in a third of the time.
 */
import { configMaps } from '#client';
import { clientOf, median } from './kubeconfig.ts';

const seconds = 2;
const rounds = 3;
const data = { text: 'x'.repeat(1500) };

type Figures = Map<string, number>;

/** Operations a second of `work`, with `clients` at a time. */
async function rate(clients: number, work: (index: number) => Promise<unknown>): Promise<number> {
  let done = 0;
  const begin = performance.now();
  const until = begin + seconds * 1000;
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (performance.now() < until) await work(done++);
    }),
  );
  return (done * 1000) / (performance.now() - begin);
}

async function measure(path: string): Promise<Figures> {
  const client = clientOf(path);
  const namespace = `bench-${process.pid}-${Math.floor(performance.now())}`;
  const namespaces = { group: '', version: 'v1', resource: 'namespaces', kind: 'Namespace', namespaced: false };
  await client.resource(namespaces).create({ metadata: { name: namespace } });
  const maps = client.resource(configMaps).namespace(namespace);
  const figures: Figures = new Map();
  let count = 0;
  try {
    for (const clients of [1, 10, 100]) {
      const perSecond = await rate(clients, () => maps.create({ metadata: { name: `m${count++}` }, data }));
      figures.set(`create, ${clients} at a time (1/s)`, perSecond);
    }
    figures.set('get, 10 at a time (1/s)', await rate(10, at => maps.get(`m${at % count}`)));
    figures.set(
      'merge patch, 10 at a time (1/s)',
      await rate(10, at => maps.patch(`m${at % count}`, { data: { n: String(at) } }, { type: 'merge' })),
    );
    const begin = performance.now();
    const { items } = await maps.list({ limit: 5000 });
    figures.set('list, objects a second', (items.length * 1000) / (performance.now() - begin));
  } finally {
    await client.resource(namespaces).delete(namespace);
    await client.transport[Symbol.asyncDispose]();
  }
  return figures;
}

const paths = process.argv.slice(2);
if (paths.length === 0) throw new Error('Usage: node bench/api.bench.ts KUBECONFIG [KUBECONFIG …]');
const results = new Map<string, Figures[]>(paths.map(path => [path, []]));
for (let round = 0; round < rounds; round++) for (const path of paths) results.get(path)!.push(await measure(path));
const middle = (path: string, name: string): number => median(results.get(path)!.map(figures => figures.get(name)!));
console.log(
  `| ${['', ...paths.map((_, at) => `cluster ${at + 1}`), ...paths.slice(1).map((_, at) => `${at + 2} to 1`)].join(' | ')} |`,
);
console.log(
  `|---|${paths.map(() => '---:').join('|')}|${paths
    .slice(1)
    .map(() => '---:')
    .join('|')}${paths.length > 1 ? '|' : ''}`,
);
for (const name of results.get(paths[0]!)![0]!.keys()) {
  const values = paths.map(path => middle(path, name));
  const ratios = values.slice(1).map(value => (value / values[0]!).toFixed(2));
  console.log(`| ${[name, ...values.map(value => value.toFixed(0)), ...ratios].join(' | ')} |`);
}
