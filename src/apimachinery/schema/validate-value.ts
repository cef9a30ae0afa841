/**
 * Validation of values against a schema, with upstream's texts, order and choice of errors, and ratcheting: what is
 * wrong but was so before the update is let pass. Upstream: kube-openapi pkg/validation/{validate,errors}/*.go,
 * apiextensions-apiserver pkg/apiserver/validation/{validation,ratcheting}.go.
 * Deviation: where upstream walks a Go map, in no order, properties come here in the order of the schema.
 */
import { type FieldError, FieldPath, goQuote, required, tooMany } from '../field.ts';
import { equalValues } from '../managed-fields/typed.ts';
import type { JsonSchema } from './json-schema.ts';
import { checkEnum, checkFormat, checkNumber, checkString, checkType, isNumber, usedFormat } from './leaf-checks.ts';
import { Patterns } from './regex.ts';
import { Correlated } from './rules/correlated.ts';
import { best, Faults, Result } from './validation-result.ts';

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
  readonly #patterns = new Patterns();
  readonly #asDefault: boolean;

  /** `asDefault`: as upstream has it for defaults, a format counts even where it means nothing for the type, and any value
   * is an int or string. */
  constructor(schema: JsonSchema, { asDefault = false }: { readonly asDefault?: boolean } = {}) {
    this.#schema = schema;
    this.#asDefault = asDefault;
  }

  /** What is wrong with a value; empty when it is valid. */
  validate(value: unknown, options: ValidateValueOptions = {}): FieldError[] {
    const run = new Run(options.path ?? FieldPath.root, this.#patterns, this.#asDefault);
    const { old } = options;
    const result = run.validate(
      this.#schema,
      value,
      '',
      old === undefined ? undefined : new Correlated(value, old, this.#schema),
    );
    return result.errors;
  }
}

/** The value beside what stood at the same place before. */
type Old = Correlated;

class Run {
  readonly #faults: Faults;
  readonly #patterns: Patterns;
  readonly #asDefault: boolean;

  constructor(base: FieldPath, patterns: Patterns, asDefault: boolean) {
    this.#faults = new Faults(base);
    this.#patterns = patterns;
    this.#asDefault = asDefault;
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
      return result
        .merge(checkType(this.#faults, types, format, schema, null, path))
        .merge(checkEnum(this.#faults, schema, null, path));
    }
    const apply = (part: Result | undefined): void => {
      result.merge(part);
      result.matches++;
    };
    if (types.length > 0 || format !== '') apply(checkType(this.#faults, types, format, schema, value, path));
    apply(this.#combined(schema, value, path, old));
    if (typeof value === 'string') {
      apply(checkString(this.#faults, schema, value, path, this.#patterns));
      if (format !== '') apply(checkFormat(this.#faults, format, value, path));
    }
    if (isNumber(value)) apply(checkNumber(this.#faults, schema, types, format, value, path));
    if (Array.isArray(value)) apply(this.#list(schema, value, path, old));
    apply(checkEnum(this.#faults, schema, value, path));
    if (isMap(value)) apply(this.#object(schema, value, path, old));
    result.matches++;
    return result;
  }

  #combined(schema: JsonSchema, value: unknown, path: string, old: Old | undefined): Result {
    const result = new Result();
    const each = (list: readonly JsonSchema[]): Result[] => list.map(part => this.#schema(part, value, path, old));
    if (schema.anyOf?.length) {
      const results = each(schema.anyOf);
      const success = results.find(part => part.isValid);
      if (success === undefined)
        result.add(this.#faults.loose(`${goQuote(path)} must validate at least one schema (anyOf)`));
      result.merge(success ?? best(results));
    }
    if (schema.oneOf?.length) {
      const results = each(schema.oneOf);
      const valid = results.filter(part => part.isValid);
      if (valid.length === 1) result.merge(valid[0]);
      else {
        const found = valid.length === 0 ? 'Found none valid' : `Found ${valid.length} valid alternatives`;
        result.add(this.#faults.loose(`${goQuote(path)} must validate one and only one schema (oneOf). ${found}`));
        if (valid.length === 0) result.merge(best(results));
      }
    }
    if (schema.allOf?.length) {
      const results = each(schema.allOf);
      for (const part of results) result.merge(part);
      const valid = results.filter(part => part.isValid).length;
      if (valid !== results.length) {
        const none = valid === 0 ? '. None validated' : '';
        result.add(this.#faults.loose(`${goQuote(path)} must validate all the schemas (allOf)${none}`));
      }
    }
    if (schema.not !== undefined && schema.not !== null && this.#schema(schema.not, value, path, old).isValid) {
      result.add(this.#faults.loose(`${goQuote(path)} must not validate the schema (not)`));
    }
    return result.matched();
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
      result.add(this.#faults.fault(path, `${path} in body should have at least ${minItems} items`, value.length));
    }
    if (maxItems !== undefined && value.length > maxItems) {
      const message = `${path} in body should have at most ${maxItems} items`;
      result.add({ message, error: tooMany(this.#faults.at(path), value.length, maxItems) });
    }
    if (schema.uniqueItems && value.some((item, i) => value.slice(0, i).some(other => equalValues(item, other)))) {
      result.add(this.#faults.fault(path, `${path} in body shouldn't contain duplicates`, ''));
    }
    return result.matched();
  }

  #object(schema: JsonSchema, value: JsonMap, path: string, old: Old | undefined): Result {
    const result = new Result();
    const { properties = {}, additionalProperties: additional, maxProperties, minProperties } = schema;
    const count = Object.keys(value).length;
    if (minProperties !== undefined && count < minProperties) {
      result.add(this.#faults.fault(path, `${path} in body should have at least ${minProperties} properties`, count));
    }
    if (maxProperties !== undefined && count > maxProperties) {
      const message = `${path} in body should have at most ${maxProperties} properties`;
      result.add({ message, error: tooMany(this.#faults.at(path), count, maxProperties) });
    }
    const before = oldMember(old, path);
    for (const name of Object.keys(value)) {
      if (Object.hasOwn(properties, name)) continue;
      if (additional === false)
        result.add(this.#faults.fault(path, `${path}.${name} in body is a forbidden property`, ''));
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
      result.add({ message: `${at} in body is required`, error: required(this.#faults.at(at)) });
    }
    return result;
  }
}

/** What stood under a name before; nothing for the type's own fields. */
function oldMember(old: Old | undefined, path: string): (name: string) => Old | undefined {
  return name => (path === '' && (name === 'apiVersion' || name === 'kind') ? undefined : old?.key(name));
}
