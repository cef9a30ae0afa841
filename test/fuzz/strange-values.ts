/** Values that programs stumble over, and texts that look like something. */
import type { Dice } from './dice.ts';

const texts: readonly string[] = [
  '',
  ' ',
  '\0',
  '\u2028',
  '\ud800',
  '😀'.repeat(64),
  'a'.repeat(300),
  'A_b',
  '-a',
  'a/b/c',
  '/',
  '..',
  '../../etc/passwd',
  '$(VAR)',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '{}',
  '[',
  '"',
  'null',
  'true',
  '1e999',
  '9223372036854775808',
  '-9223372036854775809',
  '0x10',
  '1Gi',
  '1e1000000',
  `0.${'0'.repeat(200)}1`,
  '2026-01-01T00:00:00Z',
  '0000-00-00T00:00:00Z',
  '300000h',
  '1h1',
  '10.0.0.1',
  '::ffff:1.2.3.4',
  '256.256.256.256',
  '10.0.0.0/33',
  'fe80::1%eth0',
  'example.com/a',
  '*.example.com',
  'http://[::1',
  'aGVsbG8=',
  'aGVsbG8',
  '-----BEGIN CERTIFICATE-----',
  '(a+)+$',
  '(?=a)',
  '[[:alpha:]',
  'self.spec.x == 1',
  '{.metadata.name}',
  '100%',
  '* * * * *',
  '@every 1ns',
  'RollingUpdate',
];

const numbers: readonly number[] = [
  0,
  -1,
  1,
  0.5,
  -0.0,
  65_535,
  65_536,
  2_147_483_647,
  2_147_483_648,
  -2_147_483_649,
  Number.MAX_SAFE_INTEGER,
  2 ** 63,
  1e300,
  -1e300,
  5e-324,
];

function deep(dice: Dice): unknown {
  let value: unknown = 'x';
  const list = dice.chance(0.5);
  for (let at = 0; at < dice.pick([20, 200, 1200]); at++) value = list ? [value] : { a: value };
  return value;
}

/** `__proto__` as a member of its own, as only a parser makes it. */
const polluting = (): unknown =>
  JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}');

export function strangeText(dice: Dice): string {
  return dice.pick(texts);
}

export function strangeValue(dice: Dice): unknown {
  switch (dice.below(10)) {
    case 0:
      return null;
    case 1:
      return dice.chance(0.5);
    case 2:
    case 3:
      return dice.pick(numbers);
    case 4:
      return [];
    case 5:
      return dice.pick([{}, { a: 1 }, { '': '' }, polluting()]);
    case 6:
      return Array.from({ length: dice.pick([1, 3, 40]) }, () => strangeText(dice));
    case 7:
      return dice.chance(0.1) ? deep(dice) : strangeText(dice);
    default:
      return strangeText(dice);
  }
}
