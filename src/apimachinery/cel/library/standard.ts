/**
 * The standard functions: operators, sizes, strings and times; conversions are beside it. Upstream: cel-go
 * common/stdlib/standard.go, common/overloads/overloads.go.
 */
import { fn, type Library, method, type Overload, overload, singleton } from '../check/declarations.ts';
import { listOf, mapOf, param, type Type, typeOf, types } from '../check/types.ts';
import { operators } from '../syntax/ast.ts';
import { codePoints } from '../syntax/source.ts';
import { describeValue } from '../values/describe.ts';
import { compare, equal, isOrdered } from '../values/equality.ts';
import { type Duration, type TimePart, type Timestamp, timePart, zoneOffset } from '../values/time.ts';
import { CelError, GrowingMap, ListValue, MapValue, noSuchOverload, typeOfValue, type Value } from '../values/value.ts';
import { add, divide, modulo, multiply, negate, subtract, unsupported } from './arithmetic.ts';
import { conversions } from './conversions.ts';
import { matchesLibrary } from './regex.ts';

const { bool, bytes, double, duration, int, string, timestamp, uint } = types;
const [a, b] = [param('A'), param('B')];
const [listOfA, mapOfAB] = [listOf(a), mapOf(a, b)];

const binary = (id: string, left: Type, right: Type, result: Type): Overload => overload(id, [left, right], result);

/** Orderings: of the same type, and of numbers of different ones. */
function relation(name: string, id: string, holds: (order: number) => boolean) {
  const run = (left: Value, right: Value): Value => {
    if (!isOrdered(left)) return unsupported(name, left);
    const order = compare(left, right);
    return order instanceof CelError ? order : holds(order);
  };
  return singleton(
    name,
    run,
    binary(`${id}_bool`, bool, bool, bool),
    binary(`${id}_int64`, int, int, bool),
    binary(`${id}_int64_double`, int, double, bool),
    binary(`${id}_int64_uint64`, int, uint, bool),
    binary(`${id}_uint64`, uint, uint, bool),
    binary(`${id}_uint64_double`, uint, double, bool),
    binary(`${id}_uint64_int64`, uint, int, bool),
    binary(`${id}_double`, double, double, bool),
    binary(`${id}_double_int64`, double, int, bool),
    binary(`${id}_double_uint64`, double, uint, bool),
    binary(`${id}_string`, string, string, bool),
    binary(`${id}_bytes`, bytes, bytes, bool),
    binary(`${id}_timestamp`, timestamp, timestamp, bool),
    binary(`${id}_duration`, duration, duration, bool),
  );
}

/** `x in list`, `key in map`. */
function contains(element: Value, container: Value): Value {
  if (container instanceof MapValue) {
    const found = container.find(element);
    return found instanceof CelError ? found : found !== undefined;
  }
  if (!(container instanceof ListValue)) return noSuchOverload;
  let error: CelError | undefined;
  for (const item of container) {
    const same = equal(item, element);
    if (same === true) return true;
    if (same instanceof CelError) error ??= same;
  }
  return error ?? false;
}

function size(value: Value): Value {
  if (typeof value === 'string') return BigInt(codePoints(value));
  if (value instanceof Uint8Array) return BigInt(value.length);
  if (value instanceof ListValue || value instanceof MapValue) return BigInt(value.size);
  return unsupported('size', value);
}

const text = (name: string, id: string, run: (text: string, part: string) => boolean) => {
  const checked = (whole: Value, piece: Value): Value =>
    typeof whole === 'string' && typeof piece === 'string' ? run(whole, piece) : noSuchOverload;
  return singleton(name, checked, method(id, [string, string], bool));
};

/** A part of a timestamp, in UTC or a zone. */
function part(name: TimePart, id: string, withZone = `${id}_with_tz`): Overload[] {
  return [
    method(id, [timestamp], int, (time: Timestamp) => timePart(time, name, 0)),
    method(withZone, [timestamp, string], int, (time: Timestamp, zone: string) => {
      const offset = zoneOffset(time, zone);
      return offset instanceof CelError ? offset : timePart(time, name, offset);
    }),
  ];
}

const durationPart = (id: string, nanos: bigint): Overload =>
  method(id, [duration], int, (span: Duration) => span.nanos / nanos);

