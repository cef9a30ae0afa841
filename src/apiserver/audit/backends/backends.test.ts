import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SteppedClock } from '#base';
import { AuditEvent, type AuditLevel, eventList, legacyLine } from '../event.ts';
import type { AuditMetrics } from '../metrics.ts';
import { type AuditBackend, ignoringErrors, union } from './backend.ts';
import { type BatchOptions, buffered } from './buffered.ts';
import { truncating } from './truncate.ts';

function event(id: string, level: AuditLevel = 'Metadata', requestObject?: string): AuditEvent {
  return new AuditEvent({
    level,
    auditID: id,
    stage: 'ResponseComplete',
    requestURI: '/api/v1/pods?watch=1&x=<y>',
    verb: 'watch',
    user: { name: 'tom', uid: 'u', groups: ['a', 'b'], extra: { z: ['1'], y: ['2'] } },
    impersonatedUser: undefined,
    impersonationConstraint: '',
    sourceIPs: ['10.0.0.1'],
    userAgent: 'kubectl',
    objectRef: undefined,
    responseStatus: { code: 200 },
    requestObject,
    responseObject: undefined,
    receivedMs: 1_700_000_000_123.456,
    stageMs: 1_700_000_000_124,
    annotations: { b: '2', a: '1' },
  });
}

/** What is promised by now is done. */
const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

const ids = (events: readonly AuditEvent[]): string[] => events.map(({ fields }) => fields.auditID);

function recorder(answer: boolean | (() => Promise<boolean>) = true) {
  const batches: string[][] = [];
  const backend: AuditBackend = {
    description: 'recorder',
    process(events) {
      batches.push(ids(events));
      return typeof answer === 'boolean' ? answer : answer();
    },
    stop: async () => {},
  };
  return { backend, batches };
}

function failures() {
  const told: Array<[plugin: string, error: string, ids: string[]]> = [];
  const metrics: AuditMetrics = {
    level: () => {},
    event: () => {},
    rejected: () => {},
    failed: (plugin, error, events) => void told.push([plugin, String(error), ids(events)]),
  };
  return { metrics, told };
}

test('an event in the order of its type, as JSON, as an item and as a line', () => {
  const { json, sizeBytes } = event('1');
  assert.equal(
    json,
    '{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"1","stage":"ResponseComplete","requestURI":"/api/v1/pods?watch=1\\u0026x=\\u003cy\\u003e","verb":"watch","user":{"username":"tom","uid":"u","groups":["a","b"],"extra":{"y":["2"],"z":["1"]}},"sourceIPs":["10.0.0.1"],"userAgent":"kubectl","responseStatus":{"metadata":{},"code":200},"requestReceivedTimestamp":"2023-11-14T22:13:20.123456Z","stageTimestamp":"2023-11-14T22:13:20.124000Z","annotations":{"a":"1","b":"2"}}',
  );
  assert.equal(sizeBytes, Buffer.byteLength(`${json}\n`));
  const list = JSON.parse(eventList([event('1'), event('2')])) as { kind: string; items: Array<{ kind?: string }> };
  assert.deepEqual([list.kind, list.items.map(item => item.kind)], ['EventList', [undefined, undefined]]);
  assert.equal(
    legacyLine(event('1')),
    '2023-11-14T22:13:20.123456Z AUDIT: id="1" stage="ResponseComplete" ip="10.0.0.1" method="watch" user="tom" groups="\\"a\\",\\"b\\"" as="<self>" asgroups="<lookup>" user-agent="kubectl" namespace="<none>" uri="/api/v1/pods?watch=1&x=<y>" response="200"',
  );
});

const batching: BatchOptions = {
  bufferSize: 5,
  maxBatchSize: 3,
  maxBatchWaitMs: 1000,
  throttle: undefined,
  isAsync: true,
};

test('a batch goes out when it is full, or when its time is over', async () => {
  const clock = new SteppedClock();
  const { backend, batches } = recorder();
  const { metrics } = failures();
  const buffer = buffered(backend, batching, { clock, metrics });
  for (const id of ['1', '2', '3', '4']) assert.equal(buffer.process([event(id)]), true);
  await settled();
  await clock.advance(999);
  assert.deepEqual(batches, [['1', '2', '3']]);
  await clock.advance(2);
  await settled();
  assert.deepEqual(batches, [['1', '2', '3'], ['4']]);
});

