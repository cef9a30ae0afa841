/**
 * Types of expressions, and how messages write them. Upstream: cel-go common/types/types.go, checker/format.go.
 */

export type TypeKind =
  | 'any'
  | 'bool'
  | 'bytes'
  | 'double'
  | 'duration'
  | 'dyn'
  | 'error'
  | 'int'
  | 'list'
  | 'map'
  | 'null'
  | 'opaque'
  | 'string'
  | 'struct'
  | 'timestamp'
  | 'type'
  | 'param'
  | 'uint';

/** A type. Immutable; compared with {@link sameType}. Types are also values: `type(1) == int`. */
export class Type {
  readonly kind: TypeKind;
  /** The name at run time: `int`, `list`, `google.protobuf.Duration`, `kubernetes.Quantity`. */
  readonly name: string;
  readonly params: readonly Type[];
  /** A wrapper type, that null is assignable to. */
  readonly nullable: boolean;

  constructor(kind: TypeKind, name: string, params: readonly Type[] = [], nullable = false) {
    this.kind = kind;
    this.name = name;
    this.params = params;
    this.nullable = nullable;
  }

  /** As messages show it: `list(string)`, `map(string, int)`. */
  toString(): string {
    switch (this.kind) {
      case 'any':
      case 'duration':
      case 'null':
      case 'timestamp':
        return this.kind;
      case 'error':
        return '!error!';
      case 'param':
        return this.name;
      default: {
        const name = this.nullable && this.params.length === 0 ? `wrapper(${this.name})` : this.name;
        return this.params.length === 0 ? name : `${name}(${this.params.join(', ')})`;
      }
    }
  }
}

export const types: Readonly<
  Record<
    | 'any'
    | 'bool'
    | 'bytes'
    | 'double'
    | 'duration'
    | 'dyn'
    | 'error'
    | 'int'
    | 'null'
    | 'string'
    | 'timestamp'
    | 'type'
    | 'uint',
    Type
  >
> = {
  any: new Type('any', 'google.protobuf.Any'),
  bool: new Type('bool', 'bool'),
  bytes: new Type('bytes', 'bytes'),
  double: new Type('double', 'double'),
  duration: new Type('duration', 'google.protobuf.Duration'),
  dyn: new Type('dyn', 'dyn'),
  error: new Type('error', 'error'),
  int: new Type('int', 'int'),
  null: new Type('null', 'null_type'),
  string: new Type('string', 'string'),
  timestamp: new Type('timestamp', 'google.protobuf.Timestamp'),
  type: new Type('type', 'type'),
  uint: new Type('uint', 'uint'),
};

export const listOf = (element: Type): Type => new Type('list', 'list', [element]);
export const mapOf = (key: Type, value: Type): Type => new Type('map', 'map', [key, value]);
export const optionalOf = (value: Type): Type => new Type('opaque', 'optional_type', [value]);
export const opaque = (name: string, ...params: Type[]): Type => new Type('opaque', name, params);
export const structType = (name: string): Type => new Type('struct', name);
export const typeOf = (value: Type): Type => new Type('type', 'type', [value]);
export const param = (name: string): Type => new Type('param', name);
export const wrapper = (of: Type): Type => new Type(of.kind, of.name, of.params, true);

/** A list or map of anything: what these types are as values. */
export const anyList: Type = listOf(types.dyn);
export const anyMap: Type = mapOf(types.dyn, types.dyn);
export const anyOptional: Type = optionalOf(types.dyn);

/** Exactly the same type, names of parameters included. */
export function sameType(left: Type, right: Type): boolean {
  if (left === right) return true;
  return (
    left.kind === right.kind &&
    left.name === right.name &&
    left.params.length === right.params.length &&
    left.params.every((one, index) => sameType(one, right.params[index] as Type))
  );
}

/** Anything may be assigned to it without a check. */
export const isDyn = (type: Type): boolean => type.kind === 'dyn' || type.kind === 'any';
export const isDynOrError = (type: Type): boolean => isDyn(type) || type.kind === 'error';
export const isOptional = (type: Type): boolean => type.kind === 'opaque' && type.name === 'optional_type';

/** The arguments of a call as messages show them: `(int, string)`, `string.(int)` for a call on a receiver. */
export function formatArguments(args: readonly Type[], receiver: boolean): string {
  const [first, ...rest] = args;
  return receiver ? `${first}.(${rest.join(', ')})` : `(${args.join(', ')})`;
}
