/**
 * Paths such as `.spec.names['a b']` into a schema: those of CEL rules and of selectable fields.
 * Upstream: apiextensions-apiserver pkg/apiserver/schema/cel/validation.go, ValidFieldPath.
 */
import { FieldPath } from '../field.ts';
import type { Structural } from './json-schema.ts';

export interface FoundPath {
  /** As errors show it; undefined for the empty path. */
  readonly path: FieldPath;
  /** Steps of the path, unescaped. */
  readonly steps: readonly string[];
  readonly schema: Structural;
}

const escapes: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  "'": "'",
  '\\': '\\',
};

/** Delimiters, quoted strings, and what stands between them. */
function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  for (let at = 0; at < text.length; ) {
    const rest = text.slice(at);
    // An unclosed quote swallows the rest.
    const token = rest.startsWith("'") ? (/^'(?:[^']|(?<=\\)')*'/.exec(rest)?.[0] ?? rest) : firstToken(rest);
    tokens.push(token);
    at += token.length;
  }
  return tokens;
}

function firstToken(text: string): string {
  return /^[.[\]]/.test(text) ? text[0]! : /^[^.[\]]+/.exec(text)![0];
}

function unescaped(text: string): string {
  return text.replace(/\\./g, match => {
    const plain = escapes[match[1]!];
    if (plain === undefined) throw new RangeError(`invalid string literal: invalid escape char ${match}`);
    return plain;
  });
}

/** The place that `text` names in the schema. Throws a RangeError with upstream's reason when there is none. */
export function findFieldPath(text: string, root: Structural, options: { readonly brackets: boolean }): FoundPath {
  const tokens = tokensOf(text)[Symbol.iterator]();
  let schema = root;
  let path = FieldPath.root;
  const steps: string[] = [];
  const next = (): string => {
    const { value, done } = tokens.next();
    if (done) throw new RangeError('unexpected end of JSON path');
    return value;
  };
  const enter = (name: string): void => {
    if (schema.properties.size > 0) {
      const property = schema.properties.get(name);
      path = path.child(name);
      if (!property) throw new RangeError('does not refer to a valid field');
      schema = property;
    } else if (typeof schema.additional === 'object') {
      path = path.key(name);
      schema = schema.additional;
    } else throw new RangeError('does not refer to a valid field');
    steps.push(name);
  };
  for (const token of { [Symbol.iterator]: () => tokens }) {
    if (token === '.') enter(next());
    else if (token === '[') {
      if (!options.brackets) throw new RangeError('array notation is not allowed');
      const quoted = next();
      if (quoted.length < 2 || !quoted.startsWith("'") || !quoted.endsWith("'")) {
        throw new RangeError(`expected single quoted string but got ${quoted}`);
      }
      enter(unescaped(quoted.slice(1, -1)));
      const end = next();
      if (end !== ']') throw new RangeError(`expected ] but got ${end}`);
    } else throw new RangeError(`expected [ or . but got: ${token}`);
  }
  return { path, steps, schema };
}
