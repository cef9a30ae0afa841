/**
 * JSON as values, adapted when it is looked at and never copied whole: under a schema, which tells ints from doubles
 * and sets from lists, or without one. Upstream: k8s.io/apiserver pkg/cel/common/valuesunstructured.go, and cel-go
 * common/types/provider.go (NativeToValue).
 */
import { isDeepStrictEqual } from 'node:util';
import type { JsonSchema } from '../../schema/json-schema.ts';
import { type Type, types } from '../check/types.ts';
import { equal } from '../values/equality.ts';
import { Duration, Timestamp } from '../values/time.ts';
import { Uint } from '../values/uint.ts';
import { CelError, ListValue, MapValue, noSuchOverload, ObjectValue, type Value } from '../values/value.ts';
import { withMeta } from './decl-type.ts';
import { escapeName, unescapeName } from './escaping.ts';
import { formattedText } from './formatted-text.ts';

type JsonObject = Readonly<Record<string, unknown>>;

const isObject = (json: unknown): json is JsonObject =>
  json !== null && typeof json === 'object' && !Array.isArray(json);

/** A whole number as an int, whatever JavaScript holds it in; undefined for any other. */
function asInt(json: unknown): bigint | undefined {
  if (typeof json === 'bigint') return json;
  return typeof json === 'number' && Number.isInteger(json) && Math.abs(json) <= 2 ** 63 ? BigInt(json) : undefined;
}

/** JSON without a schema. Values of this engine that stand in it are left as they are. */
export function dynValue(json: unknown): Value {
  switch (typeof json) {
    case 'string':
    case 'boolean':
      return json;
    case 'number':
      return asInt(json) ?? json;
    case 'bigint':
      return json;
    case 'undefined':
      return null;
    default:
      if (json === null || isValue(json)) return json as Value;
      return Array.isArray(json) ? new DynList(json) : new DynMap(json as JsonObject);
  }
}

const isValue = (json: unknown): boolean =>
  [ListValue, MapValue, ObjectValue, CelError, Uint, Uint8Array, Timestamp, Duration].some(one => json instanceof one);

class DynList extends ListValue {
  readonly json: readonly unknown[];

  constructor(json: readonly unknown[]) {
    super();
    this.json = json;
  }

  get size(): number {
    return this.json.length;
  }

  at(index: number): Value {
    return dynValue(this.json[index]);
  }
}

class DynMap extends MapValue {
  readonly json: JsonObject;

  constructor(json: JsonObject) {
    super();
    this.json = json;
  }

  get size(): number {
    return Object.keys(this.json).length;
  }

  find(key: Value): Value | undefined {
    return typeof key === 'string' && Object.hasOwn(this.json, key) ? dynValue(this.json[key]) : undefined;
  }

  keys(): Iterable<Value> {
    return Object.keys(this.json);
  }
}

/** JSON under a schema that is structural. Data that do not fit give an error where they are looked at. */
export function schemaValue(json: unknown, schema: JsonSchema): Value {
  if (json === null || json === undefined) {
    return schema.nullable ? null : new CelError('invalid data, got null for schema with nullable=false');
  }
  if (schema['x-kubernetes-int-or-string']) {
    if (typeof json === 'string') return json;
    return asInt(json) ?? new CelError('invalid data, expected XIntOrString value to be either a string or integer');
  }
  switch (schema.type) {
    case 'object':
      if (!isObject(json)) return new CelError('invalid data, expected a map for the provided schema with type=object');
      return new SchemaMap(json, schema['x-kubernetes-embedded-resource'] ? withMeta(schema) : schema);
    case 'array':
      return arrayValue(json, schema);
    case 'string':
      if (typeof json !== 'string') return new CelError(`invalid data, expected string, got ${goType(json)}`);
      return formattedText(json, schema.format);
    case 'number':
      if (typeof json === 'number' || typeof json === 'bigint') return Number(json);
      return new CelError(`invalid data, expected float, got ${goType(json)}`);
    case 'integer':
      return asInt(json) ?? new CelError(`invalid data, expected int, got ${goType(json)}`);
    case 'boolean':
      return typeof json === 'boolean' ? json : new CelError(`invalid data, expected bool, got ${goType(json)}`);
    default:
      return untyped(json, schema);
  }
}

