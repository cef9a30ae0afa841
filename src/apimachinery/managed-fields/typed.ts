/**
 * How structured merge and diff sees values of our types: leaves, granular maps, associative lists, and what has no
 * type. Upstream: sigs.k8s.io/structured-merge-diff v6 typed/helpers.go, schema/elements.go; apimachinery
 * pkg/util/managedfields/internal/typeconverter.go; the untyped kinds of kube-openapi pkg/schemaconv.
 */
import { InputError } from '../input-error.ts';
import { setOwn } from '../json/set-own.ts';
import { isOmitted, zeroValue } from '../json/zero-values.ts';
import { anyNode } from '../schema/build.ts';
import type { FieldNode, ListNode, StructNode, TypeNode } from '../schema/type-node.ts';
import { keyElement, type PathElement, valueElement } from './path-element.ts';

export type JsonMap = Readonly<Record<string, unknown>>;

/** A value with its type, in one API version. */
export interface Typed {
  readonly value: unknown;
  readonly node: TypeNode;
  /** `v1`, `apps/v1` … */
  readonly apiVersion: string;
}

/** What a value is merged as. `map` and `list` are those that merge; all else is owned whole. */
export type Shape = 'leaf' | 'map' | 'list';

export const isMap = (value: unknown): value is JsonMap =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/**
 * The shape of a value of this type. What has no type goes by the value: maps are granular, lists atomic; but what is
 * raw is one.
 */
export function shapeOf(node: TypeNode, value: unknown): Shape {
  switch (node.kind) {
    case 'struct':
    case 'map':
      return node.mapType === 'atomic' ? 'leaf' : 'map';
    case 'list':
      return node.listType === 'map' || node.listType === 'set' ? 'list' : 'leaf';
    case 'any':
      return node.union === undefined && isMap(value) ? 'map' : 'leaf';
    default:
      return node.type === 'fieldsV1' && isMap(value) ? 'map' : 'leaf';
  }
}

/** The type of a member of a map-like value; undefined when the type does not know it. */
export function memberNode(node: TypeNode, name: string): TypeNode | undefined {
  if (node.kind === 'struct') return node.fields.get(name)?.node ?? (node.preserveUnknown ? anyNode : undefined);
  return node.kind === 'map' ? node.element : anyNode;
}

/** True when `name` is a field of a struct, and not a key of a map. */
export function isNamedField(node: TypeNode, name: string): boolean {
  return node.kind === 'struct' && node.fields.has(name);
}

/** The path element of an item of an associative list. Throws InputError `schema` with upstream's text. */
export function itemElement(list: ListNode, item: unknown): PathElement {
  const fail = (text: string): never => {
    throw new InputError('schema', text);
  };
  if (list.listType === 'set') {
    if (isMap(item)) fail("associative list without keys has an element that's a map type");
    if (Array.isArray(item)) fail('not supported: associative list with lists as elements');
    if (item === null) fail("associative list without keys has an element that's an explicit null");
    return valueElement(item);
  }
  if (item === null) fail('associative list with keys may not have a null element');
  if (!isMap(item)) return fail('associative list with keys may not have non-map elements');
  const keys: Record<string, unknown> = {};
  let found = false;
  for (const name of list.listKeys ?? []) {
    let value = Object.hasOwn(item, name) ? item[name] : undefined;
    if (value === undefined && list.element.kind === 'struct') value = keyDefault(list.element.fields.get(name));
    if (value === undefined) continue;
    keys[name] = value;
    found = true;
  }
  if (!found) {
    const names = (list.listKeys ?? []).map(name => JSON.stringify(name)).join(' ');
    fail(
      `associative list with keys has an element that omits all key fields [${names}] (and doesn't have default values for any key fields)`,
    );
  }
  return keyElement(keys);
}

/** What stands for a key that is absent: the declared default, and Go's zero for what is no pointer and always there. */
function keyDefault(field: FieldNode | undefined): unknown {
  if (field === undefined || field.default !== undefined) return field?.default;
  return field.omitEmpty || field.nullable ? undefined : zeroValue(field.node);
}

/** Deep equality of values; numbers by value. */
export function equalValues(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') {
    return typeof a === 'bigint' && typeof b === 'number' ? Number(a) === b : typeof b === 'bigint' && Number(b) === a;
  }
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!equalValues(a[i], b[i])) return false;
    return true;
  }
  if (Array.isArray(b)) return false;
  const left = a as JsonMap;
  const right = b as JsonMap;
  let count = 0;
  for (const name in left) {
    const value = left[name];
    if (value === undefined) continue;
    count++;
    const other = right[name];
    if (value === other) continue;
    // What is inherited is never equal to JSON, but for the prototype itself.
    if (other === undefined || (name === '__proto__' && !Object.hasOwn(right, name))) return false;
    if (!equalValues(value, other)) return false;
  }
  for (const name in right) if (right[name] !== undefined) count--;
  return count === 0;
}

const always = new WeakMap<StructNode, readonly FieldNode[]>();

/** The fields of a struct that Go writes even when they are zero. */
function alwaysWritten(node: StructNode): readonly FieldNode[] {
  let fields = always.get(node);
  if (fields === undefined) {
    fields = [...node.fields.values()].filter(field => !field.omitEmpty);
    always.set(node, fields);
  }
  return fields;
}

/**
 * The value as Go's structs show it to upstream's walkers: fields that Go always writes are there, zero if unset, and
 * empty lists and maps that it never writes are not.
 * Nothing is changed in place; what is complete keeps its identity.
 */
export function withZeros(value: unknown, node: TypeNode): unknown {
  if (Array.isArray(value)) {
    if (node.kind !== 'list' || node.element.kind === 'scalar') return value;
    let out: unknown[] | undefined;
    for (let i = 0; i < value.length; i++) {
      const item = withZeros(value[i], node.element);
      if (item !== value[i]) (out ??= [...value])[i] = item;
    }
    return out ?? value;
  }
  if (!isMap(value)) return value;
  if (node.kind === 'map') {
    return node.element.kind === 'scalar' ? value : copyMembers(value, () => node.element);
  }
  if (node.kind !== 'struct') return value;
  const out = withoutOmitted(
    copyMembers(value, name => node.fields.get(name)?.node),
    node,
  );
  let filled: Record<string, unknown> | undefined;
  for (const field of alwaysWritten(node)) {
    if (out[field.name] !== undefined) continue;
    filled ??= { ...out };
    const zero = field.nullable ? null : zeroValue(field.node);
    filled[field.name] = isMap(zero) ? withZeros(zero, field.node) : zero;
  }
  return filled ?? out;
}

/** Without the empty lists and maps that Go leaves out when it writes. */
function withoutOmitted(value: JsonMap, node: StructNode): JsonMap {
  let out: Record<string, unknown> | undefined;
  for (const name in value) {
    const item = value[name];
    if (item === null || typeof item !== 'object') continue;
    const field = node.fields.get(name);
    const isNone = Array.isArray(item) ? item.length === 0 && field?.omitEmpty : field && isOmitted(field, item);
    if (!isNone) continue;
    out ??= { ...value };
    delete out[name];
  }
  return out ?? value;
}

function copyMembers(value: JsonMap, nodeOf: (name: string) => TypeNode | undefined): JsonMap {
  let out: Record<string, unknown> | undefined;
  for (const name in value) {
    const item = value[name];
    if (item === null || typeof item !== 'object') continue;
    const node = nodeOf(name);
    if (node === undefined) continue;
    const next = withZeros(item, node);
    if (next === item) continue;
    out ??= { ...value };
    setOwn(out, name, next);
  }
  return out ?? value;
}