const operatorFunctions: Library = [
  fn(operators.conditional, overload('conditional', [bool, a, a], a)),
  fn(operators.and, overload('logical_and', [bool, bool], bool)),
  fn(operators.or, overload('logical_or', [bool, bool], bool)),
  singleton(
    operators.not,
    (value: Value): Value => (typeof value === 'boolean' ? !value : noSuchOverload),
    overload('logical_not', [bool], bool),
  ),
  fn(operators.notStrictlyFalse, overload('not_strictly_false', [bool], bool)),
  fn(operators.equals, overload('equals', [a, a], bool)),
  fn(operators.notEquals, overload('not_equals', [a, a], bool)),
  singleton(
    operators.add,
    add,
    binary('add_bytes', bytes, bytes, bytes),
    binary('add_double', double, double, double),
    binary('add_duration_duration', duration, duration, duration),
    binary('add_duration_timestamp', duration, timestamp, timestamp),
    binary('add_timestamp_duration', timestamp, duration, timestamp),
    binary('add_int64', int, int, int),
    binary('add_list', listOfA, listOfA, listOfA),
    binary('add_string', string, string, string),
    binary('add_uint64', uint, uint, uint),
  ),
  singleton(
    operators.divide,
    divide,
    binary('divide_double', double, double, double),
    binary('divide_int64', int, int, int),
    binary('divide_uint64', uint, uint, uint),
  ),
  singleton(operators.modulo, modulo, binary('modulo_int64', int, int, int), binary('modulo_uint64', uint, uint, uint)),
  singleton(
    operators.multiply,
    multiply,
    binary('multiply_double', double, double, double),
    binary('multiply_int64', int, int, int),
    binary('multiply_uint64', uint, uint, uint),
  ),
  singleton(
    operators.negate,
    negate,
    overload('negate_double', [double], double),
    overload('negate_int64', [int], int),
  ),
  singleton(
    operators.subtract,
    subtract,
    binary('subtract_double', double, double, double),
    binary('subtract_duration_duration', duration, duration, duration),
    binary('subtract_int64', int, int, int),
    binary('subtract_timestamp_duration', timestamp, duration, timestamp),
    binary('subtract_timestamp_timestamp', timestamp, timestamp, duration),
    binary('subtract_uint64', uint, uint, uint),
  ),
  relation(operators.less, 'less', order => order < 0),
  relation(operators.lessEquals, 'less_equals', order => order <= 0),
  relation(operators.greater, 'greater', order => order > 0),
  relation(operators.greaterEquals, 'greater_equals', order => order >= 0),
  fn(operators.index, overload('index_list', [listOfA, int], a), overload('index_map', [mapOfAB, a], b)),
  singleton(operators.in, contains, overload('in_list', [a, listOfA], bool), overload('in_map', [a, mapOfAB], bool)),
];

const valueFunctions: Library = [
  singleton(
    'size',
    size,
    overload('size_bytes', [bytes], int),
    method('bytes_size', [bytes], int),
    overload('size_list', [listOfA], int),
    method('list_size', [listOfA], int),
    overload('size_map', [mapOfAB], int),
    method('map_size', [mapOfAB], int),
    overload('size_string', [string], int),
    method('string_size', [string], int),
  ),
  singleton('type', (value: Value): Value => typeOfValue(value), overload('type', [a], typeOf(a))),
  text('contains', 'contains_string', (whole, piece) => whole.includes(piece)),
  text('endsWith', 'ends_with_string', (whole, piece) => whole.endsWith(piece)),
  text('startsWith', 'starts_with_string', (whole, piece) => whole.startsWith(piece)),
  ...matchesLibrary,
];

const timeFunctions: Library = [
  fn('getFullYear', ...part('getFullYear', 'timestamp_to_year')),
  fn('getMonth', ...part('getMonth', 'timestamp_to_month')),
  fn('getDayOfYear', ...part('getDayOfYear', 'timestamp_to_day_of_year')),
  fn('getDayOfMonth', ...part('getDayOfMonth', 'timestamp_to_day_of_month')),
  fn('getDate', ...part('getDate', 'timestamp_to_day_of_month_1_based')),
  fn('getDayOfWeek', ...part('getDayOfWeek', 'timestamp_to_day_of_week')),
  fn('getHours', ...part('getHours', 'timestamp_to_hours'), durationPart('duration_to_hours', 3_600_000_000_000n)),
  fn('getMinutes', ...part('getMinutes', 'timestamp_to_minutes'), durationPart('duration_to_minutes', 60_000_000_000n)),
  fn(
    'getSeconds',
    ...part('getSeconds', 'timestamp_to_seconds', 'timestamp_to_seconds_tz'),
    durationPart('duration_to_seconds', 1_000_000_000n),
  ),
  fn(
    'getMilliseconds',
    ...part('getMilliseconds', 'timestamp_to_milliseconds'),
    durationPart('duration_to_milliseconds', 1_000_000n),
  ),
];

/** What transformMap and transformMapEntry collect with. */
const mapInsertion: Library = [
  fn(
    'cel.@mapInsert',
    overload(
      '@mapInsert_map_key_value',
      [mapOf(param('K'), param('V')), param('K'), param('V')],
      mapOf(param('K'), param('V')),
      insert,
    ),
    overload(
      '@mapInsert_map_map',
      [mapOf(param('K'), param('V')), mapOf(param('K'), param('V'))],
      mapOf(param('K'), param('V')),
      insertAll,
    ),
  ),
];

function insert(map: MapValue, key: Value, value: Value): Value {
  if (map.find(key) !== undefined) {
    return new CelError(`insert failed: key ${describeValue(key)} already exists`);
  }
  if (map instanceof GrowingMap) {
    map.insert(key, value);
    return map;
  }
  const copy = new GrowingMap();
  for (const known of map.keys()) copy.insert(known, map.find(known) as Value);
  copy.insert(key, value);
  return copy;
}

function insertAll(map: MapValue, more: MapValue): Value {
  let result: Value = map;
  for (const key of more.keys()) {
    result = insert(result as MapValue, key, more.find(key) as Value);
    if (result instanceof CelError) return result;
  }
  return result;
}

export const standardLibrary: Library = [
  ...operatorFunctions,
  ...valueFunctions,
  ...conversions,
  ...timeFunctions,
  ...mapInsertion,
];