function untyped(json: unknown, schema: JsonSchema): Value {
  if (schema['x-kubernetes-preserve-unknown-fields']) return new UnknownPreserved(json);
  return new CelError(
    'invalid type, expected object, array, number, integer, boolean or string, or no type with ' +
      'x-kubernetes-int-or-string or x-kubernetes-preserve-unknown-fields is true, got ' +
      (schema.type ?? ''),
  );
}

function goType(json: unknown): string {
  if (Array.isArray(json)) return '[]interface {}';
  if (typeof json === 'number') return Number.isInteger(json) ? 'int64' : 'float64';
  return (
    { string: 'string', boolean: 'bool', bigint: 'int64', object: 'map[string]interface {}' }[typeof json as string] ??
    '<nil>'
  );
}

function arrayValue(json: unknown, schema: JsonSchema): Value {
  if (!Array.isArray(json))
    return new CelError('invalid data, expected an array for the provided schema with type=array');
  const items = schema.items as JsonSchema | undefined;
  if (items === undefined) return new CelError('invalid array type, expected Items with a non-empty Schema');
  const listType = schema['x-kubernetes-list-type'];
  switch (listType) {
    case 'map':
      return new MapList(json, items, schema['x-kubernetes-list-map-keys'] ?? []);
    case 'set':
      return new SetList(json, items);
    case undefined:
    case '':
    case 'atomic':
      return new SchemaList(json, items);
    default:
      return new CelError(`invalid x-kubernetes-list-type, expected 'map', 'set' or 'atomic' but got ${listType}`);
  }
}

/** Data that expressions cannot see; they can be compared. */
class UnknownPreserved extends ObjectValue {
  readonly type: Type = types.dyn;
  readonly json: unknown;

  constructor(json: unknown) {
    super();
    this.json = json;
  }

  equals(other: ObjectValue): boolean {
    return other instanceof UnknownPreserved && isDeepStrictEqual(this.json, other.json);
  }

  override beside(other: Value): boolean {
    return isDeepStrictEqual(this.json, jsonOf(other));
  }
}

/** The JSON behind a value, for lists that are joined; values made by expressions stand for themselves. */
function jsonOf(value: Value): unknown {
  if (
    value instanceof SchemaMap ||
    value instanceof SchemaList ||
    value instanceof DynMap ||
    value instanceof DynList
  ) {
    return value.json;
  }
  return value instanceof UnknownPreserved ? value.json : value;
}

/** A list under a schema: an atomic one. */
class SchemaList extends ListValue {
  readonly json: readonly unknown[];
  readonly items: JsonSchema;

  constructor(json: readonly unknown[], items: JsonSchema) {
    super();
    this.json = json;
    this.items = items;
  }

  get size(): number {
    return this.json.length;
  }

  at(index: number): Value {
    const element = this.json[index];
    return isValue(element) ? (element as Value) : schemaValue(element, this.items);
  }

  override beside(): CelError {
    return noSuchOverload;
  }
}

/** A set: order does not matter to equality, and + is a union. */
class SetList extends SchemaList {
  #known: Set<unknown> | undefined;

