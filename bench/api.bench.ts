/**
 * The API over HTTPS: memory, writes, apply, custom resources and CEL, lists, reads, watches. Any number of clusters
 * side by side, in turn within each round, with the ratio to the first.
 *
 *     node bench/api.bench.ts [--only memory,writes,apply,custom,lists,watches] [--rounds 3] [--large] [--start]
 *                             [--names A,B] [--write] KUBECONFIG …
 *
 * `--large`: also lists of 100,000 objects and a thousand definitions. `--start`: also the start of our own program with
 * 100,000 objects, in the last column. Memory means something on servers that have just been started.
 *
 * `--write` puts the table, marked with the machine, into docs/performance.md. Budgets (against kube-apiserver v1.36
 * with etcd on the same machine): creates 2 times at 1, 1.5 times at 10 and 100, for at most 350 µs of processor each;
 * GET and merge patches 1.2 times; a list in a third of the time, a GET beside it within 20 ms; a change to 1,000
 * watches not slower on 20 connections, within 60 ms on 1,000; half of the memory.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { applies } from './api/apply.ts';
import { custom } from './api/custom.ts';
import type { Figures, Part } from './api/figures.ts';
import { empty } from './api/fill.ts';
import { lists } from './api/lists.ts';
import { memory } from './api/memory.ts';
import { measureStart } from './api/start.ts';
import { watches } from './api/watches.ts';
import { writes } from './api/writes.ts';
import { clientOf, median } from './kubeconfig.ts';

const parts: readonly Part[] = [memory, writes, applies, custom, lists, watches];
const { values, positionals: paths } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    large: { type: 'boolean', default: false },
    start: { type: 'boolean', default: false },
    names: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
if (paths.length === 0) throw new Error('Usage: node bench/api.bench.ts [options] KUBECONFIG …');
const chosen = parts.filter(part => !values.only || values.only.split(',').includes(part.name));
const names = values.names?.split(',') ?? paths.map((_, at) => `cluster ${at + 1}`);

async function measure(path: string, part: Part, round: number): Promise<Figures> {
  const client = clientOf(path);
  const namespace = `bench-${part.name}-${process.pid}-${round}`;
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } };
  await (await client.transport.request({ method: 'POST', path: '/api/v1/namespaces', body })).json();
  try {
    await serviceAccount(client, namespace);
    return await part.measure({ client, connect: () => clientOf(path), namespace, large: values.large });
  } finally {
    const within = `namespaces/${namespace}`;
    for (const path of [`api/v1/${within}/pods`, `api/v1/${within}/configmaps`, `apis/apps/v1/${within}/deployments`]) {
      await empty({ client }, `/${path}`);
    }
    await client.transport.request({ method: 'DELETE', path: `/api/v1/${within}` });
    await client.transport[Symbol.asyncDispose]();
  }
}

/** A bare API server has no controller that makes it, and pods ask for it. */
async function serviceAccount(client: ReturnType<typeof clientOf>, namespace: string): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  const body = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } };
  await client.transport.request({ method: 'POST', path, body }).catch(() => {});
}

const results = new Map<string, Figures[]>(paths.map(path => [path, []]));
for (let round = 0; round < Number(values.rounds); round++) {
  for (const part of chosen) {
    if (part === memory && round > 0) continue;
    for (const path of paths) results.get(path)!.push(await measure(path, part, round));
  }
}
if (values.start) results.get(paths.at(-1)!)!.push(await measureStart());
const middle = (path: string, name: string): number => {
  const seen = results.get(path)!.flatMap(figures => figures.get(name) ?? []);
  return median(seen);
};
const shown = (value: number): string =>
  Number.isNaN(value) ? '–' : value.toLocaleString('en', { maximumFractionDigits: value < 20 ? 1 : 0 });
const ratios = paths.slice(1).map((_, at) => `${names[at + 1]} to ${names[0]}`);
const lines = [
  `| ${['', ...names, ...ratios].join(' | ')} |`,
  `|---|${[...names, ...ratios].map(() => '---:').join('|')}|`,
];
const rows = new Set(paths.flatMap(path => results.get(path)!.flatMap(figures => [...figures.keys()])));
for (const name of rows) {
  const seen = paths.map(path => middle(path, name));
  const compared = seen.slice(1).map(value => (Number.isNaN(value / seen[0]!) ? '–' : (value / seen[0]!).toFixed(2)));
  lines.push(`| ${[name, ...seen.map(shown), ...compared].join(' | ')} |`);
}
const table = lines.join('\n');
console.log(table);

if (values.write) {
  const file = join(import.meta.dirname, '..', 'docs', 'performance.md');
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()}, Node ${process.versions.node}`;
  const [begin, end] = ['<!-- api.bench: begin -->', '<!-- api.bench: end -->'];
  const text = readFileSync(file, 'utf8');
  const [before, rest] = text.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`${file} has no place for the table`);
  writeFileSync(
    file,
    `${before}${begin}\n\n${machine}; medians of ${values.rounds} rounds.\n\n${table}\n\n${end}${after}`,
  );
}
