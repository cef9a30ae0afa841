/**
 * Numbers that have to be told as they were written. Patches keep the text of a number until its type reads it, for Go
 * takes `1` and refuses `1.0` where an integer stands; a value of JavaScript would have lost the difference. Such a
 * number is a symbol that is described by its text: a leaf like any other, which no string of a client can pose as.
 */

/** What is written as it is read: integers that a double holds exactly. */
const plain = /^(?:0|-?[1-9][0-9]{0,14})$/;

/** The number itself where its text says no more than that, else its text. */
export function exactNumber(text: string): number | symbol {
  return plain.test(text) ? Number(text) : Symbol(text);
}

/** The text of a number that is kept as one. */
export function numberText(value: symbol): string {
  return value.description ?? '';
}

/** Whether Go's unstructured objects hold the number as a float64, not as an int64. */
export function isFloatText(text: string): boolean {
  return /[.eE]/.test(text) || BigInt.asIntN(64, BigInt(text)) !== BigInt(text);
}

/** What Go's unstructured objects hold for the number. */
export function numberOfText(text: string): number | bigint {
  const value = Number(text);
  return Number.isSafeInteger(value) || isFloatText(text) ? value + 0 : BigInt(text);
}

/** What Go's unstructured objects hold a number as: of values that are no texts, whole ones are int64. */
export function goNumberKind(value: number | bigint | symbol): 'int64' | 'float64' {
  if (typeof value === 'symbol') return isFloatText(numberText(value)) ? 'float64' : 'int64';
  if (typeof value === 'bigint') return BigInt.asIntN(64, value) === value ? 'int64' : 'float64';
  return Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63 ? 'int64' : 'float64';
}

export function isNumber(value: unknown): value is number | bigint | symbol {
  return typeof value === 'number' || typeof value === 'bigint' || typeof value === 'symbol';
}