  get #set(): Set<unknown> {
    this.#known ??= new Set(this.json.map(normalKey));
    return this.#known;
  }

  override equals(other: ListValue): boolean {
    if (other.size !== this.size) return false;
    for (const item of other) {
      if (!this.#set.has(normalKey(jsonOf(item)))) return false;
    }
    return true;
  }

  override concat(other: ListValue): ListValue {
    const known = new Set(this.#set);
    const elements = [...this.json];
    for (const item of other) {
      const json = jsonOf(item);
      const key = normalKey(json);
      if (known.has(key)) continue;
      known.add(key);
      elements.push(json);
    }
    return new SetList(elements, this.items);
  }
}

/** A number by its value, whatever holds it. */
const normalKey = (json: unknown): unknown => (typeof json === 'bigint' ? Number(json) : json);

/** A list with keys: order does not matter to equality, and + overwrites elements of the same key. */
class MapList extends SchemaList {
  readonly #keys: readonly string[];

  constructor(json: readonly unknown[], items: JsonSchema, keys: readonly string[]) {
    super(json, items);
    this.#keys = keys;
  }

  #keyOf(element: unknown): string {
    const read = (key: string): unknown => {
      if (element instanceof MapValue) return normalKey(element.find(escapeName(key) ?? key));
      return isObject(element) ? normalKey(element[key]) : undefined;
    };
    return JSON.stringify(this.#keys.map(key => read(key) ?? null));
  }

  override equals(other: ListValue): boolean | CelError {
    if (other.size !== this.size) return false;
    const byKey = new Map(this.json.map(element => [this.#keyOf(element), element]));
    for (const item of other) {
      const own = byKey.get(this.#keyOf(jsonOf(item)));
      if (own === undefined) return false;
      const same = equal(schemaValue(own, this.items), item);
      if (same !== true) return same;
    }
    return true;
  }

  override concat(other: ListValue): ListValue {
    const elements = [...this.json];
    const places = new Map(elements.map((element, index) => [this.#keyOf(element), index]));
    for (const item of other) {
      const json = jsonOf(item);
      const place = places.get(this.#keyOf(json));
      if (place === undefined) elements.push(json);
      else elements[place] = json;
    }
    return new MapList(elements, this.items, this.#keys);
  }
}

/** An object under a schema, with properties by their escaped names, or a map of what additionalProperties say. */
class SchemaMap extends MapValue {
  readonly json: JsonObject;
  readonly #schema: JsonSchema;

  constructor(json: JsonObject, schema: JsonSchema) {
    super();
    this.json = json;
    this.#schema = schema;
  }

  get #isStruct(): boolean {
    return this.#schema.properties !== undefined || (this.#schema['x-kubernetes-embedded-resource'] ?? false);
  }

  #schemaOf(name: string): JsonSchema | undefined {
    const { properties, additionalProperties } = this.#schema;
    if (this.#isStruct) {
      return properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined;
    }
    return typeof additionalProperties === 'object' ? additionalProperties : undefined;
  }

  get size(): number {
    return Object.keys(this.json).length;
  }

  find(key: Value): Value | undefined {
    if (typeof key !== 'string') return noSuchOverload;
    const name = this.#isStruct ? unescapeName(key) : key;
    if (name === undefined || !Object.hasOwn(this.json, name)) return undefined;
    const json = this.json[name];
    if (json === undefined || (json === null && this.#isStruct)) return undefined;
    const schema = this.#schemaOf(name);
    return schema === undefined ? undefined : schemaValue(json, schema);
  }

  *keys(): Iterable<Value> {
    for (const name of Object.keys(this.json)) {
      if (this.#schemaOf(name) === undefined) continue;
      yield this.#isStruct ? (escapeName(name) ?? name) : name;
    }
  }

  override equals(other: MapValue): boolean | CelError {
    if (other.size !== this.size) return false;
    for (const [name, json] of Object.entries(this.json)) {
      if (this.#schemaOf(name) !== undefined) {
        const [own, theirs] = [this.find(name), other.find(name)];
        if ((own === undefined) !== (theirs === undefined)) return false;
        if (own === undefined) continue;
        const same = equal(own, theirs as Value);
        if (same !== true) return same;
      } else {
        if (!(other instanceof SchemaMap)) return noSuchOverload;
        if (Object.hasOwn(other.json, name) && !isDeepStrictEqual(json, other.json[name])) return false;
      }
    }
    return true;
  }

  override beside(): CelError {
    return noSuchOverload;
  }
}
