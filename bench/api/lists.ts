/**
 * Lists of pods, whole, in pages, as protobuf and as a table; what a GET beside them has to wait; the server's memory.
 * 1,000 and 10,000 pods, with `--large` 100,000.
 */
import { type Bench, drained, type Figures, type Part, quantile, rate } from './figures.ts';
import { fill, pod } from './fill.ts';
import { residentMb } from './server-metrics.ts';

const rounds = 5;

async function list(bench: Bench, count: number, accept: string, limit: number): Promise<number> {
  const path = `/api/v1/namespaces/${bench.namespace}/pods`;
  const taken: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const begin = performance.now();
    const query = limit > 0 ? ([['limit', String(limit)]] as const) : [];
    const response = await bench.client.transport.request({ method: 'GET', path, query, headers: { accept } });
    const size = await drained(response.bytes());
    if (size < Math.min(count, limit || count) * 50) throw new Error(`a list of ${size} bytes`);
    taken.push(performance.now() - begin);
  }
  return quantile(taken, 0.5);
}

/** How long small GETs on another connection take while whole lists are sent. */
async function beside(bench: Bench): Promise<number> {
  const other = bench.connect();
  const waits: number[] = [];
  let listing = true;
  const lists = list(bench, 1, 'application/json', 0).finally(() => (listing = false));
  while (listing) {
    const begin = performance.now();
    await (await other.transport.request({ method: 'GET', path: '/api/v1/namespaces/default' })).json();
    waits.push(performance.now() - begin);
  }
  await lists;
  await other.transport[Symbol.asyncDispose]();
  return quantile(waits, 0.99);
}

async function measure(bench: Bench): Promise<Figures> {
  const { client, namespace } = bench;
  const figures: Figures = new Map();
  const path = `/api/v1/namespaces/${namespace}/pods`;
  let made = 0;
  for (const count of [1000, 10_000, ...(bench.large ? [100_000] : [])]) {
    await fill(bench, path, pod, made, count);
    made = count;
    const n = count.toLocaleString('en');
    figures.set(`list of ${n} pods (ms)`, await list(bench, count, 'application/json', 0));
    figures.set(
      `… in protobuf (ms)`.replace('…', `list of ${n} pods`),
      await list(bench, count, 'application/vnd.kubernetes.protobuf', 0),
    );
    if (count === 1000) continue;
    const named = 'application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io';
    figures.set(`list of the metadata of ${n} pods in protobuf (ms)`, await list(bench, count, named, 0));
    figures.set(`list of 500 of ${n} pods (ms)`, await list(bench, count, 'application/json', 500));
    const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';
    figures.set(`list of 500 of ${n} pods as a table (ms)`, await list(bench, count, table, 500));
    figures.set(`GET beside lists of ${n} pods, p99 (ms)`, await beside(bench));
    if (count === 100_000) figures.set(`memory with ${n} pods (MB)`, await residentMb(client));
  }
  const get = (at: number) =>
    client.transport.request({ method: 'GET', path: `${path}/p${at % made}` }).then(each => each.json());
  for (const workers of [1, 10, 100]) figures.set(`get, ${workers} at a time (1/s)`, await rate(workers, get));
  return figures;
}

export const lists: Part = { name: 'lists', measure };
