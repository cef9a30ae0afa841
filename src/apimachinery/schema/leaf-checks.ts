/**
 * The checks of a schema that look at one value and not inside it: its type, format, bounds and enumeration.
 * Upstream: kube-openapi pkg/validation/validate/{type,formats,values,validator}.go.
 */
import { goFloat, goGeneral, goQuote, notSupported, tooLong, typeInvalid } from '../field.ts';
import { writeSorted } from '../json/write.ts';
import { equalValues } from '../managed-fields/typed.ts';
import { formatCheck } from './formats.ts';
import type { JsonSchema } from './json-schema.ts';
import type { Patterns } from './regex.ts';
import { type Fault, type Faults, Result } from './validation-result.ts';

const isInteger = (value: unknown): boolean => typeof value === 'bigint' || Number.isSafeInteger(value);
export const isNumber = (value: unknown): value is number | bigint =>
  typeof value === 'number' || typeof value === 'bigint';

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (isNumber(value)) return isInteger(value) ? 'integer' : 'number';
  return typeof value === 'object' ? 'object' : typeof value;
}

/** The format, where it means something for the type. */
export function usedFormat(schema: JsonSchema, types: readonly string[]): string {
  const { format = '' } = schema;
  const type = types.length === 1 ? types[0] : '';
  if (type === '' || type === 'string') return formatCheck(format) === undefined ? '' : format;
  if (type === 'integer') return format === 'int32' || format === 'int64' ? format : '';
  if (type === 'number') return format === 'float' || format === 'double' ? format : '';
  return '';
}

export function checkType(
  faults: Faults,
  types: readonly string[],
  format: string,
  schema: JsonSchema,
  value: unknown,
  path: string,
): Result {
  const wrong = (expected: string, actual: string): Result => {
    const message = `${path} in body must be of type ${expected}: ${goQuote(actual)}`;
    return new Result().add({ message, error: typeInvalid(faults.at(path), actual, message) });
  };
  const result = new Result();
  if (value === null) {
    return types.length > 0 && !types.includes('null') && !schema.nullable
      ? wrong(types.join(','), 'null')
      : result.matched();
  }
  const actual = typeOf(value);
  const floatAsInteger = actual === 'number' && Number.isSafeInteger(value) && types.includes('integer');
  const integerAsNumber = actual === 'integer' && types.includes('number');
  const fits = types.includes(actual) || floatAsInteger || integerAsNumber;
  const textual = actual === 'string' || actual === 'array';
  if (!textual && format !== '') {
    const own = actual === 'integer' ? 'int64' : actual === 'number' ? 'float64' : '';
    if (!fits && own !== format) return wrong(format, own);
  }
  if (!types.includes('number') && !types.includes('integer') && format !== '' && textual) return result.matched();
  return fits ? result.matched() : wrong(types.join(','), actual);
}

export function checkString(
  faults: Faults,
  schema: JsonSchema,
  value: string,
  path: string,
  patterns: Patterns,
): Result | undefined {
  const { maxLength, minLength, pattern } = schema;
  const length = [...value].length;
  if (maxLength !== undefined && length > maxLength) {
    const message = `${path} in body should be at most ${maxLength} chars long`;
    return new Result().add({ message, error: tooLong(faults.at(path), maxLength) });
  }
  if (minLength !== undefined && length < minLength) {
    return new Result().add(faults.fault(path, `${path} in body should be at least ${minLength} chars long`, value));
  }
  if (!pattern) return undefined;
  const regex = patterns.get(pattern);
  if (typeof regex === 'string') {
    const message = `${path} in body should match '${pattern}, but pattern is invalid: ${regex}'`;
    return new Result().add(faults.fault(path, message, value));
  }
  if (regex.test(value)) return undefined;
  return new Result().add(faults.fault(path, `${path} in body should match '${pattern}'`, value));
}

export function checkFormat(faults: Faults, format: string, value: string, path: string): Result | undefined {
  const check = formatCheck(format);
  if (check === undefined || check(value)) return undefined;
  const message = `${path} in body must be of type ${format}: ${goQuote(value)}`;
  return new Result().add({ message, error: typeInvalid(faults.at(path), value, message) });
}

