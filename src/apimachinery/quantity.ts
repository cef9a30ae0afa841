/**
 * Quantities such as `100m`, `1.5Gi`, `12e6`: parsed exactly, printed in upstream's canonical form.
 * Upstream: apimachinery pkg/api/resource/{quantity,suffix,amount}.go.
 *
 * A value is `unscaled * 10^scale`, exact to nano (finer ones are rounded away from zero), with the format it was
 * written in. A text that is canonical already, by upstream's somewhat loose test, is kept as it is: `+1` stays `+1`.
 * Values beyond the greatest suffix are written with an exponent (`1000E` is `1e21`), as upstream does since
 * kubernetes#140459; before, it lost the suffix.
 * Deviation: exponents beyond what any machine has (1e1000000000) are compared without being expanded; an integer of
 * more than 64 bits is judged as its canonical text is (`10E`), where upstream still knows how it was written.
 */
import { InputError } from './input-error.ts';

export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

const suffixes: ReadonlyMap<string, readonly [base: 2 | 10, exponent: number]> = new Map([
  ['n', [10, -9]],
  ['u', [10, -6]],
  ['m', [10, -3]],
  ['', [10, 0]],
  ['k', [10, 3]],
  ['M', [10, 6]],
  ['G', [10, 9]],
  ['T', [10, 12]],
  ['P', [10, 15]],
  ['E', [10, 18]],
  ['Ki', [2, 10]],
  ['Mi', [2, 20]],
  ['Gi', [2, 30]],
  ['Ti', [2, 40]],
  ['Pi', [2, 50]],
  ['Ei', [2, 60]],
]);
const decimalSuffix: readonly string[] = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
const binarySuffix: readonly string[] = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];

const nano = -9;
const maxInt64 = 2n ** 63n - 1n;
/** Beyond this many digits a power of ten is never expanded. */
const farDigits = 400;

const formatWrong = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const suffixWrong = "unable to parse quantity's suffix";

const pow10 = (exponent: number): bigint => 10n ** BigInt(exponent);
const magnitude = (value: bigint): bigint => (value < 0n ? -value : value);

/** Divides, rounding away from zero. */
function divideUp(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  if (value % divisor === 0n) return quotient;
  return value < 0n ? quotient - 1n : quotient + 1n;
}

const fitsInt64 = (value: bigint): boolean => BigInt.asIntN(64, value) === value;

/**
 * An exact quantity. Immutable: arithmetic answers new ones.
 *
 * Upstream keeps a short one as an int64 with a scale and any other as a big decimal, and some questions are answered
 * by what it is kept as: a big decimal is never an integer, and neither is `20000m`.
 */
export class Quantity {
  static readonly zero: Quantity = new Quantity(0n, 0, 'DecimalSI', { text: '0' });

  readonly format: QuantityFormat;
  readonly #unscaled: bigint;
  readonly #scale: number;
  /** Upstream keeps it as a big decimal. */
  readonly #isWide: boolean;
  #text: string | undefined;

  constructor(
    unscaled: bigint,
    scale: number,
    format: QuantityFormat,
    { text, isWide = false }: { readonly text?: string | undefined; readonly isWide?: boolean } = {},
  ) {
    this.#unscaled = unscaled;
    this.#scale = scale;
    this.format = format;
    this.#isWide = isWide || !fitsInt64(unscaled);
    this.#text = text;
  }

  /** Parses a text, or a JSON number. Throws InputError `quantity` with upstream's text. */
  static parse(text: string | number): Quantity {
    return parseQuantity(String(text));
  }

  /** `value`, an integer, in the given format. */
  static of(value: number | bigint, format: QuantityFormat = 'DecimalSI'): Quantity {
    return new Quantity(BigInt(value), 0, format);
  }

  /** `value / 1000`. */
  static ofMilli(value: number | bigint, format: QuantityFormat = 'DecimalSI'): Quantity {
    return new Quantity(BigInt(value), -3, format);
  }

  get isZero(): boolean {
    return this.#unscaled === 0n;
  }

  /** -1, 0 or 1. */
  get sign(): number {
    return this.#unscaled < 0n ? -1 : this.#unscaled === 0n ? 0 : 1;
  }

  /** -1, 0 or 1, by value; the format plays no part. */
  compare(other: Quantity): number {
    if (this.sign !== other.sign) return this.sign < other.sign ? -1 : 1;
    const span = this.#scale - other.#scale;
    if (Math.abs(span) > farDigits) {
      const order = this.#digits() + span < other.#digits() ? -1 : 1;
      return this.sign === 0 ? 0 : order * this.sign;
    }
    const a = span > 0 ? this.#unscaled * pow10(span) : this.#unscaled;
    const b = span < 0 ? other.#unscaled * pow10(-span) : other.#unscaled;
    return a < b ? -1 : a > b ? 1 : 0;
  }

  equals(other: Quantity): boolean {
    return this.compare(other) === 0;
  }

