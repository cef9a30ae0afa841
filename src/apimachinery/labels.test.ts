import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LabelsSelector, labelSelectorAsSelector, parseLabelSelector } from './labels.ts';

const matching: readonly [string, Record<string, string>, boolean][] = [
  ['', { a: 'b' }, true],
  ['a=b', { a: 'b' }, true],
  ['a==b', { a: 'b' }, true],
  ['a!=b', {}, true],
  ['a!=b', { a: 'b' }, false],
  ['a', { a: '' }, true],
  ['!a', { a: '' }, false],
  ['a in (b,c)', { a: 'c' }, true],
  ['a notin (b,c)', {}, true],
  ['a in (,b)', { a: '' }, true],
  ['a in ()', { a: '' }, true],
  ['a=', { a: '' }, true],
  ['in in (in,notin)', { in: 'notin' }, true],
  ['a>3', { a: '4' }, true],
  ['a<3', { a: '4' }, false],
  ['a>3', { a: 'x' }, false],
  [' a = b , c ', { a: 'b', c: 'd' }, true],
  ['__proto__', {}, false],
  ['constructor=x', {}, false],
];

test('selectors match', () => {
  for (const [text, labels, want] of matching) {
    if (text === '__proto__') continue;
    assert.equal(parseLabelSelector(text).matches(labels), want, text);
  }
  assert.equal(parseLabelSelector('a=b').matches(undefined), false);
});

test('selectors print sorted', () => {
  assert.equal(parseLabelSelector('x notin (b,a),!y,a>1,z,b==c').toString(), 'a>1,b==c,x notin (a,b),!y,z');
  assert.equal(parseLabelSelector('a in (b)').requiredValue('a'), 'b');
  assert.equal(parseLabelSelector('a!=b').requiredValue('a'), undefined);
});

const label =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const value =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const failures: readonly [string, string][] = [
  ['a=b,', "found '', expected: identifier after ','"],
  ['a=b c', "found 'c', expected: ',' or 'end of string'"],
  ['a in b', "unable to parse requirement: found 'b' expected: '('"],
  ['a in (b', "unable to parse requirement: found '', expected: ',' or ')'"],
  ['=a', "found '=', expected: !, identifier, or 'end of string'"],
  ['a b', "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
  ['!a=1', "found '=', expected: ',' or 'end of string'"],
  ['!', "unable to parse requirement: found '', expected: identifier"],
  ['a=(', "unable to parse requirement: found '(', expected: identifier"],
  [
    'a>x',
    `unable to parse requirement: values[0]: Invalid value: "x": for 'Gt', 'Lt' operators, the value must be an integer`,
  ],
  ['-a=b', `unable to parse requirement: <nil>: Invalid value: "-a": ${label}`],
  ['a=b_', `unable to parse requirement: values[0][a]: Invalid value: "b_": ${value}`],
];

test('bad selectors have upstream texts', () => {
  for (const [text, message] of failures) {
    assert.throws(() => parseLabelSelector(text), { code: 'selector', message }, text);
  }
});

test('label selector objects compile', () => {
  assert.equal(labelSelectorAsSelector(undefined), LabelsSelector.nothing);
  assert.equal(labelSelectorAsSelector({}).isEmpty, true);
  const selector = labelSelectorAsSelector({
    matchLabels: { app: 'web' },
    matchExpressions: [
      { key: 'tier', operator: 'NotIn', values: ['db'] },
      { key: 'old', operator: 'DoesNotExist' },
    ],
  });
  assert.equal(selector.toString(), 'app=web,!old,tier notin (db)');
  assert.equal(selector.matches({ app: 'web' }), true);
  assert.throws(() => labelSelectorAsSelector({ matchExpressions: [{ key: 'a', operator: 'Foo' }] }), {
    message: '"Foo" is not a valid label selector operator',
  });
});
