/**
 * Declarations of functions: overloads with their types, and what they do. A library is a list of them. Upstream:
 * cel-go common/decls/decls.go.
 */

import type { Value } from '../values/value.ts';
import type { Type } from './types.ts';

/** What a function does with evaluated arguments (the receiver first). An error is a value too. */
export type Implementation = (...args: any[]) => Value;

/** One signature of a function. */
export interface Overload {
  readonly id: string;
  readonly receiver: boolean;
  /** The receiver's type first. */
  readonly args: readonly Type[];
  readonly result: Type;
  /** Names of the type parameters in it. */
  readonly params: readonly string[];
  /** Undefined: the function's own, or the interpreter knows it. */
  readonly run: Implementation | undefined;
}

/** A function with all its signatures. */
export interface FunctionDeclaration {
  readonly name: string;
  readonly overloads: readonly Overload[];
  /** Serves every overload, whatever the arguments are: it checks them itself. */
  readonly run: Implementation | undefined;
}

/** Functions that are added to an environment together. */
export type Library = readonly FunctionDeclaration[];

function paramNames(types: readonly Type[]): string[] {
  const names = types.flatMap(type => (type.kind === 'param' ? [type.name] : paramNames(type.params)));
  return [...new Set(names)];
}

/** A signature of a free function. */
export function overload(id: string, args: readonly Type[], result: Type, run?: Implementation): Overload {
  return { id, receiver: false, args, result, params: paramNames([result, ...args]), run };
}

/** A signature of a function on a receiver, which is the first argument. */
export function method(id: string, args: readonly Type[], result: Type, run?: Implementation): Overload {
  return { id, receiver: true, args, result, params: paramNames([result, ...args]), run };
}

/** A function whose overloads each do their own. */
export function fn(name: string, ...overloads: Overload[]): FunctionDeclaration {
  return { name, overloads, run: undefined };
}

/** A function that does the same for all overloads. */
export function singleton(name: string, run: Implementation, ...overloads: Overload[]): FunctionDeclaration {
  return { name, overloads, run };
}

/** All functions by name; overloads of the same name are joined in order. */
export function joinLibraries(libraries: readonly Library[]): Map<string, FunctionDeclaration> {
  const functions = new Map<string, FunctionDeclaration>();
  for (const declaration of libraries.flat()) {
    const before = functions.get(declaration.name);
    functions.set(declaration.name, before === undefined ? declaration : join(before, declaration));
  }
  return functions;
}

function join(before: FunctionDeclaration, more: FunctionDeclaration): FunctionDeclaration {
  const known = new Set(before.overloads.map(one => one.id));
  const added = more.overloads.filter(one => !known.has(one.id));
  return { name: before.name, overloads: [...before.overloads, ...added], run: before.run ?? more.run };
}
