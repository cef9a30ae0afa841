/**
 * Pruning of what a schema does not know, and defaulting. Nothing is changed in place; what stays as it is keeps its
 * identity. Upstream: apiextensions-apiserver pkg/apiserver/schema/{pruning,defaulting}/*.go.
 */
import { setOwn } from '../json/set-own.ts';
import { cloneJson } from '../patch/json-patch.ts';
import { asResourceRoot, memberSchema, metaFields, type Structural } from './json-schema.ts';

type JsonMap = Readonly<Record<string, unknown>>;

const isMap = (value: unknown): value is JsonMap =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

export interface PruneResult {
  readonly value: unknown;
  /** Paths of what was dropped, as `spec.a[0].b`, sorted. */
  readonly unknownPaths: readonly string[];
}

/**
 * The value without fields that the schema does not specify. With `root` the value is a whole resource, whose type and
 * object meta stay.
 */
export function pruneUnknown(value: unknown, schema: Structural | undefined, root: boolean): PruneResult {
  const unknownPaths: string[] = [];
  const walker = new Pruner(unknownPaths);
  const start = root && schema !== undefined ? asResourceRoot(schema) : schema;
  return { value: walker.prune(value, start, ''), unknownPaths: unknownPaths.sort() };
}

class Pruner {
  readonly #unknown: string[];

  constructor(unknown: string[]) {
    this.#unknown = unknown;
  }

  prune(value: unknown, schema: Structural | undefined, path: string): unknown {
    const keep = schema?.preserveUnknown === true;
    if (Array.isArray(value)) {
      const { items } = schema ?? {};
      return mapList(value, (item, i) =>
        keep ? this.#skip(item, items, `${path}[${i}]`) : this.prune(item, items, `${path}[${i}]`),
      );
    }
    if (!isMap(value)) return value;
    return mapMembers(value, (item, name) => {
      if (schema?.embeddedResource && metaFields.has(name)) return item;
      const at = path === '' ? name : `${path}.${name}`;
      const property = schema?.properties.get(name);
      if (property !== undefined) return this.prune(item, property, at);
      if (schema !== undefined && schema.additional !== undefined)
        return this.prune(item, memberSchema(schema, name), at);
      if (keep) return item;
      if (path !== '' || !metaFields.has(name)) this.#unknown.push(at);
      return undefined;
    });
  }

  /** Items of a list whose schema keeps what is unknown: the schema of items prunes no more than it specifies. */
  #skip(value: unknown, schema: Structural | undefined, path: string): unknown {
    return schema === undefined
      ? value
      : this.prune(value, schema.preserveUnknown ? schema : { ...schema, preserveUnknown: true }, path);
  }
}

function mapList(list: readonly unknown[], change: (item: unknown, index: number) => unknown): unknown {
  let out: unknown[] | undefined;
  for (let i = 0; i < list.length; i++) {
    const item = change(list[i], i);
    if (item !== list[i]) (out ??= [...list])[i] = item;
  }
  return out ?? list;
}

/** Changes each member; undefined drops it. */
function mapMembers(map: JsonMap, change: (item: unknown, name: string) => unknown): unknown {
  let out: Record<string, unknown> | undefined;
  for (const name of Object.keys(map)) {
    const item = change(map[name], name);
    if (item === map[name]) continue;
    out ??= { ...map };
    if (item === undefined) delete out[name];
    else setOwn(out, name, item);
  }
  return out ?? map;
}

/** The value without nulls where the schema is not nullable and has no default to put there. */
export function pruneNulls(value: unknown, schema: Structural | undefined): unknown {
  if (Array.isArray(value)) return mapList(value, item => pruneNulls(item, schema?.items));
  if (!isMap(value)) return value;
  return mapMembers(value, (item, name) => {
    const member = memberSchema(schema, name);
    if (item !== null || member === undefined || member.nullable) return pruneNulls(item, member);
    return member.default === undefined ? undefined : item;
  });
}

/** The value with the schema's defaults, each a copy, where fields are absent, or null and not nullable. */
export function applyDefaults(value: unknown, schema: Structural | undefined): unknown {
  if (schema === undefined) return value;
  const filled = (item: unknown, member: Structural): unknown =>
    item === null && !member.nullable ? (cloneJson(member.default) ?? null) : item;
  if (Array.isArray(value)) {
    const { items } = schema;
    return items === undefined ? value : mapList(value, item => applyDefaults(filled(item, items), items));
  }
  if (!isMap(value)) return value;
  let missing: Record<string, unknown> | undefined;
  for (const [name, property] of schema.properties) {
    if (property.default === undefined) continue;
    if (Object.hasOwn(value, name) && value[name] !== undefined && (value[name] !== null || property.nullable))
      continue;
    missing ??= {};
    setOwn(missing, name, cloneJson(property.default));
  }
  return mapMembers(missing === undefined ? value : { ...value, ...missing }, (item, name) => {
    const property = schema.properties.get(name);
    if (property !== undefined) return applyDefaults(item, property);
    const { additional } = schema;
    return typeof additional === 'object' ? applyDefaults(filled(item, additional), additional) : item;
  });
}
