/**
 * YAML and what the original makes of it. original.gen.json holds what sigs.k8s.io/yaml v1.6.0 with go.yaml.in/yaml/v2
 * v2.4.3 answered: JSON, the error, and the error of strict reading. original-written.gen.json holds what it wrote.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { writeSorted } from '../json/write.ts';
import { jsonToYaml, parseYaml, parseYamlOrJson, yamlStrictError } from './index.ts';

interface Answer {
  readonly text: string;
  readonly json?: string;
  readonly error?: string;
  readonly strict?: string;
}

interface Written {
  readonly json: string;
  readonly text?: string;
  readonly error?: string;
}

const rowsOf = (name: string): unknown => JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8'));
const recorded = rowsOf('original.gen.json') as readonly Answer[];
const written = rowsOf('original-written.gen.json') as readonly Written[];

function answer(text: string, read: typeof parseYaml): Answer {
  try {
    const { value, duplicates } = read(text);
    const strict = yamlStrictError(duplicates);
    return { text, json: writeSorted(value), ...(strict !== undefined && { strict }) };
  } catch (error) {
    return { text, error: (error as Error).message };
  }
}

test('every text is read or refused as by the original', () => {
  assert.ok(recorded.length > 1000);
  for (const row of recorded) {
    const json = row.json === undefined ? undefined : JSON.stringify(JSON.parse(row.json));
    const { json: own, ...rest } = answer(row.text, parseYaml);
    const { json: _, ...wanted } = row;
    assert.deepEqual(rest, wanted);
    assert.equal(own === undefined ? undefined : JSON.stringify(JSON.parse(own)), json, JSON.stringify(row.text));
  }
});

test('every value is written as by the original', () => {
  assert.ok(written.length > 250);
  for (const row of written) {
    const { json } = row;
    let own: Written;
    try {
      own = { json, text: jsonToYaml(json) };
    } catch (error) {
      own = { json, error: (error as Error).message };
    }
    assert.deepEqual(own, row);
  }
});

test('JSON is read in the short way only where the long way says the same', () => {
  const unit = fc.constantFrom(...'ab \t"\\/\u007f\u0085\u2028\ufeff1e-.😀'.split(/(?:)/u), 'k'.repeat(200), '\\ud83d');
  const json = fc.jsonValue({ maxDepth: 3, stringUnit: unit } as never);
  fc.assert(
    fc.property(json, fc.constantFrom(undefined, 1, '\t'), (value, indent) => {
      const text = JSON.stringify({ a: value }, null, indent);
      assert.deepEqual(answer(text, parseYamlOrJson), answer(text, parseYaml));
    }),
    { numRuns: 300 },
  );
  for (const text of [
    `{"${'k'.repeat(1023)}": 1}`,
    '{"a"\n: 1}',
    '{"a":1}\n\t\n\t',
    '\t{"a": 1}',
    '{"a":"\u0085"}',
    '{"a":"\\ud83d\\ude00"}',
    '{"a":1,"a":2}',
    '{"a":-0,"b":1e400,"c":12345678901234567890123}',
  ]) {
    assert.deepEqual(answer(text, parseYamlOrJson), answer(text, parseYaml), text.slice(0, 40));
  }
});
