/**
 * Sets of field paths, in the very shape of FieldsV1: a trie whose keys are path elements. A node is a member of the
 * set when it holds `.`, or when it holds nothing. Sets are immutable and share structure: what an operation leaves
 * unchanged keeps its identity. Upstream: sigs.k8s.io/structured-merge-diff v6 fieldpath/{set,serialize}.go.
 *
 * Worked example: the set of `.spec`'s child `.spec.replicas` and of the map list item `.spec.list[name="a"]` with its
 * field `.image` is `{"f:spec":{"f:replicas":{},"f:list":{"k:{\"name\":\"a\"}":{".":{},"f:image":{}}}}}`.
 */
import { InputError } from '../input-error.ts';
import type { JsonObject } from '../meta.ts';
import { canonicalElement, compareElements, type PathElement } from './path-element.ts';

/** A set of paths: children of the root, which is itself never a member. */
export interface FieldSet {
  readonly [element: PathElement]: FieldSet;
}

/** The empty set; as a child, a member without children. */
export const emptySet: FieldSet = Object.freeze({});

type Building = Record<PathElement, FieldSet>;

/** True when the set holds nothing. Not to be asked of a child, where nothing means that it is a leaf. */
export function isEmptySet(set: FieldSet): boolean {
  for (const _ in set) return false;
  return true;
}

/** Whether a child stands for a path of the set, and not only for a way to others. */
export function isMember(child: FieldSet): boolean {
  return '.' in child || isEmptySet(child);
}

/** A child with the given children, member or not; undefined when it is neither. */
function makeChild(member: boolean, children: Building): FieldSet | undefined {
  if (isEmptySet(children)) return member ? emptySet : undefined;
  return member ? { '.': emptySet, ...children } : children;
}

/** Whether the path is in the set. */
export function hasPath(set: FieldSet, path: readonly PathElement[]): boolean {
  let at = set;
  for (const element of path) {
    const next = child(at, element);
    if (next === undefined) return false;
    at = next;
  }
  return path.length > 0 && isMember(at);
}

/** The child at an element, if there is one. */
export function child(set: FieldSet, element: PathElement): FieldSet | undefined {
  return Object.hasOwn(set, element) ? set[element] : undefined;
}

/** The set of these paths. */
export function setOf(...paths: readonly (readonly PathElement[])[]): FieldSet {
  const out: Building = {};
  for (const path of paths) insert(out, path, emptySet);
  return out;
}

/** The set of paths of plain fields, each given as `spec.replicas`. */
export function setOfFields(...paths: readonly string[]): FieldSet {
  return setOf(...paths.map(path => path.split('.').map(name => `f:${name}`)));
}

/** Puts `tree` at `path` into a set that is being built and is not shared. */
export function insert(set: FieldSet, path: readonly PathElement[], tree: FieldSet): void {
  let at = set as Building;
  const last = path.length - 1;
  for (let i = 0; i < last; i++) {
    const element = path[i]!;
    const next = at[element];
    if (next === undefined) at = at[element] = {} as Building;
    else if (Object.isFrozen(next) || isEmptySet(next)) at = at[element] = { '.': emptySet };
    else at = next as Building;
  }
  const before = at[path[last]!];
  at[path[last]!] = before === undefined ? tree : unionChild(before, tree);
}

function unionChild(a: FieldSet, b: FieldSet): FieldSet {
  const children = unionSets(a, b) as Building;
  const { '.': _, ...rest } = children;
  return makeChild(isMember(a) || isMember(b), rest)!;
}

/** Paths of either. */
export function unionSets(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmptySet(b)) return a;
  if (isEmptySet(a)) return b;
  let out: Building | undefined;
  for (const element in b) {
    if (element === '.') continue;
    const [mine, theirs] = [child(a, element), b[element]!];
    const next = mine === undefined ? theirs : mine === theirs ? mine : unionChild(mine, theirs);
    if (next === mine) continue;
    out ??= { ...a };
    out[element] = next;
  }
  return out ?? a;
}

