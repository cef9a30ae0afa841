/**
 * What the expressions of mutating policies made, checked and as JSON. Upstream: apiserver
 * pkg/cel/mutation/dynamic/objects.go.
 */
import { MadeStruct } from '#api/expressions';
import { GoNative } from '#apimachinery';
import {
  Duration,
  ListValue,
  MapValue,
  ObjectValue,
  Optional,
  Timestamp,
  typeOfValue,
  Uint,
  type Value,
} from '#apimachinery/cel';

/** A value that has no form in JSON. */
export class NoJson extends Error {
  override readonly name = 'NoJson';
}

/** Why the types of an object's parts are not named after their places; undefined when they are. */
export function misnamed(value: Value, path: readonly string[] = ['Object']): string | undefined {
  const problems: string[] = [];
  const check = (each: Value, at: readonly string[]): void => {
    if (each instanceof MadeStruct) {
      const expected = at.join('.');
      if (each.type.name !== expected) {
        problems.push(
          `unexpected type name "${each.type.name}", expected "${expected}", which matches field name path from root Object type`,
        );
      }
      for (const [name, field] of each.fields) check(field, [...at, name]);
    } else if (each instanceof ListValue) for (const item of each) check(item, at);
    else if (each instanceof MapValue) for (const key of each.keys()) check(each.find(key)!, at);
  };
  check(value, path);
  return problems.length > 0 ? problems.join('\n') : undefined;
}

/**
 * A value as JSON. Throws for what has no such form. `nothing`: what null becomes; in apply configurations upstream
 * makes it the number by which protobuf knows it.
 */
export function jsonOf(value: Value, nothing: null | 0 = null): unknown {
  if (value === null) return nothing;
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') return value;
  if (typeof value === 'bigint') return nothing === 0 ? exactNumber(value) : wholeNumber(value);
  if (value instanceof MadeStruct)
    return Object.fromEntries([...value.fields].map(([name, each]) => [name, jsonOf(each, nothing)]));
  if (value instanceof ListValue) return [...value].map(each => jsonOf(each, nothing));
  if (value instanceof MapValue) {
    return Object.fromEntries(
      [...value.keys()].map(key => {
        if (typeof key !== 'string')
          throw new NoJson(`unsupported type conversion from '${typeOfValue(key).name}' to string`);
        return [key, jsonOf(value.find(key)!, nothing)];
      }),
    );
  }
  if (nothing === 0) return nativeOf(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  return otherJson(value, nothing);
}

/** Apply configurations hold Go's own values, which no schema takes; errors show them. */
function nativeOf(value: Value): unknown {
  if (value instanceof Uint8Array) {
    const bytes = [...value].map(byte => `0x${byte.toString(16)}`);
    return new GoNative(`[]uint8{${bytes.join(', ')}}`);
  }
  if (value instanceof Duration) return Number(value.nanos);
  if (value instanceof Timestamp) return new GoNative(goDate(value));
  return otherJson(value, 0);
}

function goDate(time: Timestamp): string {
  const date = new Date(Number(time.unixSeconds) * 1000);
  const month = date.toLocaleString('en-US', { month: 'long', timeZone: 'UTC' });
  const clock = [date.getUTCDate(), date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].join(', ');
  const nanos = time.nanos - time.unixSeconds * 1_000_000_000n;
  return `time.Date(${date.getUTCFullYear()}, time.${month}, ${clock}, ${nanos}, time.UTC)`;
}

const exactNumber = (value: bigint): number | bigint => (Number.isSafeInteger(Number(value)) ? Number(value) : value);

/** In patches integers that a double does not hold are strings. */
const wholeNumber = (value: bigint): number | string =>
  Number.isSafeInteger(Number(value)) ? Number(value) : String(value);

/** Upstream: ConvertToNative of each type. */
function otherJson(value: Value, nothing: null | 0): unknown {
  if (value instanceof Uint) return wholeNumber(value.value);
  if (value instanceof Duration || value instanceof Timestamp) return String(value);
  if (value instanceof Optional) {
    if (value.value === undefined) throw new NoJson('optional.none() dereference');
    return jsonOf(value.value, nothing);
  }
  if (value instanceof ObjectValue) {
    const name = value.type.name.slice(value.type.name.lastIndexOf('.') + 1);
    throw new NoJson(`type conversion error from '${goNames[name] ?? name}' to '*structpb.Value'`);
  }
  throw new NoJson("type conversion not supported for 'type'");
}

/** Types that upstream's Go names otherwise. */
const goNames: Readonly<Record<string, string>> = { NamedFormat: 'Format' };
