/**
 * Lists of pods, whole, in pages, as protobuf and as a table; what a GET beside them has to wait; the server's memory.
 * 1,000 and 10,000 pods, with `--large` 100,000.
 */
import { type Bench, drained, type Figures, type Part, quantile, rate, times } from './figures.ts';
import { residentMb } from './server-metrics.ts';

const rounds = 5;

function pod(at: number): object {
  const env = Array.from({ length: 8 }, (_, i) => ({ name: `SETTING_${i}`, value: `value-${i}-of-pod-${at}` }));
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `p${at}`, labels: { app: `app-${at % 100}` } },
    spec: {
      automountServiceAccountToken: false,
      schedulerName: 'nobody',
      containers: [{ name: 'web', image: 'registry.example.com/team/web:1.2.3', env }],
    },
  };
}

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
  const empty = await residentMb(client);
  let made = 0;
  const fill = async (count: number): Promise<void> => {
    const from = made;
    await times(count - from, 50, async at => {
      await (await client.transport.request({ method: 'POST', path, body: pod(from + at) })).json();
    });
    made = count;
  };
  for (const count of [1000, 10_000, ...(bench.large ? [100_000] : [])]) {
    await fill(count);
    const n = count.toLocaleString('en');
    figures.set(`list of ${n} pods (ms)`, await list(bench, count, 'application/json', 0));
    figures.set(
      `… in protobuf (ms)`.replace('…', `list of ${n} pods`),
      await list(bench, count, 'application/vnd.kubernetes.protobuf', 0),
    );
    if (count === 1000) continue;
    figures.set(`list of 500 of ${n} pods (ms)`, await list(bench, count, 'application/json', 500));
    const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';
    figures.set(`list of 500 of ${n} pods as a table (ms)`, await list(bench, count, table, 500));
    figures.set(`GET beside lists of ${n} pods, p99 (ms)`, await beside(bench));
    figures.set(`memory for ${n} pods (MB)`, (await residentMb(client)) - empty);
  }
  const get = (at: number) =>
    client.transport.request({ method: 'GET', path: `${path}/p${at % made}` }).then(each => each.json());
  for (const workers of [1, 10, 100]) figures.set(`get, ${workers} at a time (1/s)`, await rate(workers, get));
  return figures;
}

export const lists: Part = { name: 'lists', measure };