test('a full buffer loses what comes, and says so', async () => {
  const clock = new SteppedClock();
  const { backend, batches } = recorder(() => new Promise(() => {}));
  const { metrics, told } = failures();
  const buffer = buffered(backend, { ...batching, isAsync: false }, { clock, metrics });
  for (let at = 1; at <= 3; at++) buffer.process([event(String(at))]);
  await settled();
  for (let at = 4; at <= 10; at++) assert.equal(buffer.process([event(String(at))]), true);
  assert.deepEqual(batches, [['1', '2', '3']], 'a back end that hangs is given no second batch');
  assert.deepEqual(told, [
    ['buffered', 'audit buffer queue blocked', ['9']],
    ['buffered', 'audit buffer queue blocked', ['10']],
  ]);
});

test('batches leave no faster than the throttle lets them', async () => {
  const clock = new SteppedClock();
  const { backend, batches } = recorder();
  const { metrics } = failures();
  const throttle = { qps: 1, burst: 2 };
  const buffer = buffered(backend, { ...batching, maxBatchSize: 1, throttle }, { clock, metrics });
  for (const id of ['1', '2', '3', '4']) buffer.process([event(id)]);
  await settled();
  assert.equal(batches.length, 2);
  await clock.advance(1000);
  await settled();
  assert.equal(batches.length, 3);
  await clock.advance(1000);
  await settled();
  assert.equal(batches.length, 4);
});

test('stopping hands on what was taken and takes no more', async () => {
  const clock = new SteppedClock();
  const { backend, batches } = recorder();
  const { metrics, told } = failures();
  const buffer = buffered(backend, batching, { clock, metrics });
  buffer.process([event('1')]);
  await buffer.stop();
  assert.deepEqual(batches, [['1']]);
  buffer.process([event('2')]);
  assert.deepEqual(told, [['buffered', 'audit backend shut down', ['2']]]);
});

test('stopping does not wait for ever for a back end that hangs', async () => {
  const clock = new SteppedClock();
  const { backend } = recorder(() => new Promise(() => {}));
  const { metrics, told } = failures();
  const buffer = buffered(backend, { ...batching, isAsync: false, maxBatchSize: 1 }, { clock, metrics });
  for (const id of ['1', '2', '3']) buffer.process([event(id)]);
  await settled();
  const stopped = buffer.stop();
  await clock.advance(10_000);
  await stopped;
  assert.deepEqual(told, [['buffered', 'audit backend shut down', ['2', '3']]]);
});

test('large events lose their objects, then go; large batches are split', () => {
  const { backend, batches } = recorder();
  const { metrics, told } = failures();
  const large = event('large', 'Request', JSON.stringify('x'.repeat(1000)));
  const plain = event('plain').sizeBytes;
  const truncated = large.truncated();
  assert.equal(truncated.fields.annotations['audit.k8s.io/truncated'], 'true');
  const options = { enabled: true, maxEventSizeBytes: truncated.sizeBytes, maxBatchSizeBytes: plain * 2 + 10 };
  const cutter = truncating(backend, options, metrics);
  const tooLarge = event('y'.repeat(1000));
  assert.equal(cutter.process([event('1'), event('2'), large, tooLarge, event('3')]), true);
  assert.deepEqual(batches, [['1', '2'], ['large'], ['3']]);
  assert.deepEqual(told, [['truncate', 'event is too large even after truncating', ['y'.repeat(1000)]]]);
});

test('a union fails when one of it fails; blocking mode goes on', async () => {
  const good = recorder();
  const bad = recorder(async () => false);
  assert.equal(await union([bad.backend, good.backend]).process([event('1')]), false);
  assert.deepEqual(good.batches, [['1']]);
  assert.equal(await union([ignoringErrors(bad.backend), good.backend]).process([event('2')]), true);
  assert.equal(
    union([ignoringErrors(bad.backend), good.backend]).description,
    'union[ignoreErrors<recorder>,recorder]',
  );
});
