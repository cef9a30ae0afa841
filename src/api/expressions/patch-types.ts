/**
 * The types that mutations make: `Object`, whose every field has a type of its own name, and `JSONPatch`. Upstream:
 * k8s.io/apiserver pkg/cel/mutation/{typeresolver,jsonpatch}.go, pkg/cel/mutation/dynamic/objects.go.
 */
import {
  CelError,
  type Environment,
  equal,
  jsonPatchLibrary,
  newBaseEnvironment,
  ObjectValue,
  type StructTypes,
  structType,
  type Type,
  types,
  type Value,
} from '#apimachinery/cel';
import { once } from './base.ts';

const objectName = 'Object';
const patchName = 'JSONPatch';

/** A struct that an expression made: fields by name, in the order in which they were written. */
export class MadeStruct extends ObjectValue {
  readonly type: Type;
  readonly fields: ReadonlyMap<string, Value>;

  constructor(name: string, fields: ReadonlyMap<string, Value>) {
    super();
    this.type = structType(name);
    this.fields = fields;
  }

  override equals(other: ObjectValue): boolean {
    const { fields } = other as MadeStruct;
    const same = (name: string, value: Value): boolean => fields.has(name) && equal(value, fields.get(name)!) === true;
    return fields.size === this.fields.size && [...this.fields].every(([name, value]) => same(name, value));
  }

  override beside(): boolean {
    return false;
  }
}

const patchFields: ReadonlyMap<string, Type> = new Map([
  ...['op', 'path', 'from'].map((name): [string, Type] => [name, types.string]),
  ['value', types.dyn],
]);

const patchTypes: StructTypes = {
  has: name => name === patchName || name === objectName || name.startsWith(`${objectName}.`),
  field(name, field) {
    // Upstream finds every field of a patch, those that there are not with no type.
    if (name === patchName) return patchFields.get(field) ?? structType('');
    return patchTypes.has(name) ? types.dyn : undefined;
  },
  construct(name, fields) {
    for (const field of name === patchName ? ['op', 'path', 'from'] : []) {
      const value = fields.get(field);
      if (value === undefined || typeof value === 'string') continue;
      return new CelError(`unexpected type ${typeof value} for JSONPatchType '${field}' field`);
    }
    return new MadeStruct(name, fields);
  },
};

export const patchEnvironment: () => Environment = once(() =>
  newBaseEnvironment([jsonPatchLibrary]).with({ structs: patchTypes }),
);