export function checkNumber(
  faults: Faults,
  schema: JsonSchema,
  types: readonly string[],
  format: string,
  value: number | bigint,
  path: string,
): Result {
  const type = types.length === 1 && (types[0] === 'integer' || types[0] === 'number') ? types[0] : '';
  const range = (bound: number | bigint, what: string): Fault | undefined => {
    if (inRange(bound, type, format)) return undefined;
    const text = format === '' ? `${type} (default format)` : `${type} with format ${format}`;
    return faults.loose(`${what} value must be of type ${text} in ${path}`);
  };
  const result = new Result().add(range(value, 'Checked'));
  const { multipleOf, maximum, minimum } = schema;
  // Against an integer upstream cuts the bound to one too, but for bounds that the format cannot hold.
  const bound = (limit: number, wrong: Fault | undefined): { limit: number; shown: string } => {
    if (wrong !== undefined) return { limit, shown: goGeneral(limit) };
    const cut = isInteger(value) ? Math.trunc(limit) : limit;
    return { limit: cut, shown: isInteger(value) ? String(cut) : goFloat(cut) };
  };
  if (multipleOf !== undefined) {
    const wrong = range(multipleOf, 'MultipleOf');
    const { limit, shown } = bound(multipleOf, wrong);
    result.add(wrong);
    if (limit <= 0) {
      result.add(faults.fault(path, `factor MultipleOf declared for ${path} must be positive: ${shown}`, limit));
    } else if (!isMultiple(value, limit)) {
      result.add(faults.fault(path, `${path} in body should be a multiple of ${shown}`, value));
    }
  }
  if (minimum !== undefined) {
    const wrong = range(minimum, 'Minimum boundary');
    const { limit, shown } = bound(minimum, wrong);
    result.add(wrong);
    if (schema.exclusiveMinimum ? value <= limit : value < limit) {
      const how = schema.exclusiveMinimum ? 'greater than' : 'greater than or equal to';
      result.add(faults.fault(path, `${path} in body should be ${how} ${shown}`, value));
    }
  }
  if (maximum !== undefined) {
    const wrong = range(maximum, 'Maximum boundary');
    const { limit, shown } = bound(maximum, wrong);
    result.add(wrong);
    if (schema.exclusiveMaximum ? value >= limit : value > limit) {
      const how = schema.exclusiveMaximum ? 'less than' : 'less than or equal to';
      result.add(faults.fault(path, `${path} in body should be ${how} ${shown}`, value));
    }
  }
  return result.matched();
}

export function checkEnum(faults: Faults, schema: JsonSchema, value: unknown, path: string): Result | undefined {
  const { enum: allowed } = schema;
  if (!allowed?.length || (value !== null && allowed.some(item => item !== null && isEnumerated(item, value))))
    return undefined;
  const names = allowed.map(item => (typeof item === 'string' ? item : writeSorted(item)));
  const message = `${path} in body should be one of [${names.join(' ')}]`;
  return new Result().add({ message, error: notSupported(faults.at(path), value, names) });
}

/** Whether a value is one of an enumeration's, after Go has converted it to the type of that: 1.5 to 1, 97 to `a`. */
function isEnumerated(item: unknown, value: unknown): boolean {
  if (equalValues(item, value)) return true;
  if (!isNumber(value)) return false;
  if (isNumber(item)) return isInteger(item) && Number(item) === Math.trunc(Number(value));
  const code = Number(value);
  return (
    typeof item === 'string' && isInteger(value) && code >= 0 && code <= 0x10ffff && String.fromCodePoint(code) === item
  );
}

function inRange(value: number | bigint, type: string, format: string): boolean {
  if (type === 'integer') {
    if (!isInteger(value)) return false;
    return format !== 'int32' || (value >= -2147483648 && value <= 2147483647);
  }
  return !(type === 'number' && format === 'float') || Math.abs(Number(value)) <= 3.4028234663852886e38;
}

function isMultiple(value: number | bigint, factor: number): boolean {
  if (typeof value === 'bigint')
    return Number.isInteger(factor) ? value % BigInt(factor) === 0n : isMultiple(Number(value), factor);
  if (Number.isInteger(value) && Number.isInteger(factor)) return value % factor === 0;
  const quotient = factor < 1 ? (1 / factor) * value : value / factor;
  return Math.abs(quotient - Math.round(quotient)) < 1e-9 && Math.abs(quotient) <= Number.MAX_SAFE_INTEGER;
}
