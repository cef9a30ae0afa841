import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSource } from '../source.ts';
import { Scanner } from './scanner.ts';

function tokens(text: string): string[] {
  const scanner = new Scanner(readSource(text));
  const out: string[] = [];
  for (;;) {
    const { kind, value } = scanner.peek();
    if (kind === 'stream end') return out.slice(1);
    out.push(value === '' ? kind : `${kind} ${value}`);
    scanner.drop();
  }
}

test('indentation opens and closes blocks', () => {
  assert.deepEqual(tokens('a:\n- b\nc: d'), [
    'block mapping start',
    'key',
    'scalar a',
    'value',
    'block entry',
    'scalar b',
    'key',
    'scalar c',
    'value',
    'scalar d',
    'block end',
  ]);
  assert.deepEqual(tokens('- - x'), [
    'block sequence start',
    'block entry',
    'block sequence start',
    'block entry',
    'scalar x',
    'block end',
    'block end',
  ]);
});

test('a key is known by its colon', () => {
  assert.deepEqual(tokens('[a: b]').slice(1, 5), ['key', 'scalar a', 'value', 'scalar b']);
  assert.deepEqual(tokens('{"a":1}').slice(1, 5), ['key', 'scalar a', 'value', 'scalar 1']);
  assert.deepEqual(tokens('&x a: *y').slice(0, 5), ['block mapping start', 'key', 'anchor x', 'scalar a', 'value']);
  // Behind brackets in which no key could begin, the colon comes too late.
  assert.deepEqual(tokens('[]: a').slice(0, 3), ['flow sequence start', 'flow sequence end', 'key']);
});

test('scalars are folded, escaped and chomped', () => {
  const scalar = (text: string): string | undefined => tokens(text)[0];
  const rows: readonly (readonly [string, string])[] = [
    ['a b\n c', 'a b c'],
    ['a\n\n b', 'a\nb'],
    ['a\u2028 b', 'a\u2028b'],
    ["'it''s\n\n x'", "it's\nx"],
    ['"a\\\n  b \\x41\\u00e9\\U0001F600\\N\\_"', 'a  b Aé😀\x85\xa0'.replace('a  b', 'ab')],
    ['"a \t\n  b"', 'a b'],
    ['|\n a\n  b\n\n', 'a\n b\n'],
    ['|+\n a\n\n', 'a\n\n'],
    ['|-\n a\n\n', 'a'],
    ['|2-\n   a', ' a'],
    ['>\n a\n b\n\n c\n  d\n e\n', 'a b\nc\n d\ne\n'],
    ['> # why\n a\n', 'a\n'],
    ['a\r\n b\r c', 'a b c'],
  ];
  for (const [text, value] of rows) assert.equal(scalar(text), `scalar ${value}`, JSON.stringify(text));
});

test('faults are told with their line, the first line without', () => {
  const rows: readonly (readonly [string, string])[] = [
    ['\ta', 'found character that cannot start any token'],
    ['a: @', 'found character that cannot start any token'],
    ['a: b: c', 'mapping values are not allowed in this context'],
    ['a\nb: c', 'line 2: mapping values are not allowed in this context'],
    ['a: - b', 'block sequence entries are not allowed in this context'],
    ['a: ? b', 'mapping keys are not allowed in this context'],
    ['a: b\nc\nd: e', "line 3: could not find expected ':'"],
    ['a: "b', 'found unexpected end of stream'],
    ['\n\n"b\n', 'line 4: found unexpected end of stream'],
    ['"a\n---\n"', 'line 2: found unexpected document indicator'],
    ['"\\q"', 'found unknown escape character'],
    ['"\\xg0"', 'did not find expected hexdecimal number'],
    ['"\\ud800"', 'found invalid Unicode character escape code'],
    ['a: |0', 'found an indentation indicator equal to 0'],
    ['a: |x', 'did not find expected comment or line break'],
    ['a: |\n\tb', 'line 2: found a tab character where an indentation space is expected'],
    ['a:\n  b\n\tc', 'line 3: found a tab character that violates indentation'],
    ['&', 'did not find expected alphabetic or numeric character'],
    ['!<a', "did not find the expected '>'"],
    ['!a%zz', 'did not find URI escaped octet'],
    ['!a%80', 'found an incorrect leading UTF-8 octet'],
    ['!a%c3%41', 'found an incorrect trailing UTF-8 octet'],
    ['!a,b{', 'did not find expected whitespace or line break'],
    ['%', 'could not find expected directive name'],
    ['%A', 'found unknown directive name'],
    ['%YAML 1', "did not find expected digit or '.' character"],
    ['%YAML 111.1', 'found extremely long version number'],
    ['%TAG a', "did not find expected '!'"],
    ['['.repeat(10001), 'exceeded max depth of 10000'],
    ['- '.repeat(10001), 'exceeded max depth of 10000'],
  ];
  for (const [text, problem] of rows) {
    assert.throws(() => tokens(text), { code: 'yaml', message: `yaml: ${problem}` }, JSON.stringify(text.slice(0, 40)));
  }
});

test('a colon comes within 1024 characters of its key', () => {
  for (const key of ['k'.repeat(1024), '😀'.repeat(1024)]) assert.equal(tokens(`${key}: v`)[1], 'key');
  assert.throws(() => tokens(`${'k'.repeat(1025)}: v`), {
    message: 'yaml: mapping values are not allowed in this context',
  });
  assert.throws(() => tokens(`a: b\n${'k'.repeat(1025)}: v`), {
    message: "yaml: line 2: could not find expected ':'",
  });
});
