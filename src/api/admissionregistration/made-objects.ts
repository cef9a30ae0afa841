/**
 * What the expressions of mutating policies make: `Object{…}` with types named after the path of each field, and
 * `JSONPatch{…}`. Upstream: apiserver pkg/cel/mutation/{typeresolver,jsonpatch}.go, mutation/dynamic/objects.go.
 */
import {
  ListValue,
  listOf,
  MapValue,
  ObjectValue,
  type StructProvider,
  structType,
  type Type,
  types,
  type Value,
} from '#apimachinery/cel';

const objectName = 'Object';
const patchName = 'JSONPatch';
export const objectType: Type = structType(objectName);
export const patchListType: Type = listOf(structType(patchName));

/** An object, or a part of one, as an expression made it. */
export class MadeObject extends ObjectValue {
  readonly type: Type;
  readonly fields: ReadonlyMap<string, Value>;

  constructor(name: string, fields: ReadonlyMap<string, Value>) {
    super();
    this.type = structType(name);
    this.fields = fields;
  }

  equals(other: ObjectValue): boolean {
    return other === this;
  }

  override field(name: string): Value | undefined {
    return this.fields.get(name);
  }
}

/** One operation of a JSON patch. */
export class MadePatch extends MadeObject {}

export const madeObjects: StructProvider = {
  typeNamed: name =>
    name === patchName || name === objectName || name.startsWith(`${objectName}.`) ? structType(name) : undefined,
  field(struct, field) {
    if (struct === patchName) return field === 'value' ? types.dyn : types.string;
    return types.dyn;
  },
  construct: (name, fields) => (name === patchName ? new MadePatch(name, fields) : new MadeObject(name, fields)),
};

/** Why the types of an object's parts are not named after their places; undefined when they are. */
export function misnamed(value: Value, path: readonly string[] = [objectName]): string | undefined {
  const problems: string[] = [];
  const check = (each: Value, at: readonly string[]): void => {
    if (each instanceof MadeObject) {
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

/** A value as JSON. Throws for what has no such form. */
export function jsonOf(value: Value): unknown {
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number')
    return value;
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof MadeObject)
    return Object.fromEntries([...value.fields].map(([name, each]) => [name, jsonOf(each)]));
  if (value instanceof ListValue) return [...value].map(jsonOf);
  if (value instanceof MapValue) {
    return Object.fromEntries(
      [...value.keys()].map(key => {
        if (typeof key !== 'string') throw new Error(`map key ${JSON.stringify(String(key))} is not string`);
        return [key, jsonOf(value.find(key)!)];
      }),
    );
  }
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  throw new Error('unsupported conversion to JSON');
}
