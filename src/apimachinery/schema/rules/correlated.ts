/**
 * A value beside what stood in its place before an update, as far as a schema lets one tell which place that is.
 * Upstream: k8s.io/apiserver pkg/cel/common/{equality,maplist}.go.
 */
import { writeSorted } from '../../json/write.ts';
import { equalValues } from '../../managed-fields/typed.ts';
import type { JsonSchema } from '../json-schema.ts';

type JsonMap = Readonly<Record<string, unknown>>;

const isMap = (value: unknown): value is JsonMap =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** Items of a list of type map, by what their keys hold; undefined for other lists. */
export function findByKeys(list: unknown, schema: JsonSchema): ((item: unknown) => unknown) | undefined {
  if (!Array.isArray(list) || schema['x-kubernetes-list-type'] !== 'map') return undefined;
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const keyOf = (item: unknown): string | undefined =>
    isMap(item) ? writeSorted(keys.map(key => item[key] ?? null)) : undefined;
  const index = new Map(list.map(item => [keyOf(item), item]));
  return item => {
    const key = keyOf(item);
    return key === undefined ? undefined : index.get(key);
  };
}

export class Correlated {
  readonly #value: unknown;
  readonly #old: unknown;
  readonly #schema: JsonSchema;
  #same: boolean | undefined;
  #find: ((item: unknown) => unknown) | undefined;
  readonly #children = new Map<string | number, Correlated>();

  constructor(value: unknown, old: unknown, schema: JsonSchema) {
    this.#value = value;
    this.#old = old;
    this.#schema = schema;
  }

  /** The member of that name; undefined when it was not there or the schema does not know it. */
  key(name: string): Correlated | undefined {
    const known = this.#children.get(name);
    if (known) return known;
    const { properties, additionalProperties: additional } = this.#schema;
    const schema =
      properties && Object.hasOwn(properties, name) ? properties[name] : isMap(additional) ? additional : undefined;
    if (!schema || !isMap(this.#value) || !isMap(this.#old)) return undefined;
    if (!Object.hasOwn(this.#value, name) || !Object.hasOwn(this.#old, name)) return undefined;
    return this.#keep(name, new Correlated(this.#value[name], this.#old[name], schema as JsonSchema));
  }

  /** The item at a place; undefined where no keys tell which one it was before. */
  index(at: number): Correlated | undefined {
    const known = this.#children.get(at);
    if (known) return known;
    const { items } = this.#schema;
    if (!isMap(items) || !Array.isArray(this.#value)) return undefined;
    this.#find ??= findByKeys(this.#old, this.#schema) ?? (() => undefined);
    const old = this.#find(this.#value[at]);
    if (old === undefined || old === null) return undefined;
    return this.#keep(at, new Correlated(this.#value[at], old, items as JsonSchema));
  }

  /** Whether nothing has changed here and below. */
  get isSame(): boolean {
    return (this.#same ??= this.#compare());
  }

  #keep(key: string | number, child: Correlated): Correlated {
    this.#children.set(key, child);
    return child;
  }

  #compare(): boolean {
    const [value, old] = [this.#value ?? null, this.#old ?? null];
    if (value === null || old === null) return value === old;
    if (Array.isArray(value) && Array.isArray(old)) {
      if (value.length !== old.length) return false;
      if (this.#schema['x-kubernetes-list-type'] !== 'map') return equalValues(value, old);
      return value.every((_, at) => this.index(at)?.isSame ?? false);
    }
    if (isMap(value) && isMap(old)) {
      const names = Object.keys(value);
      return names.length === Object.keys(old).length && names.every(name => this.key(name)?.isSame ?? false);
    }
    return equalValues(value, old);
  }
}
