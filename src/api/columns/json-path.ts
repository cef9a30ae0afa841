/**
 * JSONPath as printer columns and kubectl use it: fields, indexes, slices, unions, wildcards, filters, recursive descent.
 * Upstream: client-go util/jsonpath (parser.go, jsonpath.go).
 *
 * Deviation: wildcards go through objects by sorted key (upstream: by chance), and 1 equals 1.0 in filters.
 */

type Step = (input: readonly unknown[]) => unknown[];

/** A path that cannot be read, or that does not fit the value. Messages are upstream's. */
export class JsonPathError extends Error {
  override readonly name = 'JsonPathError';
}

/** A path, ready to be applied. */
export interface JsonPath {
  /** What the path finds, in order; nothing where a field is missing. Throws JsonPathError where a step does not fit. */
  find(value: unknown): unknown[];
}

/** Reads a path as `.spec.list[?(@.name=="a")].value`, without braces. Throws JsonPathError. */
export function parseJsonPath(text: string): JsonPath {
  const steps = new PathParser(text).steps();
  return { find: value => steps.reduce<unknown[]>((found, step) => step(found), [value]) };
}

const terminators = new Set([' ', '\t', '\r', '\n', '.', ',', '[', ']', '$', '@', '{', '}', '']);
const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** What stands in a value: items of a list, values of an object, bytes of a text. */
function children(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  if (typeof value === 'string') return [...Buffer.from(value)];
  if (!isObject(value)) return [];
  return Object.keys(value)
    .sort()
    .map(key => value[key]);
}

const wildcard: Step = input => input.flatMap(children);

const recursive: Step = input =>
  input.flatMap(value => {
    const below = children(value);
    return below.length === 0 ? [] : [value, ...recursive(below)];
  });

function field(name: string): Step {
  return input => input.flatMap(value => (isObject(value) && Object.hasOwn(value, name) ? [value[name]] : []));
}

function constant(value: unknown): Step {
  return input => (input.length === 0 ? [] : [value]);
}

/** It can be read, but not be applied. */
function unknownIdentifier(word: string): Step {
  return () => {
    throw new JsonPathError(`unrecognized identifier ${word}`);
  };
}

interface Slice {
  readonly from: number | undefined;
  readonly to: number | undefined;
  /** An index alone: `to` is the one after it. */
  readonly single: boolean;
  readonly step: number | undefined;
}

function slice({ from, to, single, step = 1 }: Slice): Step {
  return input =>
    input.flatMap(value => {
      if (value === null || value === undefined) return [];
      if (!Array.isArray(value)) throw new JsonPathError('value is not array or slice');
      const { length } = value;
      let begin = from ?? 0;
      if (begin < 0) begin += length;
      let end = single ? (from ?? 0) + 1 : (to ?? length);
      if (end < 0 || (end === 0 && single)) end += length;
      if (begin === end) return [];
      if (begin >= length || begin < 0) {
        throw new JsonPathError(`array index out of bounds: index ${begin}, length ${length}`);
      }
      if (end > length || end < 0) {
        throw new JsonPathError(`array index out of bounds: index ${end - 1}, length ${length}`);
      }
      if (begin > end) throw new JsonPathError(`starting index ${begin} is greater than ending index ${end}`);
      if (step <= 0) throw new JsonPathError('step must be > 0');
      return value.slice(begin, end).filter((_, at) => at % step === 0);
    });
}

const comparisons: Readonly<Record<string, (left: never, right: never) => boolean>> = {
  '==': (left, right) => left === right,
  '!=': (left, right) => left !== right,
  '<': (left, right) => left < right,
  '>': (left, right) => left > right,
  '<=': (left, right) => left <= right,
  '>=': (left, right) => left >= right,
};

function filter(left: readonly Step[], operator: string, right: readonly Step[]): Step {
  const run = (steps: readonly Step[], value: unknown): unknown[] =>
    steps.reduce<unknown[]>((found, step) => step(found), [value]);
  const one = (found: readonly unknown[]): unknown => {
    if (found.length > 1) throw new JsonPathError('can only compare one element at a time');
    return found[0];
  };
  const passes = (item: unknown): boolean => {
    const lefts = run(left, item);
    if (operator === 'exists') return lefts.length > 0;
    const rights = run(right, item);
    if (lefts.length === 0 || rights.length === 0) return false;
    const [a, b] = [one(lefts), one(rights)];
    if (typeof a !== typeof b) throw new JsonPathError('incompatible types for comparison');
    const compare = comparisons[operator];
    if (!compare) throw new JsonPathError(`unrecognized filter operator ${operator}`);
    return compare(a as never, b as never);
  };
  return input =>
    input.flatMap(value => {
      if (!Array.isArray(value)) throw new JsonPathError('value is not array or slice and cannot be filtered');
      return value.filter(passes);
    });
}

