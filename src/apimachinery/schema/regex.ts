/**
 * Regular expressions that users write: RE2's syntax and linear time, Go's texts. The engine is loaded when the first
 * one is compiled.
 */
import { createRequire } from 'node:module';

/** A compiled expression. */
export interface Regex {
  /** Whether it matches anywhere in `text`. */
  test(text: string): boolean;
}

const load = createRequire(import.meta.url);

/** Compiles an expression. Throws an Error with Go's text: error parsing regexp: … */
export function compileRegex(pattern: string): Regex {
  const { RE2JS } = load('@bufbuild/re2') as typeof import('@bufbuild/re2');
  return RE2JS.compile(pattern);
}

/** What Go says is wrong with an expression; undefined when it compiles. */
export function regexFault(pattern: string): string | undefined {
  try {
    compileRegex(pattern);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Expressions by their pattern, each compiled when it is first asked for. */
export class Patterns {
  readonly #compiled = new Map<string, Regex | string>();

  /** The expression; a text when there is none, with what Go says is wrong. */
  get(pattern: string): Regex | string {
    let regex = this.#compiled.get(pattern);
    if (regex === undefined) {
      try {
        regex = compileRegex(pattern);
      } catch (error) {
        regex = (error as Error).message;
      }
      this.#compiled.set(pattern, regex);
    }
    return regex;
  }
}
