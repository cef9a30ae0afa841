import assert from 'node:assert/strict';
import { test } from 'node:test';
import { customTable, kindTable } from './columns.ts';
import { resources } from './tables.ts';

const nowMs = Date.parse('2026-01-02T00:00:00Z');
const metadata = { name: 'web', creationTimestamp: '2026-01-01T23:55:00Z' };

test('a pod: ready, restarted, on its node', async () => {
  const { columns, row } = await kindTable('', 'Pod');
  const pod = {
    metadata,
    spec: { containers: [{ name: 'a' }, { name: 'b' }], nodeName: 'node-1' },
    status: {
      phase: 'Running',
      podIPs: [{ ip: '192.0.2.7' }],
      containerStatuses: [
        { name: 'a', ready: true, restartCount: 0, state: { running: {} } },
        {
          name: 'b',
          ready: false,
          restartCount: 3,
          state: { waiting: { reason: 'CrashLoopBackOff' } },
          lastState: { terminated: { exitCode: 1, finishedAt: '2026-01-01T23:58:00Z' } },
        },
      ],
    },
  };
  assert.deepEqual(row(pod, nowMs).cells, [
    ...['web', '1/2', 'CrashLoopBackOff', '3 (2m ago)', '5m', '192.0.2.7', 'node-1', '<none>', '<none>'],
  ]);
  assert.equal(columns.length, 9);
});

test('a service, a job, an autoscaler', async () => {
  const service = {
    metadata,
    spec: { type: 'LoadBalancer', clusterIPs: ['10.96.0.7'], ports: [{ port: 80, nodePort: 30080, protocol: 'TCP' }] },
  };
  const { row: serviceRow } = await kindTable('', 'Service');
  assert.deepEqual(serviceRow(service, nowMs).cells, [
    ...['web', 'LoadBalancer', '10.96.0.7', '<pending>', '80:30080/TCP', '5m', '<none>'],
  ]);
  const job = {
    metadata,
    spec: { completions: 2, template: { spec: { containers: [{ name: 'c', image: 'i:1' }] } } },
    status: { succeeded: 1, startTime: '2026-01-01T23:59:00Z', conditions: [{ type: 'Suspended', status: 'True' }] },
  };
  const { row: jobRow } = await kindTable('batch', 'Job');
  assert.deepEqual(jobRow(job, nowMs).cells.slice(1, 4), ['Suspended', '1/2', '60s']);
  const scaler = {
    metadata,
    spec: {
      scaleTargetRef: { kind: 'Deployment', name: 'web' },
      maxReplicas: 3,
      metrics: ['cpu', 'memory', 'disk'].map(name => ({
        type: 'Resource',
        resource: { name, target: { averageUtilization: 80 } },
      })),
    },
  };
  const { row: scalerRow } = await kindTable('autoscaling', 'HorizontalPodAutoscaler');
  assert.equal(scalerRow(scaler, nowMs).cells[2], 'cpu: <unknown>/80%, memory: <unknown>/80% + 1 more...');
});

test('every listed kind has a table whose rows fit its columns', async () => {
  const exceptions = new Map([['IPAddress', 3]]);
  for (const { storageGroup, kind, verbs } of resources) {
    if (!verbs.includes('list')) continue;
    const { columns, row } = await kindTable(storageGroup, kind);
    const template = { spec: { containers: [] } };
    const spec = { template, jobTemplate: {}, scaleTargetRef: {}, source: {}, pool: {} };
    const { cells } = row({ metadata, spec, template, roleRef: {} }, nowMs);
    assert.equal(cells.length, exceptions.get(kind) ?? columns.length, kind);
  }
});

test('a kind without columns has its name and the time of its creation', async () => {
  const table = await kindTable('', 'LimitRange');
  assert.deepEqual(table.row({ metadata }, nowMs).cells, ['web', '2026-01-01T23:55:00Z']);
  assert.equal(table.emptyRows, null);
});

test('custom columns: paths of every sort, types that do not fit', () => {
  const object = {
    metadata: { name: 'a', creationTimestamp: '2026-01-01T23:00:00Z' },
    spec: {
      list: ['p', 'q', 'r'],
      conditions: [
        { type: 'Other', status: 'no' },
        { type: 'Ready', status: 'yes' },
      ],
      map: { 'a.b': 'dot' },
      number: 2.7,
      none: null,
    },
  };
  const cellOf = (jsonPath: string, type = 'string'): unknown =>
    customTable([{ name: 'X', type, jsonPath }]).row(object, nowMs).cells[1];
  const texts: readonly (readonly [string, unknown])[] = [
    ['.spec.list[1]', 'q'],
    ['.spec.list[*]', 'p'],
    ['.spec.list[-1:]', 'r'],
    ['.spec.list[-1]', 'r'],
    ['.spec.list[7]', null],
    ['.spec.list[0,2]', 'p'],
    ['.spec.conditions[?(@.type=="Ready")].status', 'yes'],
    ['.spec.conditions[?(@.missing)].status', null],
    ['.spec.map.a\\.b', 'dot'],
    [".spec.map['a\\.b']", 'dot'],
    ['.spec.map', '{"a.b":"dot"}'],
    ['.spec.number', '2.7'],
    ['.spec.none', '<no value>'],
    ['.spec.missing.deeper', null],
    ['..status', 'no'],
  ];
  for (const [path, expected] of texts) assert.equal(cellOf(path), expected, path);
  assert.equal(cellOf('.spec.number', 'integer'), 2);
  assert.equal(cellOf('.spec.list[0]', 'integer'), null);
  assert.equal(cellOf('.spec.list[0]', 'date'), '<invalid>');
  assert.equal(cellOf('.metadata.creationTimestamp', 'date'), '60m');
  const byDefault = customTable(undefined);
  assert.deepEqual(
    byDefault.columns.map(each => each.name),
    ['Name', 'Age'],
  );
  assert.deepEqual(byDefault.row(object, nowMs).cells, ['a', '60m']);
});
