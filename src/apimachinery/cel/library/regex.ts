/**
 * Functions with regular expressions; constant ones are compiled once a program. Upstream: cel-go
 * interpreter/optimizations.go, k8s.io/apiserver pkg/cel/library/regex.go.
 */
import type { RE2JS } from '@bufbuild/re2';
import { compileRegex } from '../../schema/regex.ts';
import { fn, type Library, method, overload, singleton } from '../check/declarations.ts';
import { listOf, types } from '../check/types.ts';
import { Cancelled } from '../values/cancelled.ts';
import { ArrayList, CelError, noSuchOverload, type Value } from '../values/value.ts';
import { findMatches } from './regex-search.ts';

const { bool, int, string } = types;

const compile = (pattern: string): RE2JS => compileRegex(pattern) as RE2JS;

/** What a function does once its pattern is known. */
type Matching = (regex: RE2JS, text: string, limit?: bigint) => Value;

const test: Matching = (regex, text) => regex.test(text);
const find: Matching = (regex, text) => findMatches(regex, text, 1)[0] ?? '';
const findAll: Matching = (regex, text, limit = -1n) => new ArrayList(findMatches(regex, text, Number(limit)));

/** A function whose pattern is known only when it runs. */
const dynamic =
  (matching: Matching, prefix: string) =>
  (text: Value, pattern: Value, limit?: bigint): Value => {
    if (typeof text !== 'string' || typeof pattern !== 'string') return noSuchOverload;
    try {
      return matching(compile(pattern), text, limit);
    } catch (error) {
      if (error instanceof Cancelled) throw error;
      return new CelError(prefix + (error as Error).message);
    }
  };

const matchings: Readonly<Record<string, Matching>> = { matches: test, find, findAll };

/** The implementation of a function whose pattern is constant; undefined for other functions. Throws on bad patterns. */
export function constantPattern(name: string, pattern: unknown): ((...args: any[]) => Value) | undefined {
  const matching = Object.hasOwn(matchings, name) ? matchings[name] : undefined;
  if (matching === undefined || typeof pattern !== 'string') return undefined;
  const regex = compile(pattern);
  return (text: Value, _pattern: Value, limit?: bigint) =>
    typeof text === 'string' ? matching(regex, text, limit) : noSuchOverload;
}

/** Part of the standard functions. */
export const matchesLibrary: Library = [
  singleton(
    'matches',
    dynamic(test, ''),
    overload('matches', [string, string], bool),
    method('matches_string', [string, string], bool),
  ),
];

/** The regex library of Kubernetes. */
export const regexLibrary: Library = [
  fn('find', method('string_find_string', [string, string], string, dynamic(find, 'Illegal regex: '))),
  fn(
    'findAll',
    method('string_find_all_string', [string, string], listOf(string), dynamic(findAll, 'Illegal regex: ')),
    method('string_find_all_string_int', [string, string, int], listOf(string), dynamic(findAll, 'Illegal regex: ')),
  ),
];
