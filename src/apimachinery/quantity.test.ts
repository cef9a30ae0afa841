import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalQuantity, parseQuantity, Quantity } from './quantity.ts';

const canonical: readonly [string, string][] = [
  ['0', '0'],
  ['0m', '0'],
  ['1', '1'],
  ['+1', '+1'],
  ['01', '01'],
  ['1.', '1.'],
  ['.', '0'],
  ['1.0', '1'],
  ['0.5', '500m'],
  ['.5', '500m'],
  ['1.5', '1500m'],
  ['1000', '1k'],
  ['1000m', '1'],
  ['1024', '1024'],
  ['100m', '100m'],
  ['12e6', '12e6'],
  ['1200e4', '12e6'],
  ['1E3', '1E3'],
  ['1e+3', '1e+3'],
  ['1E', '1E'],
  ['1024Mi', '1Gi'],
  ['1.5Gi', '1536Mi'],
  ['0.1Gi', '107374182400m'],
  ['1000Mi', '1000Mi'],
  ['512Mi', '512Mi'],
  ['1Ki', '1Ki'],
  ['0.5Ki', '512'],
  ['1.1Ki', '1126400m'],
  ['9Ei', '9223372036854775807'],
  ['1Ei', '1Ei'],
  ['0.0000000001', '1n'],
  ['-0.0000000001', '-1n'],
  ['1.1n', '2n'],
  ['-1.5Gi', '-1536Mi'],
  ['12345678901234567890', '12345678901234567890'],
  ['1e-1000000000', '1e-9'],
];

test('quantities have upstream canonical forms', () => {
  for (const [text, want] of canonical) assert.equal(canonicalQuantity(text), want, text);
});

test('bad quantities have upstream texts', () => {
  const form = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
  for (const text of ['', ' 1', '1 ', 'a', '1x', '1.2.3', '1 m']) {
    assert.throws(() => parseQuantity(text), { code: 'quantity', message: form }, text);
  }
  for (const text of ['1mm', '1e', '1Gim', '--1', '1i']) {
    assert.throws(() => parseQuantity(text), { message: "unable to parse quantity's suffix" }, text);
  }
});

test('arithmetic is exact', () => {
  const add = (a: string, b: string): string => parseQuantity(a).add(parseQuantity(b)).toString();
  assert.equal(add('100m', '900m'), '1');
  assert.equal(add('0', '1Gi'), '1Gi');
  assert.equal(add('1Gi', '512Mi'), '1536Mi');
  assert.equal(parseQuantity('1').sub(parseQuantity('100m')).toString(), '900m');
  assert.equal(parseQuantity('1.5').value(), 2);
  assert.equal(parseQuantity('-1.5').value(), -2);
  assert.equal(parseQuantity('1.5').milliValue(), 1500);
  assert.equal(parseQuantity('1u').milliValue(), 1);
  assert.equal(parseQuantity('1e1000000000').compare(parseQuantity('1')), 1);
  assert.equal(parseQuantity('1Gi').compare(parseQuantity('1G')), 1);
  assert.equal(parseQuantity('1000m').equals(parseQuantity('1')), true);
  assert.equal(Quantity.of(2048, 'BinarySI').toString(), '2Ki');
});

test('values beyond the greatest suffix keep their magnitude', () => {
  assert.equal(parseQuantity('1000E').toString(), '1e21');
  assert.equal(parseQuantity('-15625000E').toString(), '-15625e21');
  assert.equal(parseQuantity('1000000000000000000000').toString(), '1e21');
  assert.equal(parseQuantity('1Ei').mul(1024).toString(), '1180591620717411303424');
  assert.equal(parseQuantity('1Ei').mul(1000).toString(), '1000Ei');
});

