/**
 * What the expressions of mutating policies made, checked and as JSON. Upstream: apiserver
 * pkg/cel/mutation/dynamic/objects.go.
 */
import { MadeStruct } from '#api/expressions';
import { Duration, ListValue, MapValue, ObjectValue, Optional, Timestamp, Uint, type Value } from '#apimachinery/cel';

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
  if (typeof value === 'bigint') return wholeNumber(value);
  if (value instanceof MadeStruct)
    return Object.fromEntries([...value.fields].map(([name, each]) => [name, jsonOf(each, nothing)]));
  if (value instanceof ListValue) return [...value].map(each => jsonOf(each, nothing));
  if (value instanceof MapValue) {
    return Object.fromEntries(
      [...value.keys()].map(key => {
        if (typeof key !== 'string') throw new Error(`map key ${JSON.stringify(String(key))} is not string`);
        return [key, jsonOf(value.find(key)!, nothing)];
      }),
    );
  }
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  return otherJson(value, nothing);
}

/** Integers that a double does not hold are strings. */
const wholeNumber = (value: bigint): number | string =>
  Number.isSafeInteger(Number(value)) ? Number(value) : String(value);

/** Upstream: ConvertToNative of each type. */
function otherJson(value: Value, nothing: null | 0): unknown {
  if (value instanceof Uint) return wholeNumber(value.value);
  if (value instanceof Duration || value instanceof Timestamp) return String(value);
  if (value instanceof Optional) {
    if (value.value === undefined) throw new Error('optional.none() dereference');
    return jsonOf(value.value, nothing);
  }
  if (value instanceof ObjectValue) {
    const name = value.type.name.slice(value.type.name.lastIndexOf('.') + 1);
    throw new Error(`type conversion error from '${goNames[name] ?? name}' to '*structpb.Value'`);
  }
  throw new Error("type conversion not supported for 'type'");
}

/** Types that upstream's Go names otherwise. */
const goNames: Readonly<Record<string, string>> = { NamedFormat: 'Format' };