  /** The sum, in this format, or in the other's when this is zero. */
  add(other: Quantity): Quantity {
    const format = this.isZero ? other.format : this.format;
    const isWide = this.#isWide || other.#isWide;
    if (other.isZero) return new Quantity(this.#unscaled, this.#scale, format, { isWide });
    if (this.isZero) return new Quantity(other.#unscaled, other.#scale, format, { isWide });
    const scale = Math.min(this.#scale, other.#scale);
    if (Math.max(this.#scale, other.#scale) - scale > farDigits) return this.compare(other) > 0 ? this : other;
    const a = this.#unscaled * pow10(this.#scale - scale);
    const b = other.#unscaled * pow10(other.#scale - scale);
    const overflows = !fitsInt64(a) || !fitsInt64(b);
    return new Quantity(a + b, scale, format, { isWide: isWide || overflows });
  }

  sub(other: Quantity): Quantity {
    const result = this.add(other.neg());
    if (!this.isZero) return result;
    return new Quantity(result.#unscaled, result.#scale, other.format, { isWide: result.#isWide });
  }

  neg(): Quantity {
    return new Quantity(-this.#unscaled, this.#scale, this.format, { isWide: this.#isWide });
  }

  /** Times an integer. */
  mul(factor: number | bigint): Quantity {
    return new Quantity(this.#unscaled * BigInt(factor), this.#scale, this.format, { isWide: this.#isWide });
  }

  /** `ceil(q / 10^scale)`, away from zero, capped to 64 bits. */
  scaledValue(scale: number): bigint {
    const span = this.#scale - scale;
    if (span > farDigits) return this.sign === 0 ? 0n : this.sign * 1 < 0 ? -maxInt64 : maxInt64;
    if (-span > farDigits + this.#digits()) return BigInt(this.sign);
    const value = span >= 0 ? this.#unscaled * pow10(span) : divideUp(this.#unscaled, pow10(-span));
    return value > maxInt64 ? maxInt64 : value < -maxInt64 ? -maxInt64 : value;
  }

  /** This, or if it is finer than `10^scale`, what it is rounded to, away from zero. Upstream: RoundUp. */
  roundUp(scale: number): Quantity {
    if (this.#scale >= scale) return this;
    const rounded = divideUp(this.#unscaled, pow10(scale - this.#scale));
    return new Quantity(rounded, scale, this.format, { isWide: this.#isWide });
  }

  /**
   * The value where upstream has it as an integer at once: undefined for fractions, for what it keeps as a big decimal
   * and for what is written in smaller units, be it whole. Upstream: AsInt64.
   */
  asInt64(): bigint | undefined {
    if (this.#isWide || this.#scale < 0 || this.#scale > farDigits) return undefined;
    const value = this.#unscaled * pow10(this.#scale);
    return fitsInt64(value) ? value : undefined;
  }

  /** The integer value, rounded away from zero; exact to 2^53. */
  value(): number {
    return Number(this.scaledValue(0));
  }

  /** The same as upstream counts it, in 64 bits: what does not fit is 0, or wraps when it is kept as a big decimal. */
  int64Value(): bigint {
    if (this.#scale < 0) return this.scaledValue(0);
    // A double of this size becomes the least integer.
    const factor = this.#scale > 18 ? -(2n ** 63n) : pow10(this.#scale);
    if (this.#isWide) return BigInt.asIntN(64, BigInt.asIntN(64, this.#unscaled) * factor);
    const value = this.#scale > 18 ? undefined : this.#unscaled * factor;
    return value !== undefined && fitsInt64(value) ? value : 0n;
  }

  /** A thousand times the value, rounded away from zero; exact to 2^53. */
  milliValue(): number {
    return Number(this.scaledValue(-3));
  }

  /**
   * Whether it has no thousandths, as upstream asks it (`MilliValue() % 1000 == 0`): in 64 bits, where what does not fit
   * is 0, or wraps when it is kept as a big decimal.
   */
  get isWhole(): boolean {
    const span = this.#scale + 3;
    if (span < 0) return this.scaledValue(-3) % 1000n === 0n;
    if (span > 18) return true;
    if (this.#isWide) return BigInt.asIntN(64, BigInt.asIntN(64, this.#unscaled) * pow10(span)) % 1000n === 0n;
    const milli = this.#unscaled * pow10(span);
    return !fitsInt64(milli) || milli % 1000n === 0n;
  }

  /** A double near to it: digits and power of ten by themselves, as upstream multiplies them. Upstream: AsApproximateFloat64. */
  toApproximateNumber(): number {
    const digits = Number(this.#unscaled);
    return this.#scale === 0 ? digits : digits * Number(`1e${this.#scale}`);
  }

  /** The nearest double. */
  toNumber(): number {
    return Number(`${this.#unscaled}e${this.#scale}`);
  }

  /** The canonical text. */
  toString(): string {
    this.#text ??= this.#canonical();
    return this.#text;
  }

  toJSON(): string {
    return this.toString();
  }

  #digits(): number {
    return magnitude(this.#unscaled).toString().length;
  }

  #canonical(): string {
    if (this.isZero) return '0';
    if (this.format === 'BinarySI' && this.#scale <= farDigits) {
      const whole = this.#scale >= 0 || this.#unscaled % pow10(-this.#scale) === 0n;
      let value = whole ? this.scaledUnbounded() : 0n;
      if (whole && magnitude(value) >= 1024n) {
        let steps = 0;
        while (value % 1024n === 0n) {
          value /= 1024n;
          steps++;
        }
        const suffix = binarySuffix[steps];
        if (suffix !== undefined) return `${value}${suffix}`;
      }
    }
    return this.#canonicalDecimal();
  }

  private scaledUnbounded(): bigint {
    return this.#scale >= 0 ? this.#unscaled * pow10(this.#scale) : this.#unscaled / pow10(-this.#scale);
  }

  #canonicalDecimal(): string {
    let value = this.#unscaled;
    let exponent = this.#scale;
    while (value % 10n === 0n) {
      value /= 10n;
      exponent++;
    }
    while (exponent % 3 !== 0) {
      value *= 10n;
      exponent--;
    }
    const suffix = this.format === 'DecimalExponent' ? undefined : decimalSuffix[exponent / 3 + 3];
    if (suffix !== undefined) return `${value}${suffix}`;
    return exponent === 0 ? `${value}` : `${value}e${exponent}`;
  }
}

const quantityPattern = /^([+-]?)(0*)([0-9]*)(\.[0-9]*)?([eEinumkKMGTP]*[-+]?[0-9]*)$/;

/** Base, exponent and format that a suffix stands for. */
function interpret(suffix: string): { base: 2 | 10; exponent: number; format: QuantityFormat } | undefined {
  const known = suffixes.get(suffix);
  if (known !== undefined)
    return { base: known[0], exponent: known[1], format: known[0] === 2 ? 'BinarySI' : 'DecimalSI' };
  if (!/^[eE][-+]?[0-9]+$/.test(suffix)) return undefined;
  const parsed = BigInt(suffix[1] === '+' ? suffix.slice(2) : suffix.slice(1));
  if (BigInt.asIntN(64, parsed) !== parsed) return undefined;
  return { base: 10, exponent: Number(BigInt.asIntN(32, parsed)), format: 'DecimalExponent' };
}

/** Parses a quantity. Throws InputError `quantity` with upstream's text. */
export function parseQuantity(text: string): Quantity {
  if (text === '0') return Quantity.zero;
  const match = text === '' ? null : quantityPattern.exec(text);
  if (match === null) throw new InputError('quantity', formatWrong);
  const [, sign, , digits, point, suffix] = match as unknown as [string, string, string, string, string?, string?];
  const fraction = point === undefined ? '' : point.slice(1);
  const meaning = interpret(suffix ?? '');
  if (meaning === undefined) throw new InputError('quantity', suffixWrong);
  const shown = (digits === '' ? '0' : digits) + fraction;
  // Upstream takes a sign or zeros alone for zero; a sign or point alone too.
  const magnitudeValue = BigInt(shown);
  const unsigned = { value: magnitudeValue, scale: -fraction.length };
  return finish(text, sign === '-', shown, fraction.length, unsigned, meaning);
}

function finish(
  text: string,
  negative: boolean,
  shown: string,
  places: number,
  { value, scale }: { value: bigint; scale: number },
  meaning: { base: 2 | 10; exponent: number; format: QuantityFormat },
): Quantity {
  const { base, exponent } = meaning;
  let { format } = meaning;
  const fast =
    base === 10
      ? shown.length <= 18 && exponent - places >= nano
      : places === 0 && 15 - shown.length - Math.trunc((exponent * 3) / 10) - 1 >= 0;
  let unscaled = base === 2 ? value << BigInt(exponent) : value;
  let finalScale = base === 2 ? scale : scale + exponent;
  if (fast) {
    const keep =
      base === 2 ? (value & 7n) !== 0n : (exponent - places) % 3 === 0 && !shown.endsWith('000') && shown[0] !== '0';
    return new Quantity(negative ? -unscaled : unscaled, finalScale, format, { text: keep ? text : undefined });
  }
  if (finalScale < nano) {
    const cut = nano - finalScale;
    unscaled = unscaled === 0n ? 0n : cut > shown.length + 20 ? 1n : divideUp(unscaled, pow10(cut));
    finalScale = nano;
  }
  if (base === 2) {
    if (new Quantity(unscaled, finalScale, format).compare(Quantity.of(maxInt64)) > 0) {
      unscaled = maxInt64;
      finalScale = 0;
    }
    if (unscaled !== 0n && finalScale < 0 && unscaled < pow10(-finalScale)) format = 'DecimalSI';
  }
  return new Quantity(negative ? -unscaled : unscaled, finalScale, format, { isWide: true });
}

const simple = /^[1-9][0-9]{0,2}(?:m|k|M|G|T|P|E)?$/;

/**
 * The canonical text of a quantity's text: what a server stores for it. Throws InputError `quantity`.
 * The usual short ones (`100m`, `2`) are known to be canonical without being parsed.
 */
export function canonicalQuantity(text: string): string {
  return simple.test(text) ? text : parseQuantity(text).toString();
}
