/**
 * Validation of values against a schema, with upstream's texts, order and choice of errors, and ratcheting: what is
 * wrong but was so before the update is let pass. Upstream: kube-openapi pkg/validation/{validate,errors}/*.go,
 * apiextensions-apiserver pkg/apiserver/validation/{validation,ratcheting}.go.
 * Deviation: where upstream walks a Go map, in no order, properties come here in the order of the schema.
 */
import {
  type FieldError,
  FieldPath,
  goFloat,
  goGeneral,
  goQuote,
  invalidValue,
  notSupported,
  required,
  tooLong,
  tooMany,
  typeInvalid,
} from '../field.ts';
import { writeSorted } from '../json/write.ts';
import { equalValues } from '../managed-fields/typed.ts';
import { formatCheck } from './formats.ts';
import type { JsonSchema } from './json-schema.ts';
import { compileRegex, type Regex } from './regex.ts';
import { Correlated } from './rules/correlated.ts';

type JsonMap = Readonly<Record<string, unknown>>;

const isMap = (value: unknown): value is JsonMap =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

export interface ValidateValueOptions {
  /** Where the value stands in the object; the root when absent. */
  readonly path?: FieldPath;
  /** What an update replaces: then errors of parts that did not change are let pass. */
  readonly old?: unknown;
}

/** A schema compiled for validation; keeps its regular expressions. Safe to share between requests. */
export class SchemaValidator {
  readonly #schema: JsonSchema;
  readonly #regexes = new Map<string, Regex | string>();
  readonly #asDefault: boolean;

  /** `asDefault`: as upstream has it for defaults, a format counts even where it means nothing for the type, and any value
   * is an int or string. */
  constructor(schema: JsonSchema, { asDefault = false }: { readonly asDefault?: boolean } = {}) {
    this.#schema = schema;
    this.#asDefault = asDefault;
  }

  /** What is wrong with a value; empty when it is valid. */
  validate(value: unknown, options: ValidateValueOptions = {}): FieldError[] {
    const run = new Run(options.path ?? FieldPath.root, this.#regexes, this.#asDefault);
    const { old } = options;
    const result = run.validate(
      this.#schema,
      value,
      '',
      old === undefined ? undefined : new Correlated(value, old, this.#schema),
    );
    return result.errors.map(({ error }) => error);
  }
}

/** The value beside what stood at the same place before. */
type Old = Correlated;

interface Fault {
  /** Upstream's text, by which it drops what it said already. */
  readonly message: string;
  readonly error: FieldError;
}

/** What a schema said; `matches` counts what went well, by which upstream picks among the failures of anyOf. */
class Result {
  readonly errors: Fault[] = [];
  matches = 0;

  add(...faults: (Fault | undefined)[]): this {
    for (const fault of faults) {
      if (fault !== undefined && !this.errors.some(({ message }) => message === fault.message)) this.errors.push(fault);
    }
    return this;
  }

  merge(other: Result | undefined): this {
    if (other === undefined) return this;
    this.add(...other.errors);
    this.matches += other.matches;
    return this;
  }

  get isValid(): boolean {
    return this.errors.length === 0;
  }
}

const isInteger = (value: unknown): boolean => typeof value === 'bigint' || Number.isSafeInteger(value);
const isNumber = (value: unknown): value is number | bigint => typeof value === 'number' || typeof value === 'bigint';

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (isNumber(value)) return isInteger(value) ? 'integer' : 'number';
  return typeof value === 'object' ? 'object' : typeof value;
}

class Run {
  readonly #base: FieldPath;
  readonly #regexes: Map<string, Regex | string>;

  readonly #asDefault: boolean;

  constructor(base: FieldPath, regexes: Map<string, Regex | string>, asDefault: boolean) {
    this.#asDefault = asDefault;
    this.#base = base;
    this.#regexes = regexes;
  }

  /** Validates at a field or item, where ratcheting applies. */
  validate(schema: JsonSchema, value: unknown, path: string, old: Old | undefined): Result {
    const result = this.#schema(schema, value, path, old);
    if (result.isValid || old === undefined || !old.isSame) return result;
    const passed = new Result();
    passed.matches = result.matches;
    return passed;
  }

