import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseYaml, yamlToJson } from './index.ts';
import { readSource } from './source.ts';

const refused = (input: string | Uint8Array): string => {
  try {
    parseYaml(input);
  } catch (error) {
    return (error as Error).message;
  }
  return 'read';
};
const bytes = (...parts: readonly (string | Buffer | readonly number[])[]): Buffer =>
  Buffer.concat(parts.map(part => Buffer.from(part as string)));

test('bytes that are no UTF-8 are refused by their first fault', () => {
  const rows: readonly (readonly [readonly number[], string])[] = [
    [[0xc3, 0xa9], 'read'],
    [[0xff], 'yaml: invalid leading UTF-8 octet'],
    [[0xe2, 0x82], 'yaml: incomplete UTF-8 octet sequence'],
    [[0xc3, 0x61], 'yaml: invalid trailing UTF-8 octet'],
    [[0xc0, 0x80], 'yaml: invalid length of a UTF-8 sequence'],
    [[0xed, 0xa0, 0x80], 'yaml: invalid Unicode character'],
    [[0xf4, 0x90, 0x80, 0x80], 'yaml: invalid Unicode character'],
  ];
  for (const [fault, message] of rows) assert.equal(refused(bytes('a', fault)), message, String(fault));
});

test('control characters are refused', () => {
  for (const char of ['\0', '\x01', '\x1f', '\x7f', '\x80', '\ufffe', '\uffff']) {
    assert.equal(refused(`a: ${char}`), 'yaml: control characters are not allowed', JSON.stringify(char));
  }
  for (const char of ['\t', '\x85', '\xa0', '\ufffd', '😀']) assert.equal(refused(`a: "${char}"`), 'read');
});

test('a fault of characters comes before a fault of syntax in its block of 512 bytes, and after one of an earlier block', () => {
  assert.equal(refused('a: [b\n\x01'), 'yaml: control characters are not allowed');
  assert.equal(refused(`a: b: c\n#${'x'.repeat(490)}\x01`), 'yaml: control characters are not allowed');
  assert.equal(refused(`a: b: c\n#${'x'.repeat(520)}\x01`), 'yaml: mapping values are not allowed in this context');
});

test('what stands behind the first document is not read, as far as it lies in later blocks', () => {
  assert.equal(yamlToJson(`a: b\n---\n#${'x'.repeat(600)}\x01`).json, '{"a":"b"}');
  assert.equal(refused('a: b\n---\n\x01'), 'yaml: control characters are not allowed');
});

test('byte order marks say how the text is written', () => {
  assert.equal(yamlToJson('\ufeffa: é').json, '{"a":"é"}');
  const little = Buffer.from('\ufeffa: é😀', 'utf16le');
  const big = Buffer.from(little).swap16();
  for (const each of [little, big]) assert.equal(yamlToJson(each).json, '{"a":"é😀"}');
  assert.equal(refused(little.subarray(0, -1)), 'yaml: incomplete UTF-16 surrogate pair');
  assert.equal(refused(bytes(little, [0x41])), 'yaml: incomplete UTF-16 character');
  assert.equal(refused(bytes(little, [0, 0xdc])), 'yaml: unexpected low surrogate area');
  assert.equal(refused(bytes(little, [0, 0xd8, 0x41, 0])), 'yaml: expected low surrogate area');
});

test('blocks are noted only where something depends on them', () => {
  assert.equal(readSource('a: b').blockEnds, undefined);
  assert.deepEqual(readSource(`${'é'.repeat(300)}\ufeff`), {
    text: `${'é'.repeat(300)}\ufeff`,
    blockEnds: [256, 301],
    fault: undefined,
  });
});
