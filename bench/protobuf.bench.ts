/**
 * Decoding and encoding a Pod. Budget: 28 µs a decode. Prints one line a figure; run with `node bench/protobuf.bench.ts`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { builtinTypes } from '#api/tables';
import { readJson, readProtobuf, writeJson, writeProtobuf } from '#apimachinery';

const node = builtinTypes.struct('io.k8s.api.core.v1.Pod');
const pod = JSON.parse(readFileSync(join(import.meta.dirname, 'data', 'pod.json'), 'utf8')) as object;
const bytes = writeProtobuf(pod, node);
const text = writeJson(pod, node);

function measure(name: string, work: () => unknown): void {
  for (let i = 0; i < 3000; i++) work();
  const runs = 10_000;
  const begin = performance.now();
  for (let i = 0; i < runs; i++) work();
  console.log(`${name}: ${(((performance.now() - begin) * 1000) / runs).toFixed(1)} µs`);
}

console.log(`a Pod of ${bytes.length} bytes of protobuf, ${text.length} of JSON`);
measure('protobuf decode', () => readProtobuf(bytes, node));
measure('protobuf encode', () => writeProtobuf(pod, node));
measure('JSON.parse', () => JSON.parse(text));
measure('JSON read (write path)', () => readJson(text, node));
