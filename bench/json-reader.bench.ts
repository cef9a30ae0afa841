/**
 * Reading and writing a Pod on the write path, and what apply and ownership cost. Budgets: 80 µs a read, 60 µs for the
 * managed fields of a status update. Prints one line a figure; run with `node bench/json-reader.bench.ts`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { builtinTypes } from '#api/tables';
import { FieldManager, type KubeObject, readJson, setOfFields, writeJson } from '#apimachinery';

const node = builtinTypes.struct('io.k8s.api.core.v1.Pod');
const pod = JSON.parse(readFileSync(join(import.meta.dirname, 'data', 'pod.json'), 'utf8')) as KubeObject;
const bytes = Buffer.from(writeJson(pod, node));
const nowMs = Date.parse('2026-01-01T00:00:00Z');

function measure(name: string, work: () => unknown): void {
  for (let i = 0; i < 3000; i++) work();
  const runs = 10_000;
  const begin = performance.now();
  for (let i = 0; i < runs; i++) work();
  console.log(`${name}: ${(((performance.now() - begin) * 1000) / runs).toFixed(1)} µs`);
}

const options = { node, apiVersion: 'v1', kind: 'Pod', builtin: true } as const;
const main = new FieldManager({ ...options, subresource: '', resetFields: { v1: setOfFields('status') } });
const status = new FieldManager({ ...options, subresource: 'status', resetFields: { v1: setOfFields('spec') } });
const decode = (object: object): KubeObject => JSON.parse(writeJson(object, node)) as KubeObject;
const created = decode({ ...pod, status: undefined, metadata: { ...pod.metadata, managedFields: undefined } });
const live = decode({ ...main.update(null, created, { manager: 'kubelet', nowMs }), status: pod['status'] });
const pending = decode({ ...live, status: { ...(pod['status'] as object), phase: 'Pending', message: 'waiting' } });
const config = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: pod.metadata.name, labels: { changed: 'yes' } },
};

console.log(`a Pod of ${bytes.length} bytes of JSON`);
measure('JSON.parse', () => JSON.parse(bytes.toString()));
measure('JSON read (budget 80)', () => readJson(bytes, node));
measure('JSON write', () => writeJson(pod, node));
measure('managed fields of a create', () => main.update(null, created, { manager: 'a', nowMs }));
measure('managed fields of a status update (budget 60)', () => status.update(live, pending, { manager: 'a', nowMs }));
measure('managed fields of a write without change', () => status.update(live, { ...live }, { manager: 'a', nowMs }));
measure('server-side apply', () => main.apply(live, config, { manager: 'b', nowMs, force: true }));
