/**
 * Calls of functions: the overload that the checker found, or the first one that fits the values. Upstream: cel-go
 * common/decls/decls.go (Bindings), interpreter/interpretable.go.
 */
import type { FunctionDeclaration, Implementation, Overload } from '../check/declarations.ts';
import { Type } from '../check/types.ts';
import { CelError, ListValue, MapValue, Optional, typeOfValue, type Value } from '../values/value.ts';

/** The implementation of a call whose overloads the checker has narrowed to `ids`. */
export function implementation(declaration: FunctionDeclaration, ids: readonly string[]): Implementation {
  if (declaration.run !== undefined) return declaration.run;
  const [only] = ids;
  const chosen = ids.length === 1 ? declaration.overloads.find(one => one.id === only) : undefined;
  const candidates = (chosen === undefined ? declaration.overloads : [chosen]).filter(one => one.run !== undefined);
  return (...args: Value[]): Value => {
    for (const candidate of candidates) {
      if (fits(candidate, args)) return (candidate.run as Implementation)(...args);
    }
    return noMatchingOverload(declaration.name, args);
  };
}

function fits(overload: Overload, args: readonly Value[]): boolean {
  return overload.args.length === args.length && args.every((arg, index) => isOf(arg, overload.args[index] as Type));
}

/** Whether a value has a type, as far as a look at its first element tells. */
export function isOf(value: Value, type: Type): boolean {
  switch (type.kind) {
    case 'dyn':
    case 'any':
    case 'param':
      return true;
    case 'list': {
      if (!(value instanceof ListValue)) return false;
      return value.size === 0 || isOf(value.at(0), type.params[0] as Type);
    }
    case 'map':
      return value instanceof MapValue && firstEntryIsOf(value, type);
    case 'type':
      return value instanceof Type;
    case 'opaque':
      return value instanceof Optional ? type.name === 'optional_type' : typeOfValue(value).name === type.name;
    default:
      return typeOfValue(value).name === type.name || (type.nullable && value === null);
  }
}

function firstEntryIsOf(map: MapValue, type: Type): boolean {
  const [keyType, valueType] = type.params as [Type, Type];
  for (const key of map.keys()) return isOf(key, keyType) && isOf(map.find(key) as Value, valueType);
  return true;
}

/** The error for arguments that no overload takes; an error among them comes first. */
function noMatchingOverload(name: string, args: readonly Value[]): CelError {
  const error = args.find(arg => arg instanceof CelError);
  if (error !== undefined) return error as CelError;
  return new CelError(`no such overload: ${name}(${args.map(arg => typeOfValue(arg).name).join(', ')})`);
}
