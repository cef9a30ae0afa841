/** The base environment of all expressions of built-in kinds, made when the first is compiled. Immutable. */
import { type Environment, newBaseEnvironment } from '#apimachinery/cel';

/** A function that calls `make` at most once. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

export const baseEnvironment: () => Environment = once(newBaseEnvironment);