test('canonical forms are stable and keep the value', () => {
  const suffix = fc.constantFrom(
    ...['', 'n', 'u', 'm', 'k', 'M', 'G', 'T', 'P', 'E', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'],
    ...['e3', 'e-3', 'E6', 'e21', 'e-12', 'e40'],
  );
  const number = fc.tuple(fc.integer({ min: -1e9, max: 1e9 }), fc.option(fc.nat(99999), { nil: undefined }), suffix);
  fc.assert(
    fc.property(number, ([whole, fraction, unit]) => {
      const text = `${whole}${fraction === undefined ? '' : `.${fraction}`}${unit}`;
      const once = parseQuantity(text);
      // There is no suffix beyond E, and upstream then prints none at all: 1000000000T is "1".
      fc.pre(Math.abs(once.toNumber()) < 1e21);
      const again = parseQuantity(once.toString());
      assert.equal(again.compare(once), 0);
      // Digits alone may have come of a binary suffix; read again they are decimal, as upstream's.
      const settled = parseQuantity(again.toString());
      assert.equal(settled.toString(), again.toString());
      if (!/^-?[0-9]+$/.test(once.toString())) assert.equal(again.toString(), once.toString());
    }),
    { numRuns: 300 },
  );
});

test('whether a quantity is whole is asked in 64 bits, as upstream asks', () => {
  const rows: readonly [string, boolean][] = [
    ['1', true],
    ['1500m', false],
    ['1Gi', true],
    ['10Ei', true],
    ['7Ei', false],
    ['9223372036854775807', true],
    ['10E', true],
  ];
  for (const [text, want] of rows) assert.equal(parseQuantity(text).isWhole, want, text);
});

test('an integer is what upstream keeps as one', () => {
  const rows: readonly [string, bigint | undefined][] = [
    ['20', 20n],
    ['2k', 2000n],
    ['20000m', undefined],
    ['9223372036854775807', undefined],
    ['922337203685477580', 922337203685477580n],
    ['1Gi', 1073741824n],
    ['10E', undefined],
  ];
  for (const [text, want] of rows) assert.equal(parseQuantity(text).asInt64(), want, text);
  assert.equal(parseQuantity('100m').add(Quantity.of(5)).toApproximateNumber(), 5.1000000000000005);
  assert.equal(parseQuantity('100m').add(parseQuantity('900m')).asInt64(), undefined);
});

test('quantities are the fractions that they are written as', () => {
  const powers: Readonly<Record<string, readonly [bigint, bigint]>> = {
    '': [1n, 1n],
    m: [1n, 1000n],
    u: [1n, 10n ** 6n],
    k: [1000n, 1n],
    M: [10n ** 6n, 1n],
    Ki: [1024n, 1n],
    Gi: [1024n ** 3n, 1n],
    e3: [1000n, 1n],
    'E-2': [1n, 100n],
  };
  const written = fc
    .tuple(fc.integer({ min: -1_000_000, max: 1_000_000 }), fc.nat(999), fc.constantFrom(...Object.keys(powers)))
    .map(([whole, thousandths, suffix]) => {
      const sign = whole < 0 ? -1n : 1n;
      const [up, down] = powers[suffix]!;
      const top = (BigInt(whole) * 1000n + sign * BigInt(thousandths)) * up;
      return { text: `${whole}.${String(thousandths).padStart(3, '0')}${suffix}`, top, bottom: 1000n * down };
    });
  const order = (one: bigint, other: bigint): number => (one < other ? -1 : one > other ? 1 : 0);
  fc.assert(
    fc.property(written, written, (one, other) => {
      const [a, b] = [parseQuantity(one.text), parseQuantity(other.text)];
      assert.equal(a.compare(b), order(one.top * other.bottom, other.top * one.bottom), `${one.text} ${other.text}`);
      const same = (value: Quantity, top: bigint, bottom: bigint): void => {
        const nanos = (top * 10n ** 9n) / bottom;
        assert.ok(value.equals(parseQuantity(`${nanos}n`)), `${one.text} ${other.text}`);
      };
      same(a, one.top, one.bottom);
      same(a.add(b), one.top * other.bottom + other.top * one.bottom, one.bottom * other.bottom);
      same(a.sub(b), one.top * other.bottom - other.top * one.bottom, one.bottom * other.bottom);
      same(a.neg().neg(), one.top, one.bottom);
      const quotient = one.top / one.bottom;
      const rest = one.top % one.bottom;
      assert.equal(a.scaledValue(0), rest === 0n ? quotient : quotient + (one.top < 0n ? -1n : 1n));
    }),
    { numRuns: 300 },
  );
});

test('as upstream counts it in 64 bits, what is too large is 0 or wraps', () => {
  const rows: ReadonlyArray<readonly [text: string, want: bigint]> = [
    ['5', 5n],
    ['1500m', 2n],
    ['1e18', 10n ** 18n],
    ['1e19', 0n],
    ['-1e19', 0n],
    ['1e30', 0n],
    ['9223372036854775807', 2n ** 63n - 1n],
    ['9223372036854775808', -(2n ** 63n)],
    ['123456789012345678901234567890', -4362896299872285998n],
  ];
  for (const [text, want] of rows) assert.equal(parseQuantity(text).int64Value(), want, text);
});
