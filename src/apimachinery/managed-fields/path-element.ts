/**
 * Elements of field paths in the text form of FieldsV1: `f:name` a field, `k:{"name":"a"}` an item of a map list,
 * `v:"x"` an element of a set, `i:0` an index. Texts are canonical, so equal elements are equal strings.
 * Upstream: sigs.k8s.io/structured-merge-diff v6 fieldpath/{element,serialize-pe,path}.go, value/{value,fields}.go.
 */
import { goQuote } from '../field.ts';
import { InputError } from '../input-error.ts';
import { writeSorted } from '../json/write.ts';

/** One step of a path. */
export type PathElement = string;

/** The element of a field. */
export function fieldElement(name: string): PathElement {
  return `f:${name}`;
}

/** The element of a set's member. */
export function valueElement(value: unknown): PathElement {
  return `v:${writeSorted(value)}`;
}

/** The element of a map list's item, by the key fields that it has. Names are sorted. */
export function keyElement(keys: Readonly<Record<string, unknown>>): PathElement {
  return `k:${writeSorted(keys)}`;
}

/**
 * The canonical text of an element that came from a client; undefined for one of an unknown kind, which is to be
 * ignored. Throws InputError `schema` for one that is malformed.
 */
export function canonicalElement(text: string): PathElement | undefined {
  if (text.length < 2) throw new InputError('schema', 'key must be 2 characters long:');
  if (text[1] !== ':') throw new InputError('schema', `missing colon: ${text}`);
  const rest = text.slice(2);
  switch (text[0]) {
    case 'f':
      return text;
    case 'i':
      if (!/^[+-]?[0-9]+$/.test(rest))
        throw new InputError('schema', `strconv.Atoi: parsing ${goQuote(rest)}: invalid syntax`);
      return `i:${Number(rest)}`;
    case 'k':
    case 'v': {
      const value = parse(rest);
      if (text[0] === 'v') return valueElement(value);
      if (value === null || typeof value !== 'object' || Array.isArray(value)) {
        throw new InputError('schema', `expected an object: ${rest}`);
      }
      return keyElement(value as Record<string, unknown>);
    }
    default:
      return undefined;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InputError('schema', `parsing key as path element: ${text}`, { cause });
  }
}

/** How messages show an element: `.name`, `[name="a",port=1]`, `[="x"]`, `[0]`. */
export function elementText(element: PathElement): string {
  const rest = element.slice(2);
  switch (element[0]) {
    case 'f':
      return `.${rest}`;
    case 'k': {
      const keys = Object.entries(parse(rest) as Record<string, unknown>);
      return `[${keys.map(([name, value]) => `${name}=${valueText(value)}`).join(',')}]`;
    }
    case 'v':
      return `[=${valueText(parse(rest))}]`;
    default:
      return `[${rest}]`;
  }
}

/** How messages show a path: `.spec.containers[name="a"].image`. */
export function pathText(path: readonly PathElement[]): string {
  return path.map(elementText).join('');
}

function valueText(value: unknown): string {
  if (typeof value === 'string') return goQuote(value);
  if (Array.isArray(value)) return `[${value.map(valueText).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    return Object.entries(value)
      .map(([name, item]) => `${name}=${valueText(item)}`)
      .join('');
  }
  return String(value);
}

const ranks = 'fkvi';

/** Order of elements in FieldsV1: fields, keys, values, indexes; each by what it holds. */
export function compareElements(a: PathElement, b: PathElement): number {
  if (a === b) return 0;
  if (a[0] !== b[0]) return ranks.indexOf(a[0]!) - ranks.indexOf(b[0]!);
  if (a[0] === 'f') return a < b ? -1 : 1;
  if (a[0] === 'i') return Number(a.slice(2)) - Number(b.slice(2));
  const [x, y] = [parse(a.slice(2)), parse(b.slice(2))];
  return a[0] === 'k' ? compareKeys(x as object, y as object) : compareValues(x, y);
}

function compareKeys(a: object, b: object): number {
  const [left, right] = [Object.entries(a), Object.entries(b)];
  for (let i = 0; i < left.length && i < right.length; i++) {
    const [[name, value], [otherName, otherValue]] = [left[i]!, right[i]!];
    if (name !== otherName) return name < otherName ? -1 : 1;
    const order = compareValues(value, otherValue);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

const kinds = ['number', 'string', 'boolean', 'list', 'map', 'null'];

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'list';
  return typeof value === 'object' ? 'map' : typeof value;
}

function compareValues(a: unknown, b: unknown): number {
  const [kind, other] = [kindOf(a), kindOf(b)];
  if (kind !== other) return kinds.indexOf(kind) - kinds.indexOf(other);
  if (kind === 'list') {
    const [left, right] = [a as unknown[], b as unknown[]];
    for (let i = 0; i < left.length && i < right.length; i++) {
      const order = compareValues(left[i], right[i]);
      if (order !== 0) return order;
    }
    return left.length - right.length;
  }
  if (kind === 'map') return compareKeys(a as object, b as object);
  return (a as string) < (b as string) ? -1 : (a as string) > (b as string) ? 1 : 0;
}