  #schema(schema: JsonSchema, value: unknown, path: string, old: Old | undefined): Result {
    const result = new Result();
    const either = schema['x-kubernetes-int-or-string'] && !this.#asDefault;
    const types = either ? ['integer', 'string'] : schema.type ? [schema.type] : [];
    const format = this.#asDefault ? (schema.format ?? '') : usedFormat(schema, types);
    if (value === null || value === undefined) {
      return result.merge(this.#type(types, format, schema, null, path)).merge(this.#enum(schema, null, path));
    }
    const apply = (part: Result | undefined): void => {
      result.merge(part);
      result.matches++;
    };
    if (types.length > 0 || format !== '') apply(this.#type(types, format, schema, value, path));
    apply(this.#combined(schema, value, path, old));
    if (typeof value === 'string') {
      apply(this.#string(schema, value, path));
      if (format !== '') apply(this.#format(format, value, path));
    }
    if (isNumber(value)) apply(this.#number(schema, types, format, value, path));
    if (Array.isArray(value)) apply(this.#list(schema, value, path, old));
    apply(this.#enum(schema, value, path));
    if (isMap(value)) apply(this.#object(schema, value, path, old));
    result.matches++;
    return result;
  }

  #at(path: string): FieldPath {
    const name = path.startsWith('.') ? path.slice(1) : path;
    return name === '' ? this.#base : this.#base.child(name);
  }

  #fault(path: string, message: string, value: unknown): Fault {
    return { message, error: invalidValue(this.#at(path), value, message) };
  }

  /** A fault that upstream ties to no field. */
  #loose(message: string): Fault {
    return { message, error: invalidValue(this.#base, '', message) };
  }

  #type(types: readonly string[], format: string, schema: JsonSchema, value: unknown, path: string): Result {
    const wrong = (expected: string, actual: string): Result => {
      const message = `${path} in body must be of type ${expected}: ${goQuote(actual)}`;
      return new Result().add({ message, error: typeInvalid(this.#at(path), actual, message) });
    };
    const result = new Result();
    if (value === null) {
      return types.length > 0 && !types.includes('null') && !schema.nullable
        ? wrong(types.join(','), 'null')
        : countOne(result);
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
    if (!types.includes('number') && !types.includes('integer') && format !== '' && textual) return countOne(result);
    return fits ? countOne(result) : wrong(types.join(','), actual);
  }

  #combined(schema: JsonSchema, value: unknown, path: string, old: Old | undefined): Result {
    const result = new Result();
    const each = (list: readonly JsonSchema[]): Result[] => list.map(part => this.#schema(part, value, path, old));
    if (schema.anyOf?.length) {
      const results = each(schema.anyOf);
      const success = results.find(part => part.isValid);
      if (success === undefined) result.add(this.#loose(`${goQuote(path)} must validate at least one schema (anyOf)`));
      result.merge(success ?? best(results));
    }
    if (schema.oneOf?.length) {
      const results = each(schema.oneOf);
      const valid = results.filter(part => part.isValid);
      if (valid.length === 1) result.merge(valid[0]);
      else {
        const found = valid.length === 0 ? 'Found none valid' : `Found ${valid.length} valid alternatives`;
        result.add(this.#loose(`${goQuote(path)} must validate one and only one schema (oneOf). ${found}`));
        if (valid.length === 0) result.merge(best(results));
      }
    }
    if (schema.allOf?.length) {
      const results = each(schema.allOf);
      for (const part of results) result.merge(part);
      const valid = results.filter(part => part.isValid).length;
      if (valid !== results.length) {
        const none = valid === 0 ? '. None validated' : '';
        result.add(this.#loose(`${goQuote(path)} must validate all the schemas (allOf)${none}`));
      }
    }
    if (schema.not !== undefined && schema.not !== null && this.#schema(schema.not, value, path, old).isValid) {
      result.add(this.#loose(`${goQuote(path)} must not validate the schema (not)`));
    }
    return countOne(result);
  }

  #string(schema: JsonSchema, value: string, path: string): Result | undefined {
    const { maxLength, minLength, pattern } = schema;
    const length = [...value].length;
    if (maxLength !== undefined && length > maxLength) {
      const message = `${path} in body should be at most ${maxLength} chars long`;
      return new Result().add({ message, error: tooLong(this.#at(path), maxLength) });
    }
    if (minLength !== undefined && length < minLength) {
      return new Result().add(this.#fault(path, `${path} in body should be at least ${minLength} chars long`, value));
    }
    if (!pattern) return undefined;
    const regex = this.#regex(pattern);
    if (typeof regex === 'string') {
      const message = `${path} in body should match '${pattern}, but pattern is invalid: ${regex}'`;
      return new Result().add(this.#fault(path, message, value));
    }
    if (regex.test(value)) return undefined;
    return new Result().add(this.#fault(path, `${path} in body should match '${pattern}'`, value));
  }

  #regex(pattern: string): Regex | string {
    let regex = this.#regexes.get(pattern);
    if (regex === undefined) {
      try {
        regex = compileRegex(pattern);
      } catch (error) {
        regex = (error as Error).message;
      }
      this.#regexes.set(pattern, regex);
    }
    return regex;
  }

  #format(format: string, value: string, path: string): Result | undefined {
    const check = formatCheck(format);
    if (check === undefined || check(value)) return undefined;
    const message = `${path} in body must be of type ${format}: ${goQuote(value)}`;
    return new Result().add({ message, error: typeInvalid(this.#at(path), value, message) });
  }

  #number(schema: JsonSchema, types: readonly string[], format: string, value: number | bigint, path: string): Result {
    const type = types.length === 1 && (types[0] === 'integer' || types[0] === 'number') ? types[0] : '';
    const range = (bound: number | bigint, what: string): Fault | undefined => {
      if (inRange(bound, type, format)) return undefined;
      const text = format === '' ? `${type} (default format)` : `${type} with format ${format}`;
      return this.#loose(`${what} value must be of type ${text} in ${path}`);
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
        result.add(this.#fault(path, `factor MultipleOf declared for ${path} must be positive: ${shown}`, limit));
      } else if (!isMultiple(value, limit)) {
        result.add(this.#fault(path, `${path} in body should be a multiple of ${shown}`, value));
      }
    }
    if (minimum !== undefined) {
      const wrong = range(minimum, 'Minimum boundary');
      const { limit, shown } = bound(minimum, wrong);
      result.add(wrong);
      if (schema.exclusiveMinimum ? value <= limit : value < limit) {
        const how = schema.exclusiveMinimum ? 'greater than' : 'greater than or equal to';
        result.add(this.#fault(path, `${path} in body should be ${how} ${shown}`, value));
      }
    }
    if (maximum !== undefined) {
      const wrong = range(maximum, 'Maximum boundary');
      const { limit, shown } = bound(maximum, wrong);
      result.add(wrong);
      if (schema.exclusiveMaximum ? value >= limit : value > limit) {
        const how = schema.exclusiveMaximum ? 'less than' : 'less than or equal to';
        result.add(this.#fault(path, `${path} in body should be ${how} ${shown}`, value));
      }
    }
    return countOne(result);
  }

  #list(schema: JsonSchema, value: readonly unknown[], path: string, old: Old | undefined): Result {
    const result = new Result();
    const { items, maxItems, minItems } = schema;
    if (isMap(items)) {
      value.forEach((item, i) => {
        result.merge(this.validate(items as JsonSchema, item, `${path}[${i}]`, old?.index(i)));
      });
    }
    if (minItems !== undefined && value.length < minItems) {
      result.add(this.#fault(path, `${path} in body should have at least ${minItems} items`, value.length));
    }
    if (maxItems !== undefined && value.length > maxItems) {
      const message = `${path} in body should have at most ${maxItems} items`;
      result.add({ message, error: tooMany(this.#at(path), value.length, maxItems) });
    }
    if (schema.uniqueItems && value.some((item, i) => value.slice(0, i).some(other => equalValues(item, other)))) {
      result.add(this.#fault(path, `${path} in body shouldn't contain duplicates`, ''));
    }
    return countOne(result);
  }

  #enum(schema: JsonSchema, value: unknown, path: string): Result | undefined {
    const { enum: allowed } = schema;
    if (!allowed?.length || (value !== null && allowed.some(item => item !== null && isEnumerated(item, value))))
      return undefined;
    const names = allowed.map(item => (typeof item === 'string' ? item : writeSorted(item)));
    const message = `${path} in body should be one of [${names.join(' ')}]`;
    return new Result().add({ message, error: notSupported(this.#at(path), value, names) });
  }

  #object(schema: JsonSchema, value: JsonMap, path: string, old: Old | undefined): Result {
    const result = new Result();
    const { properties = {}, additionalProperties: additional, maxProperties, minProperties } = schema;
    const count = Object.keys(value).length;
    if (minProperties !== undefined && count < minProperties) {
      result.add(this.#fault(path, `${path} in body should have at least ${minProperties} properties`, count));
    }
    if (maxProperties !== undefined && count > maxProperties) {
      const message = `${path} in body should have at most ${maxProperties} properties`;
      result.add({ message, error: tooMany(this.#at(path), count, maxProperties) });
    }
    const before = oldMember(old, path);
    for (const name of Object.keys(value)) {
      if (Object.hasOwn(properties, name)) continue;
      if (additional === false) result.add(this.#fault(path, `${path}.${name} in body is a forbidden property`, ''));
      else if (isMap(additional)) {
        result.merge(this.validate(additional as JsonSchema, value[name], `${path}.${name}`, before(name)));
      }
    }
    for (const name of Object.keys(properties)) {
      if (!Object.hasOwn(value, name)) continue;
      const at = path === '' ? name : `${path}.${name}`;
      result.merge(this.validate(properties[name]!, value[name], at, before(name)));
    }
    for (const name of schema.required ?? []) {
      if (Object.hasOwn(value, name)) continue;
      const at = `${path}.${name}`;
      result.add({ message: `${at} in body is required`, error: required(this.#at(at)) });
    }
    return result;
  }
}

function countOne(result: Result): Result {
  result.matches++;
  return result;
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

/** The first of the failures with the most matches. */
function best(results: readonly Result[]): Result | undefined {
  let found: Result | undefined;
  for (const result of results) if (found === undefined || result.matches > found.matches) found = result;
  return found;
}

/** The format, where it means something for the type. */
function usedFormat(schema: JsonSchema, types: readonly string[]): string {
  const { format = '' } = schema;
  const type = types.length === 1 ? types[0] : '';
  if (type === '' || type === 'string') return formatCheck(format) === undefined ? '' : format;
  if (type === 'integer') return format === 'int32' || format === 'int64' ? format : '';
  if (type === 'number') return format === 'float' || format === 'double' ? format : '';
  return '';
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

/** What stood under a name before; nothing for the type's own fields. */
function oldMember(old: Old | undefined, path: string): (name: string) => Old | undefined {
  return name => (path === '' && (name === 'apiVersion' || name === 'kind') ? undefined : old?.key(name));
}
