/**
 * Columns and rows against the tables that the original printed. Rows are made of the recorded request bodies, so what
 * depends on a server's defaults is filled in here. Skipped where the reference data is absent.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { customTable, kindTable } from '#api/columns';
import { resources } from '#api/tables';
import { type OracleRow, oracleRows, referenceFolder } from '../reference.ts';

const skip = referenceFolder() ? false : 'no reference data beside the repository';
const rows = oracleRows('tables');
const byPath = (path: string): (typeof resources)[number] | undefined => {
  const parts = path.split('?')[0]!.split('/').slice(1);
  const [group, version, rest] =
    parts[0] === 'api' ? ['', parts[1]!, parts.slice(2)] : [parts[1]!, parts[2]!, parts.slice(3)];
  const resource = rest[0] === 'namespaces' && rest.length > 2 ? rest[2] : rest[0];
  return resources.find(each => each.group === group && each.version === version && each.resource === resource);
};

test('columns', { skip }, async t => {
  for (const { id, steps } of rows.filter(each => each.id.startsWith('tables/columns-'))) {
    await t.test(id, async () => {
      const facts = byPath(steps[0]!.path)!;
      const { columns, emptyRows } = await kindTable(facts.storageGroup, facts.kind);
      assert.deepEqual(columns, steps[0]!.expect!.only!['/columnDefinitions']);
      assert.deepEqual(emptyRows, steps[0]!.expect!.only!['/rows']);
    });
  }
});

type Tree = { [name: string]: unknown };

function merge(into: Tree, from: Tree): Tree {
  for (const [key, value] of Object.entries(from)) {
    const old = into[key];
    const nested = old && value && typeof old === 'object' && typeof value === 'object' && !Array.isArray(value);
    into[key] = nested ? merge(old as Tree, value as Tree) : value;
  }
  return into;
}

/** What a server would have filled in, as far as a row shows it. */
const defaults: Readonly<Record<string, Tree>> = {
  Pod: { status: { phase: 'Pending' } },
  Deployment: { spec: { replicas: 1 } },
  StatefulSet: { spec: { replicas: 1 } },
  Job: { spec: { completions: 1, parallelism: 1, suspend: false } },
  CronJob: { spec: { suspend: false } },
  PersistentVolume: { spec: { volumeMode: 'Filesystem', persistentVolumeReclaimPolicy: 'Retain' } },
  PersistentVolumeClaim: { spec: { volumeMode: 'Filesystem' } },
  Namespace: { status: { phase: 'Active' } },
  Secret: { type: 'Opaque' },
};

/** Why rows are left to the tests of the server. */
function needsServer({ id, steps }: OracleRow): boolean {
  return (
    /crd-|table-of|table-v1|include-object|exempt|job-|terminating|service-|hpa-|prioritylevel|endpointslice|csidriver|tables\/secret|scheduling-gated/.test(
      id,
    ) ||
    steps.some(step => (step.headers?.['content-type'] ?? '').includes('json-patch')) ||
    !steps.at(-1)?.expect?.only?.['/rows/0/cells/0']
  );
}

test('rows', { skip }, async t => {
  let compared = 0;
  for (const row of rows.filter(each => !each.id.startsWith('tables/columns-') && !needsServer(each))) {
    await t.test(row.id, async () => {
      const written = row.steps.filter(step => step.body);
      const facts = byPath(written[0]!.path)!;
      const object = structuredClone(defaults[facts.kind] ?? {});
      for (const step of written) merge(object, structuredClone(step.body) as Tree);
      const metadata = (object['metadata'] ??= {}) as Tree;
      const spec = object['spec'];
      if (facts.kind === 'Job' && (spec as Tree)['completions'] === undefined) (spec as Tree)['completions'] = 1;
      const nowMs = Date.now();
      metadata['creationTimestamp'] = new Date(nowMs).toISOString();
      const { cells, conditions } = (await kindTable(facts.storageGroup, facts.kind)).row(object, nowMs);
      for (const [at, value] of Object.entries(row.steps.at(-1)!.expect!.only!)) {
        if (at === '/rows/0/conditions') assert.deepEqual(conditions, value, at);
        const cell = at.match(/^\/rows\/0\/cells\/(\d+)$/)?.[1];
        if (cell !== undefined && !String(value).startsWith('<time>')) assert.equal(cells[Number(cell)], value, at);
      }
      compared++;
    });
  }
  assert.ok(compared > 60, `${compared} rows`);
});

interface Definition {
  readonly spec: { readonly versions: readonly { readonly additionalPrinterColumns?: never[] }[] };
}

test('custom columns', { skip }, async t => {
  const found = rows.filter(each => each.id.startsWith('tables/crd-'));
  if (!skip) assert.ok(found.length > 3);
  for (const { id, steps } of found) {
    await t.test(id, () => {
      const definition = steps[0]!.body as Definition;
      const table = customTable(definition.spec.versions[0]!.additionalPrinterColumns);
      const { cells } = table.row(steps[1]!.body as object, Date.now());
      for (const [at, value] of Object.entries(steps.at(-1)!.expect!.only!)) {
        if (at === '/columnDefinitions') assert.deepEqual(table.columns, value);
        const index = at.match(/^\/rows\/0\/cells\/(\d+)$/)?.[1];
        if (index !== undefined) assert.equal(cells[Number(index)], value, at);
      }
    });
  }
});
