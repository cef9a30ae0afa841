/**
 * What a thousand custom resource definitions cost: start of a server that has them, discovery, the OpenAPI index, one
 * more definition until it is served, and one object of it; beside the same with ten, in this process on a memory store.
 * Budgets, as ratios of a thousand to ten in one run: a ConfigMap read 1.2, a definition until it is served 2, an
 * object 1.5; start 600 ms more; discovery that did not change 5 ms. Run with `node bench/definitions.bench.ts`.
 */

import { systemClock } from '#base';
import type { Transport } from '#client';
import { createMemoryStore, type Store } from '#storage';
import { startTestApiServer } from '../test/support/api-server.ts';
import { median } from './kubeconfig.ts';

const counts = [10, 1000];
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

/** A schema of some 60 fields with rules, as operators have them. */
function schemaOf(depth: number): object {
  const text = { type: 'string', maxLength: 100, description: 'A field of some importance to somebody.' };
  const properties = Object.fromEntries(Array.from({ length: 12 }, (_, at) => [`field${at}`, text]));
  const rules = [{ rule: "!has(self.field0) || self.field0 != 'never'", message: 'never is no value' }];
  const below = depth > 0 ? { nested: schemaOf(depth - 1) } : {};
  return { type: 'object', properties: { ...properties, ...below }, 'x-kubernetes-validations': rules };
}

function definition(at: number): object {
  const group = `group${at % 100}.example.com`;
  const schema = { openAPIV3Schema: { type: 'object', properties: { spec: schemaOf(4) } } };
  return {
    metadata: { name: `things${at}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural: `things${at}`, kind: `Thing${at}` },
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  };
}

async function until(ready: () => Promise<boolean>): Promise<void> {
  while (!(await ready())) await new Promise(resolve => setImmediate(resolve));
}

async function establish(transport: Transport, at: number): Promise<void> {
  const body = definition(at) as { metadata: { name: string } };
  await transport.request({ method: 'POST', path: definitions, body });
  await until(async () => {
    const answer = await transport.request({ method: 'GET', path: `${definitions}/${body.metadata.name}` });
    const { status } = (await answer.json()) as { status?: { conditions?: { type: string; status: string }[] } };
    return status?.conditions?.some(each => each.type === 'Established' && each.status === 'True') ?? false;
  });
}

/** Median milliseconds of `work`. */
async function timed(rounds: number, work: (round: number) => Promise<unknown>): Promise<number> {
  const taken: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const begin = performance.now();
    await work(round);
    taken.push(performance.now() - begin);
  }
  return median(taken);
}

async function read(transport: Transport, path: string, accept = 'application/json'): Promise<number> {
  const answer = await transport.request({ method: 'GET', path, headers: { accept } });
  let size = 0;
  for await (const part of answer.bytes()) size += part.length;
  return size;
}

async function fill(store: Store, count: number): Promise<void> {
  await using server = await startTestApiServer({ store });
  const transport = server.transport();
  for (let at = 0; at < count; at++) await establish(transport, at);
}

async function measure(count: number): Promise<Map<string, number>> {
  const figures = new Map<string, number>();
  const store = createMemoryStore({ clock: systemClock });
  const begun = performance.now();
  await fill(store, count);
  figures.set('definitions made and served (ms each)', (performance.now() - begun) / count);
  const starts: number[] = [];
  for (let round = 0; round < 3; round++) {
    const begin = performance.now();
    const server = await startTestApiServer({ store });
    await read(server.transport(), '/apis', aggregated);
    starts.push(performance.now() - begin);
    await server[Symbol.asyncDispose]();
  }
  figures.set('start until discovery answers (ms)', median(starts));
  await using server = await startTestApiServer({ store });
  const transport = server.transport();
  figures.set('discovery, first (ms)', await timed(1, () => read(transport, '/apis', aggregated)));
  figures.set('discovery, unchanged (ms)', await timed(50, () => read(transport, '/apis', aggregated)));
  figures.set('groups, legacy (ms)', await timed(50, () => read(transport, '/apis')));
  figures.set('OpenAPI v3 index (ms)', await timed(20, () => read(transport, '/openapi/v3')));
  const maps = '/api/v1/namespaces/default/configmaps';
  await transport.request({ method: 'POST', path: maps, body: { metadata: { name: 'm' } } });
  figures.set('a ConfigMap read (ms)', await timed(300, () => read(transport, `${maps}/m`)));
  figures.set('one more definition until served (ms)', await timed(10, round => establish(transport, 5000 + round)));
  const things = '/apis/group0.example.com/v1/namespaces/default/things0';
  figures.set(
    'an object of one (ms)',
    await timed(100, round =>
      transport.request({
        method: 'POST',
        path: things,
        body: {
          apiVersion: 'group0.example.com/v1',
          kind: 'Thing0',
          metadata: { name: `t${round}` },
          spec: { field1: 'x' },
        },
      }),
    ),
  );
  figures.set('heap (MB)', process.memoryUsage().heapUsed / 2 ** 20);
  return figures;
}

const [few, many] = [await measure(counts[0]!), await measure(counts[1]!)];
console.log(`schema: ${JSON.stringify(schemaOf(4)).length} bytes`);
for (const [name, value] of many) {
  const base = few.get(name)!;
  console.log(
    `${name.padEnd(42)} ${base.toFixed(2).padStart(9)} ${value.toFixed(2).padStart(9)}  x${(value / base).toFixed(2)}`,
  );
}
