/**
 * Optional values. Upstream: cel-go cel/library.go (OptionalTypes, its newest version).
 */
import { fn, type Library, method, overload } from '../check/declarations.ts';
import { listOf, mapOf, optionalOf, param, types } from '../check/types.ts';
import { operators } from '../syntax/ast.ts';
import { describeValue } from '../values/describe.ts';
import { Duration, Timestamp } from '../values/time.ts';
import { Uint } from '../values/uint.ts';
import { ArrayList, CelError, ListValue, MapValue, Optional, type Value } from '../values/value.ts';

const [k, v] = [param('K'), param('V')];
const optional = optionalOf(v);
const [list, map] = [listOf(v), mapOf(k, v)];

/** Whether a value is the zero of its type. */
function isZero(value: Value): boolean {
  if (value === null || value === false || value === 0n || value === 0 || value === '') return true;
  if (value instanceof Uint) return value.value === 0n;
  if (value instanceof Uint8Array) return value.length === 0;
  if (value instanceof Duration) return value.nanos === 0n;
  if (value instanceof Timestamp) return value.nanos === -62_135_596_800_000_000_000n;
  return (value instanceof ListValue || value instanceof MapValue) && value.size === 0;
}

const index = [
  overload('optional_list_index_int', [optionalOf(list), types.int], optional),
  overload('optional_map_index_value', [optionalOf(map), k], optional),
];

export const optionalLibrary: Library = [
  fn(
    'optional.of',
    overload('optional_of', [v], optional, (value: Value) => new Optional(value)),
  ),
  fn(
    'optional.ofNonZeroValue',
    overload('optional_ofNonZeroValue', [v], optional, (value: Value) =>
      isZero(value) ? Optional.none : new Optional(value),
    ),
  ),
  fn(
    'optional.none',
    overload('optional_none', [], optional, () => Optional.none),
  ),
  fn('value', method('optional_value', [optional], v, dereference)),
  fn(
    'hasValue',
    method('optional_hasValue', [optional], types.bool, (one: Optional) => one.value !== undefined),
  ),
  fn('or', method('optional_or_optional', [optional, optional], optional)),
  fn('orValue', method('optional_orValue_value', [optional, v], v)),
  fn(operators.optSelect, overload('select_optional_field', [types.dyn, types.string], optional)),
  fn(
    operators.optIndex,
    overload('list_optindex_optional_int', [list, types.int], optional),
    overload('optional_list_optindex_optional_int', [optionalOf(list), types.int], optional),
    overload('map_optindex_optional_value', [map, k], optional),
    overload('optional_map_optindex_optional_value', [optionalOf(map), k], optional),
  ),
  fn(operators.index, ...index),
  fn(
    'last',
    method('list_last', [list], optional, (items: ListValue) =>
      items.size === 0 ? Optional.none : new Optional(items.at(items.size - 1)),
    ),
  ),
  fn(
    'first',
    method('list_first', [list], optional, (items: ListValue) =>
      items.size === 0 ? Optional.none : new Optional(items.at(0)),
    ),
  ),
  fn('optional.unwrap', overload('optional_unwrap', [listOf(optional)], list, unwrap)),
  fn('unwrapOpt', method('optional_unwrapOpt', [listOf(optional)], list, unwrap)),
];

function unwrap(items: ListValue): Value {
  const values: Value[] = [];
  for (const item of items) {
    if (!(item instanceof Optional)) return new CelError(`value ${describeValue(item)} is not optional`);
    if (item.value !== undefined) values.push(item.value);
  }
  return new ArrayList(values);
}

/** The value, null included; an error if there is none. */
function dereference(one: Optional): Value {
  return one.value === undefined ? new CelError('optional.none() dereference') : one.value;
}
