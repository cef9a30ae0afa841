/**
 * Custom resources: objects a second with and without CEL rules, and with `--large` what a thousand definitions cost
 * discovery and everybody else.
 */
import type { Client } from '#client';
import { type Bench, drained, type Figures, type Part, quantile, rate, times } from './figures.ts';

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const many = 1000;
/** The original lets creates of a kind wait for two seconds after it was established, by a clock of whole seconds. */
const settleMs = 3500;

const rules = [
  'self.minReplicas <= self.replicas && self.replicas <= self.maxReplicas',
  'self.ports.all(p, p.port > 0 && p.port < 65536)',
  "self.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
  "!self.ports.exists(p, p.name == 'forbidden')",
  "quantity(self.size).isLessThan(quantity('10Gi'))",
];

function definition(group: string, kind: string, withRules: boolean): object {
  const plural = `${kind.toLowerCase()}s`;
  const port = { type: 'object', properties: { name: { type: 'string', maxLength: 63 }, port: { type: 'integer' } } };
  const spec = {
    type: 'object',
    properties: {
      replicas: { type: 'integer' },
      minReplicas: { type: 'integer' },
      maxReplicas: { type: 'integer' },
      name: { type: 'string', maxLength: 63 },
      size: { type: 'string', maxLength: 20 },
      ports: { type: 'array', maxItems: 16, items: port },
    },
    ...(withRules && { 'x-kubernetes-validations': rules.map(rule => ({ rule })) }),
  };
  const schema = { openAPIV3Schema: { type: 'object', properties: { spec } } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural, kind },
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  };
}

async function send(client: Client, method: 'POST' | 'GET' | 'DELETE', path: string, body?: object): Promise<void> {
  await drained((await client.transport.request({ method, path, ...(body && { body }) })).bytes());
}

/** Until a collection answers. */
async function served(client: Client, path: string): Promise<void> {
  for (;;) {
    const there = await send(client, 'GET', path).then(
      () => true,
      () => false,
    );
    if (there) return;
    await new Promise(resolve => setTimeout(resolve, 20));
  }
}

async function objects({ client, namespace }: Bench, group: string, figures: Figures): Promise<void> {
  for (const [kind, withRules] of [
    ['Plain', false],
    ['Ruled', true],
  ] as const) {
    await send(client, 'POST', definitions, definition(group, kind, withRules));
    const path = `/apis/${group}/v1/namespaces/${namespace}/${kind.toLowerCase()}s`;
    await served(client, path);
    await new Promise(resolve => setTimeout(resolve, settleMs));
    const ports = Array.from({ length: 8 }, (_, at) => ({ name: `port-${at}`, port: 8000 + at }));
    const spec = { replicas: 3, minReplicas: 1, maxReplicas: 5, name: 'web', size: '2Gi', ports };
    let made = 0;
    const create = () =>
      send(client, 'POST', path, { apiVersion: `${group}/v1`, kind, metadata: { name: `o${made++}` }, spec });
    const name = withRules ? `a custom object with ${rules.length} CEL rules` : 'a custom object';
    figures.set(`create of ${name}, 10 at a time (1/s)`, await rate(10, create));
    await send(client, 'DELETE', `${definitions}/${kind.toLowerCase()}s.${group}`);
  }
}

async function timed(rounds: number, work: () => Promise<unknown>): Promise<number> {
  const taken: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const begin = performance.now();
    await work();
    taken.push(performance.now() - begin);
  }
  return quantile(taken, 0.5);
}

async function thousand({ client, namespace }: Bench, group: string, figures: Figures): Promise<void> {
  const names = Array.from({ length: many }, (_, at) => `Thing${at}`);
  const begin = performance.now();
  await times(many, 10, at => send(client, 'POST', definitions, definition(group, names[at]!, true)));
  for (const each of names) await served(client, `/apis/${group}/v1/namespaces/${namespace}/${each.toLowerCase()}s`);
  figures.set(`${many} definitions until all are served (s)`, (performance.now() - begin) / 1000);
  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
  const discovery = async () =>
    drained((await client.transport.request({ method: 'GET', path: '/apis', headers: { accept } })).bytes());
  figures.set(`discovery beside ${many} definitions (ms)`, await timed(20, discovery));
  figures.set(
    `OpenAPI v3 index beside ${many} definitions (ms)`,
    await timed(10, () => send(client, 'GET', '/openapi/v3')),
  );
  await times(many, 10, at => send(client, 'DELETE', `${definitions}/${names[at]!.toLowerCase()}s.${group}`));
}

async function measure(bench: Bench): Promise<Figures> {
  const figures: Figures = new Map();
  const group = `${bench.namespace}.example.com`;
  await objects(bench, group, figures);
  if (bench.large) await thousand(bench, group, figures);
  return figures;
}

export const custom: Part = { name: 'custom', measure };