/** Reads one path from left to right. */
class PathParser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  steps(): Step[] {
    const found: Step[] = [];
    let descended = false;
    while (this.#at < this.#text.length) {
      const isDescent = this.#starts('..');
      if (isDescent && descended) throw new JsonPathError('invalid multiple recursive descent');
      descended = isDescent;
      found.push(...this.#next());
    }
    return found;
  }

  #starts(prefix: string): boolean {
    return this.#text.startsWith(prefix, this.#at);
  }

  #next(): Step[] {
    if (this.#starts('[?(')) return [this.#filter()];
    if (this.#starts('..')) {
      this.#at += 2;
      return /[\w*]/.test(this.#text[this.#at] ?? '') ? [recursive, this.#field()] : [recursive];
    }
    const char = this.#text[this.#at]!;
    if (char === ' ' || char === '@' || char === '$') {
      this.#at++;
      return [];
    }
    if (char === '[') return [this.#array()];
    if (char === '"' || char === "'") return [constant(this.#quoted(char))];
    if (char === '.') {
      this.#at++;
      return [this.#field()];
    }
    const number = this.#text.slice(this.#at).match(/^[+-]?[\d.]+/)?.[0];
    if (number) {
      this.#at += number.length;
      return [constant(Number(number))];
    }
    if (!/[\p{L}\p{Nd}_]/u.test(char)) {
      const code = char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
      throw new JsonPathError(`unrecognized character in action: U+${code} '${char}'`);
    }
    const word = this.#word();
    return [word === 'true' || word === 'false' ? constant(word === 'true') : unknownIdentifier(word)];
  }

  /** Up to the next terminator; a backslash keeps the character after it. */
  #word(): string {
    const begin = this.#at;
    while (!terminators.has(this.#text[this.#at] ?? '')) this.#at += this.#text[this.#at] === '\\' ? 2 : 1;
    return this.#text.slice(begin, this.#at);
  }

  #field(): Step {
    const word = this.#word();
    return word === '*' ? wildcard : field(word.replaceAll('\\', ''));
  }

  #quoted(quote: string): string {
    const begin = ++this.#at;
    while (this.#text[this.#at] !== quote || this.#text[this.#at - 1] === '\\') {
      if (this.#at >= this.#text.length) throw new JsonPathError('unterminated quoted string');
      this.#at++;
    }
    return this.#text.slice(begin, this.#at++).replace(/\\(.)/g, '$1');
  }

  #array(): Step {
    const end = this.#text.indexOf(']', this.#at);
    if (end < 0) throw new JsonPathError('unterminated array');
    const inner = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    if (inner === '*') return slice({ from: undefined, to: undefined, single: false, step: undefined });
    const parts = inner.split(',');
    if (parts.length > 1) {
      const union = parts.map(part => new PathParser(`[${part.trim()}]`).steps());
      return input => union.flatMap(steps => steps.reduce<unknown[]>((found, step) => step(found), [...input]));
    }
    const key = inner.match(/^'([^']*)'$/);
    if (key) {
      const steps = new PathParser(`.${key[1]}`).steps();
      return input => steps.reduce<unknown[]>((found, step) => step(found), [...input]);
    }
    const range = inner.match(/^(-?\d*)(:-?\d*)?(:-?\d*)?$/);
    if (!range) throw new JsonPathError(`invalid array index ${inner}`);
    const numberOf = (text: string | undefined): number | undefined => {
      const digits = text?.replace(':', '');
      return digits ? Number(digits) : undefined;
    };
    const [, from, to, step] = range;
    return slice({ from: numberOf(from), to: numberOf(to), single: to === undefined, step: numberOf(step) });
  }

  #filter(): Step {
    const begin = this.#at + 3;
    let quote = '';
    let end = begin;
    for (; end < this.#text.length; end++) {
      const char = this.#text[end]!;
      if (quote) {
        if (char === quote && this.#text[end - 1] !== '\\') quote = '';
      } else if (char === '"' || char === "'") quote = char;
      else if (char === ')') break;
    }
    if (end >= this.#text.length) throw new JsonPathError('unterminated filter');
    if (this.#text[end + 1] !== ']') throw new JsonPathError('unclosed array expect ]');
    const inner = this.#text.slice(begin, end);
    this.#at = end + 2;
    const parts = inner.match(/^([^!<>=]+)([!<>=]+)(.+)$/);
    if (!parts) return filter(new PathParser(inner).steps(), 'exists', []);
    return filter(new PathParser(parts[1]!).steps(), parts[2]!, new PathParser(parts[3]!).steps());
  }
}
