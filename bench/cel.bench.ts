/**
 * CEL: how long a rule takes to compile and to run.
 *
 *     node bench/cel.bench.ts
 *
 * Budget: a typical rule compiles within a millisecond and runs within a hundred microseconds.
 */
import { type DeclType, declTypeOf, newBaseEnvironment, schemaValue } from '#apimachinery/cel';

const schema = {
  type: 'object',
  required: ['replicas', 'ports'],
  properties: {
    replicas: { type: 'integer' },
    minReplicas: { type: 'integer' },
    maxReplicas: { type: 'integer' },
    name: { type: 'string', maxLength: 63 },
    ports: {
      type: 'array',
      maxItems: 16,
      items: { type: 'object', properties: { name: { type: 'string' }, port: { type: 'integer' } } },
    },
  },
};
const object = {
  replicas: 3,
  minReplicas: 1,
  maxReplicas: 5,
  name: 'web',
  ports: Array.from({ length: 8 }, (_, index) => ({ name: `port-${index}`, port: 8000 + index })),
};
const rules = [
  'self.minReplicas <= self.replicas && self.replicas <= self.maxReplicas',
  'self.ports.all(p, p.port > 0 && p.port < 65536)',
  "self.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
  'self.ports.map(p, p.name).exists(n, n == "port-7")',
  'self == oldSelf',
];

/** Median microseconds of one call. */
function measure(calls: number, body: () => void): number {
  const rounds: number[] = [];
  for (let round = 0; round < 7; round++) {
    const start = process.hrtime.bigint();
    for (let call = 0; call < calls; call++) body();
    rounds.push(Number(process.hrtime.bigint() - start) / 1000 / calls);
  }
  return rounds.sort((left, right) => left - right)[3] as number;
}

const self = declTypeOf(schema, false, 'selfType') as DeclType;
const environment = newBaseEnvironment().extend({ self, oldSelf: self });
console.log('compile µs | run µs | cost | rule');
for (const rule of rules) {
  const { program, issues } = environment.compile(rule);
  if (program === undefined) throw new Error(issues);
  const variables = { self: schemaValue(object, schema), oldSelf: schemaValue(structuredClone(object), schema) };
  const compile = measure(200, () => environment.compile(rule));
  const run = measure(2000, () => program.evaluate(variables));
  const { cost } = program.evaluate(variables);
  console.log(
    [compile.toFixed(0).padStart(10), run.toFixed(1).padStart(6), String(cost).padStart(4), rule].join(' | '),
  );
}
