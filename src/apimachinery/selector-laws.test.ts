/** Selectors against a model that is written anew: one condition at a time, over plain objects. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { escapeFieldValue, type FieldRequirement, FieldsSelector, parseFieldSelector } from './fields.ts';
import {
  type LabelOperator,
  type LabelRequirement,
  LabelsSelector,
  newRequirement,
  parseLabelSelector,
} from './labels.ts';

const key = fc.constantFrom('a', 'b', 'app.kubernetes.io/name', 'constructor', 'in', 'notin');
const value = fc.constantFrom('', 'x', 'y', 'a.b-c_d', '1', '2', '10', '9223372036854775808');
const labels = fc.dictionary(key, fc.oneof(value, fc.constant('-3')));

const requirement: fc.Arbitrary<LabelRequirement> = fc
  .tuple(
    key,
    fc.constantFrom<LabelOperator>('=', '==', '!=', 'in', 'notin', 'exists', '!', 'gt', 'lt'),
    fc.uniqueArray(value),
  )
  .map(([name, operator, values]) => {
    if (operator === 'exists' || operator === '!') return newRequirement(name, operator, []);
    if (operator === 'in' || operator === 'notin')
      return newRequirement(name, operator, values.length ? values : ['x']);
    if (operator === 'gt' || operator === 'lt') return newRequirement(name, operator, ['2']);
    return newRequirement(name, operator, [values[0] ?? 'x']);
  });

/** What the documentation of Kubernetes says of one condition. */
function holds({ key: name, operator, values }: LabelRequirement, have: Readonly<Record<string, string>>): boolean {
  const own = Object.keys(have).includes(name) ? String(have[name]) : undefined;
  const number = Number(own);
  const isInt64 = own !== undefined && own !== '' && Number.isSafeInteger(number);
  if (operator === 'exists') return own !== undefined;
  if (operator === '!') return own === undefined;
  if (operator === 'gt') return isInt64 && number > Number(values[0]);
  if (operator === 'lt') return isInt64 && number < Number(values[0]);
  const listed = values.some(each => each === own);
  return operator === '!=' || operator === 'notin' ? !listed : listed;
}

test('a label selector matches what all of its conditions match', () => {
  fc.assert(
    fc.property(fc.array(requirement, { maxLength: 4 }), labels, (requirements, have) => {
      const wanted = requirements.every(each => holds(each, have));
      assert.equal(new LabelsSelector(requirements).matches(have), wanted);
    }),
    { numRuns: 500 },
  );
});

test('a label selector reads what it prints, and prints that alike', () => {
  fc.assert(
    fc.property(fc.array(requirement, { maxLength: 4 }), labels, (requirements, have) => {
      const selector = new LabelsSelector(requirements);
      const again = parseLabelSelector(selector.toString());
      assert.equal(again.toString(), selector.toString());
      assert.equal(again.matches(have), selector.matches(have));
    }),
    { numRuns: 500 },
  );
});

test('the order of conditions says nothing', () => {
  fc.assert(
    fc.property(fc.array(requirement, { maxLength: 4 }), labels, (requirements, have) => {
      const reversed = new LabelsSelector(requirements.toReversed());
      assert.equal(reversed.matches(have), new LabelsSelector(requirements).matches(have));
    }),
    { numRuns: 200 },
  );
});

const field = fc.constantFrom('metadata.name', 'spec.nodeName', 'constructor');
const fieldValue = fc.oneof(value, fc.constantFrom('a,b', 'a=b', 'a\\', '!=', 'é'));
const fieldRequirement: fc.Arbitrary<FieldRequirement> = fc.record({
  field,
  operator: fc.constantFrom('=' as const, '!=' as const),
  value: fieldValue,
});

test('a field selector matches what all of its conditions match, and reads what it prints', () => {
  fc.assert(
    fc.property(
      fc.array(fieldRequirement, { maxLength: 4 }),
      fc.dictionary(field, fieldValue),
      (requirements, have) => {
        const selector = new FieldsSelector(requirements);
        const wanted = requirements.every(({ field: name, operator, value: asked }) => {
          const own = Object.keys(have).includes(name) ? have[name] : '';
          return operator === '=' ? own === asked : own !== asked;
        });
        assert.equal(selector.matches(have), wanted);
        const again = parseFieldSelector(selector.toString());
        assert.equal(again.matches(have), wanted);
        assert.equal(parseFieldSelector(again.toString()).toString(), again.toString());
      },
    ),
    { numRuns: 500 },
  );
});

test('no text is worse than a wrong selector', () => {
  const piece = fc.constantFrom(
    'a',
    'in',
    'notin',
    '(',
    ')',
    ',',
    '=',
    '==',
    '!=',
    '!',
    '>',
    '<',
    ' ',
    '/',
    '\\',
    'é',
    '1',
  );
  const text = fc.oneof(
    fc.array(piece, { maxLength: 12 }).map(pieces => pieces.join('')),
    fc.string({ maxLength: 30 }),
  );
  fc.assert(
    fc.property(text, asked => {
      for (const parse of [parseLabelSelector, parseFieldSelector]) {
        try {
          parse(asked).matches({ a: '1' });
        } catch (error) {
          assert.equal((error as Error).name, 'InputError', String((error as Error).stack));
        }
      }
      assert.equal(parseFieldSelector(`a=${escapeFieldValue(asked)}`).requiredValue('a'), asked);
    }),
    { numRuns: 1000 },
  );
});
