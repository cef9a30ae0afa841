import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Warnings } from './warnings.ts';

function headersOf(...texts: string[]): string[] {
  const warnings = new Warnings();
  for (const text of texts) warnings.add(text);
  return warnings.headers();
}

test('a text is told once, in order, with quotes and backslashes escaped', () => {
  assert.deepEqual(headersOf('b', 'a "q" \\', 'b', ''), ['299 - "b"', '299 - "a \\"q\\" \\\\"']);
});

test('a text with control characters is not sent', () => {
  assert.deepEqual(headersOf('one\ntwo', 'three'), ['299 - "three"']);
});

test('texts are cut to 256 characters each when all of them exceed 4096', () => {
  const long = (n: number): string => String(n).padStart(2, '0').repeat(250);
  const few = headersOf(...Array.from({ length: 8 }, (_, n) => long(n)));
  assert.equal(few[0]!.length, '299 - ""'.length + 500);
  const many = headersOf(...Array.from({ length: 30 }, (_, n) => long(n)));
  assert.equal(many.length, 16);
  assert.ok(many.every(header => header.length === '299 - ""'.length + 256));
});

test('a text beyond ASCII is sent as UTF-8', () => {
  const [header = ''] = headersOf('unknown field "日é"');
  assert.equal(Buffer.from(header, 'latin1').toString(), '299 - "unknown field \\"日é\\""');
});