/** Paths of `a` that are not in `b`; what is below a path of `b` stays. */
export function subtractSet(a: FieldSet, b: FieldSet): FieldSet {
  return subtract(a, b, false);
}

/** Paths of `a` that are neither in `b` nor below a path of `b`. */
export function subtractTree(a: FieldSet, b: FieldSet): FieldSet {
  return subtract(a, b, true);
}

function subtract(a: FieldSet, b: FieldSet, recursive: boolean): FieldSet {
  let out: Building | undefined;
  for (const element in a) {
    if (element === '.') continue;
    const theirs = child(b, element);
    if (theirs === undefined) continue;
    const mine = a[element]!;
    const theirMember = isMember(theirs);
    const member = isMember(mine) && !theirMember;
    const children = recursive && theirMember ? emptySet : subtract(mine, theirs, recursive);
    if (member === isMember(mine) && children === mine) continue;
    const { '.': _, ...rest } = children as Building;
    const next = makeChild(member, rest);
    out ??= { ...a };
    if (next === undefined) delete out[element];
    else out[element] = next;
  }
  return out ?? a;
}

/** Paths of both. */
export function intersectSets(a: FieldSet, b: FieldSet): FieldSet {
  const out: Building = {};
  for (const element in a) {
    if (element === '.') continue;
    const theirs = child(b, element);
    if (theirs === undefined) continue;
    const mine = a[element]!;
    const { '.': _, ...rest } = intersectSets(mine, theirs) as Building;
    const next = makeChild(isMember(mine) && isMember(theirs), rest);
    if (next !== undefined) out[element] = next;
  }
  return out;
}

/** All paths in upstream's order: at each level first the members, then what is below, both sorted. */
export function pathsOf(set: FieldSet): PathElement[][] {
  const out: PathElement[][] = [];
  const walk = (at: FieldSet, prefix: readonly PathElement[]): void => {
    const elements = Object.keys(at)
      .filter(element => element !== '.')
      .sort(compareElements);
    for (const element of elements) if (isMember(at[element]!)) out.push([...prefix, element]);
    for (const element of elements) walk(at[element]!, [...prefix, element]);
  };
  walk(set, []);
  return out;
}

/** The set with its elements in upstream's order, as it is to be stored. Sorted parts keep their identity. */
export function sortSet(set: FieldSet): FieldSet {
  let changed = false;
  let previous: string | undefined;
  const out: Building = {};
  for (const element in set) {
    const before = set[element]!;
    const after = element === '.' ? before : sortSet(before);
    changed ||= after !== before || (previous !== undefined && !inOrder(previous, element));
    out[element] = after;
    previous = element;
  }
  if (!changed) return set;
  const sorted = Object.keys(out).sort((a, b) => (a === b ? 0 : inOrder(a, b) ? -1 : 1));
  return Object.fromEntries(sorted.map(element => [element, out[element]!]));
}

function inOrder(a: PathElement, b: PathElement): boolean {
  return a === '.' || (b !== '.' && compareElements(a, b) < 0);
}

/** The set that a client's FieldsV1 stands for, made canonical. Throws InputError `schema`. */
export function readSet(fields: JsonObject): FieldSet {
  const out: Building = {};
  for (const [text, value] of Object.entries(fields)) {
    if (text === '.') continue;
    const element = canonicalElement(text);
    if (element === undefined) continue;
    if (value === null || typeof value !== 'object' || Array.isArray(value)) {
      throw new InputError('schema', `error decoding set: expected an object at ${text}`);
    }
    const below = value as JsonObject;
    const children = readSet(below);
    const leaf = isEmptySet(children);
    const next = leaf ? emptySet : '.' in below ? { '.': emptySet, ...children } : children;
    out[element] = out[element] === undefined ? next : unionChild(out[element], next);
  }
  return out;
}
