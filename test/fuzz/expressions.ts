/** CEL expressions of chance: most of them compile, some are dear, some are no expressions at all. */
import type { Dice } from './dice.ts';
import { strangeText } from './strange-values.ts';

const atoms = [
  'self',
  'oldSelf',
  'self.text',
  'self.number',
  'self.list',
  'self.map',
  'self.either',
  'self.nested.text',
  'self.metadata.name',
  '1',
  '-1',
  '9223372036854775807',
  '0u',
  '1.5',
  "'text'",
  "b'bytes'",
  'true',
  'null',
  '[]',
  "{'a': 1}",
  "duration('1h')",
  "timestamp('2026-01-01T00:00:00Z')",
  "quantity('1Gi')",
  "url('https://example.com/a?b=c')",
  "ip('::1')",
  "cidr('10.0.0.0/8')",
  "semver('1.2.3')",
];
const operators = ['+', '-', '*', '/', '%', '==', '!=', '<', '<=', '&&', '||', 'in'];
const methods = [
  'size()',
  'lowerAscii()',
  'reverse()',
  'trim()',
  'sort()',
  'sum()',
  'min()',
  'isSorted()',
  'getHost()',
  'sign()',
  'asInteger()',
  'hasValue()',
];
const patterns = ['(a+)+$', '^[a-z]{1,1000}$', '(?i)x*y*z*', '[', '\\\\p{Greek}', '(((((((a?){20}){20})))))'];

/** An expression with `depth` levels at most. */
export function expressionOf(dice: Dice, depth: number): string {
  if (depth === 0 || dice.chance(0.2)) return dice.chance(0.97) ? dice.pick(atoms) : strangeText(dice);
  const next = (): string => expressionOf(dice, depth - 1);
  switch (dice.below(12)) {
    case 0:
    case 1:
    case 2:
      return `(${next()} ${dice.pick(operators)} ${next()})`;
    case 3:
      return `!(${next()})`;
    case 4:
      return `${next()}.${dice.pick(methods)}`;
    case 5:
      return `${next()}.matches('${dice.pick(patterns)}')`;
    case 6:
      return `${dice.pick(['self.list', '[1, 2, 3]', next()])}.${dice.pick(['all', 'exists', 'map', 'filter'])}(x${depth}, ${next()})`;
    case 7:
      return `(${next()} ? ${next()} : ${next()})`;
    case 8:
      return `has(self.${dice.pick(['text', 'nested.text', 'nothing'])})`;
    case 9:
      return `'%${dice.pick(['s', 'd', 'e', 'x', 'b', '99999s', ''])}'.format([${next()}])`;
    case 10:
      return `${dice.pick(['size', 'string', 'int', 'double', 'type', 'dyn', 'quantity', 'duration', 'isURL'])}(${next()})`;
    default:
      return `[${Array.from({ length: dice.pick([0, 2, 20]) }, next).join(', ')}]`;
  }
}
