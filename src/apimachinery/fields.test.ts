import assert from 'node:assert/strict';
import { test } from 'node:test';
import { escapeFieldValue, parseFieldSelector } from './fields.ts';

test('field selectors parse, match and print', () => {
  const selector = parseFieldSelector('b!=2,a==1');
  assert.equal(selector.toString(), 'a=1,b!=2');
  assert.equal(selector.matches({ a: '1' }), true);
  assert.equal(selector.matches({ a: '1', b: '2' }), false);
  assert.equal(parseFieldSelector('a=').matches({}), true);
  assert.equal(parseFieldSelector('').isEmpty, true);
  assert.equal(parseFieldSelector('a=1').requiredValue('a'), '1');
  const odd = 'x,y=z\\';
  assert.equal(parseFieldSelector(`a=${escapeFieldValue(odd)}`).requiredValue('a'), odd);
});

test('bad field selectors have upstream texts', () => {
  const rows: readonly [string, string][] = [
    ['a', "invalid selector: 'a'; can't understand 'a'"],
    ['a=1,b', "invalid selector: 'a=1,b'; can't understand 'b'"],
    ['a=\\x', 'invalid field selector: invalid escape sequence: \\x'],
    ['a=1=2', 'invalid field selector: unescaped character in value: 61'],
  ];
  for (const [text, message] of rows) assert.throws(() => parseFieldSelector(text), { message }, text);
});

test('transform renames and drops', () => {
  const selector = parseFieldSelector('a=1,b=2', (field, value) =>
    field === 'a' ? { field: '', value: '' } : { field: 'c', value },
  );
  assert.equal(selector.toString(), 'c=2');
});
