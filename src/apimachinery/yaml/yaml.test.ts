/** The YAML room as its callers see it; its parts have tests of their own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseYaml, readAppliedConfiguration, writeYaml, yamlStrictError, yamlToJson } from './index.ts';

const value = (text: string): unknown => parseYaml(text).value;

test('scalars are YAML 1.1', () => {
  const rows: readonly [string, unknown][] = [
    ['0644', 420],
    ['0o644', 420],
    ['0x1F', 31],
    ['0b11', 3],
    ['1_000', 1000],
    ['yes', true],
    ['Off', false],
    ['"yes"', 'yes'],
    ['~', null],
    ['', null],
    ['1.5', 1.5],
    ['.5', 0.5],
    ['1e3', 1000],
    ['089', 89],
    ['-0', 0],
    ['2001-01-01', '2001-01-01'],
    ['1:30', '1:30'],
    ['12e', '12e'],
    ['9007199254740993', 9007199254740993n],
    ['!!str 12', '12'],
    ['!!int "12"', 12],
    ['!!binary aGk=', 'hi'],
    ['|\n  a\n  b\n', 'a\nb\n'],
    ['>-\n  a\n  b\n', 'a b'],
  ];
  for (const [text, want] of rows) assert.deepEqual((value(`k: ${text}`) as { k: unknown }).k, want, text);
});

test('keys are strings, the first document counts, merge keys and aliases are followed', () => {
  assert.deepEqual(value('1: a\ntrue: b\n1.5: c\nn: d\n'), { '1': 'a', true: 'b', '1.5': 'c', false: 'd' });
  assert.deepEqual(value('a: 1\n---\nb: 2\n'), { a: 1 });
  assert.equal(value('# nothing\n'), null);
  assert.deepEqual(value('x: &x {a: 1, b: 2}\nw: {<<: *x, b: 3}\nz: *x\n'), {
    x: { a: 1, b: 2 },
    w: { a: 1, b: 3 },
    z: { a: 1, b: 2 },
  });
  assert.deepEqual(Object.keys(value('__proto__: {a: 1}\n') as object), ['__proto__']);
});

test('duplicate keys are told by line', () => {
  const { value: read, duplicates } = parseYaml('a:\n  b: "1"\n  b: "2"\nn: 1\nn: 2\n');
  assert.deepEqual(read, { a: { b: '2' }, false: 2 });
  assert.deepEqual(duplicates, ['line 3: key "b" already set in map', 'line 5: key false already set in map']);
  assert.equal(
    yamlStrictError(duplicates),
    'yaml: unmarshal errors:\n  line 3: key "b" already set in map\n  line 5: key false already set in map',
  );
  assert.deepEqual(yamlToJson('{"b":1,"a":{"c":1,"c":2}}'), {
    json: '{"a":{"c":2},"b":1}',
    duplicates: ['line 1: key "c" already set in map'],
  });
});

test('aliases and nesting are bounded', () => {
  let bomb = 'a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n';
  for (let i = 1; i < 10; i++)
    bomb += `a${i}: &a${i} [${Array(10)
      .fill(`*a${i - 1}`)
      .join(',')}]\n`;
  assert.throws(() => parseYaml(bomb), { message: 'yaml: document contains excessive aliasing' });
  assert.throws(() => parseYaml('['.repeat(100000)), { code: 'yaml' });
  assert.throws(() => parseYaml('- '.repeat(100000)), { code: 'yaml' });
});

test('the writer sorts, keeps lists flat and quotes what would be misread', () => {
  assert.equal(
    writeYaml({ b: ['x', { c: 1 }], a10: 'yes', a9: '0644', a: '', e: {}, l: [], t: 'a\nb\n', n: null }),
    'a: ""\na9: "0644"\na10: "yes"\nb:\n- x\n- c: 1\ne: {}\nl: []\n"n": null\nt: |\n  a\n  b\n',
  );
});

test('what is written is read back', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), json => {
      const clean = JSON.parse(JSON.stringify(json));
      if (JSON.stringify(clean).includes('e+') || JSON.stringify(clean).includes('e-')) return;
      assert.deepEqual(JSON.parse(yamlToJson(writeYaml({ v: clean })).json), { v: clean });
    }),
    { numRuns: 200 },
  );
});

test('nothing but InputError is thrown', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'{}[]:,-&*!|>\'"%@`# \n\tab01?<') }), text => {
      try {
        parseYaml(text);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'yaml', String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

test('applied configurations', () => {
  assert.deepEqual(readAppliedConfiguration(''), { config: {}, strictError: undefined, duplicates: [] });
  assert.deepEqual(readAppliedConfiguration('{"a":{"b":1}}').config, { a: { b: 1 } });
  assert.equal(
    readAppliedConfiguration('a: 1\na: 2\n').strictError,
    'error converting YAML to JSON: yaml: unmarshal errors:\n  line 2: key "a" already set in map',
  );
  assert.throws(() => readAppliedConfiguration('[1]'), {
    code: 'patch',
    message:
      'error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type map[string]interface {}',
  });
});

test('text is folded behind column 80 and quoted as go-yaml does it', () => {
  const words = 'abcdefghi '.repeat(9).trim();
  assert.equal(writeYaml({ m: words }), `m: ${words.slice(0, 79)}\n  ${words.slice(80)}\n`);
  assert.equal(
    writeYaml({ m: `${words.slice(0, 50)}: "x" ${words}` }),
    `m: '${words.slice(0, 50)}: "x" ${words.slice(0, 29)}\n  ${words.slice(30)}'\n`,
  );
  assert.equal(writeYaml({ m: 'a\tb' }), 'm: "a\\tb"\n');
  assert.equal(
    writeYaml({ m: '2026-01-01', o: '1:30', p: ' a', q: '😀' }),
    'm: "2026-01-01"\no: "1:30"\np: \' a\'\nq: "\\U0001F600"\n',
  );
  assert.equal(writeYaml({ a: '\nx', b: 'x\n\n', c: 1234567.5 }), 'a: |2-\n\n  x\nb: |+\n  x\n\nc: 1.2345675e+06\n');
});

test('what Go refuses of scalars, keys and escapes', () => {
  const rows: readonly (readonly [text: string, message: string])[] = [
    ['a: .inf', 'json: unsupported value: +Inf'],
    ['a: [-.inf]', 'json: unsupported value: -Inf'],
    ['a: .nan', 'json: unsupported value: NaN'],
    ['~: v', 'unsupported map key of type: %!s(<nil>), key: <nil>, value: "v"'],
    ['? [a]\n: v', 'yaml: invalid map key: []interface {}{"a"}'],
    ['? {a: b}\n: v', 'yaml: invalid map key: map[interface {}]interface {}{"a":"b"}'],
    ['9223372036854775808: v', 'unsupported map key of type: uint64, key: 0x8000000000000000, value: "v"'],
    ['a: "\\uD800"', 'yaml: found invalid Unicode character escape code'],
    ['a: b\nc: "\\uD83D\\uDE00"', 'yaml: line 2: found invalid Unicode character escape code'],
    ['{"a":"\\/"}', 'yaml: found unknown escape character'],
  ];
  for (const [text, message] of rows) assert.throws(() => yamlToJson(text), { code: 'yaml', message }, text);
  assert.equal(yamlToJson('a: "\\\\uD800 \\u00e9"').json, '{"a":"\\\\uD800 é"}');
  assert.equal(yamlToJson('a: 1e400').json, '{"a":"1e400"}');
  assert.equal(yamlToJson('{"a":18446744073709551615}').json, '{"a":18446744073709551615}');
});

test('what stands behind the first document is not read', () => {
  assert.equal(yamlToJson('a: b\n---\n{{{').json, '{"a":"b"}');
  assert.equal(yamlToJson('# c\n---\na: b\n...\n[').json, '{"a":"b"}');
  assert.throws(() => yamlToJson('a: [\n---\nb: c\n'), { code: 'yaml' });
});
