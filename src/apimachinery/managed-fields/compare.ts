/**
 * What changed between two values of one type, as sets of paths; and the paths of a whole value.
 * Upstream: sigs.k8s.io/structured-merge-diff v6 typed/{compare,tofieldset}.go.
 */
import { goPrint } from '../go-print.ts';
import { InputError } from '../input-error.ts';
import type { ListNode, TypeNode } from '../schema/type-node.ts';
import { emptySet, type FieldSet, insert, isEmptySet } from './field-set.ts';
import { fieldElement, type PathElement } from './path-element.ts';
import { equalValues, isMap, isNamedField, itemElement, type JsonMap, memberNode, shapeOf } from './typed.ts';

/** No path is in more than one of them. */
export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

type Building = Record<PathElement, FieldSet>;

/** Compares two values of a type. Throws InputError `schema` when one of them does not fit it. */
export function compareValues(node: TypeNode, before: unknown, after: unknown): Comparison {
  const walker = new CompareWalker();
  walker.compare(node, before, after);
  return walker;
}

const isEmptyValue = (value: unknown): boolean =>
  value === null ||
  value === undefined ||
  (Array.isArray(value) ? value.length === 0 : typeof value === 'object' && isEmptySet(value as FieldSet));

class CompareWalker implements Comparison {
  readonly added: FieldSet = {};
  readonly modified: FieldSet = {};
  readonly removed: FieldSet = {};
  readonly #path: PathElement[] = [];

  compare(node: TypeNode, before: unknown, after: unknown): void {
    if (before === after) return;
    const shape = shapeOf(node, before ?? after);
    const other = shapeOf(node, after ?? before);
    if (shape !== other) {
      // Only values without a type: a map became a leaf, or a leaf a map.
      this.#maps(node, isMap(before) ? before : {}, isMap(after) ? after : {});
      this.#mark(this.modified, emptySet);
    } else if (shape === 'leaf' || (isEmptyValue(before) && isEmptyValue(after))) {
      if (!equalValues(before, after)) this.#mark(this.modified, emptySet);
    } else {
      fits(before, shape);
      fits(after, shape);
      if (shape === 'map') this.#maps(node, (before ?? {}) as JsonMap, (after ?? {}) as JsonMap);
      else this.#lists(node as ListNode, (before ?? []) as unknown[], (after ?? []) as unknown[]);
    }
  }

  #mark(set: FieldSet, tree: FieldSet): void {
    if (this.#path.length > 0) insert(set, this.#path, tree);
    else if (tree !== emptySet) Object.assign(set, tree);
  }

  #maps(node: TypeNode, before: JsonMap, after: JsonMap): void {
    for (const name in before) {
      const value = before[name];
      if (value === undefined) continue;
      const next = Object.hasOwn(after, name) ? after[name] : undefined;
      if (next === value) continue;
      const member = memberNode(node, name);
      if (member === undefined) continue;
      this.#path.push(fieldElement(name));
      if (next === undefined) this.#mark(this.removed, wholeTree(member, value));
      else this.compare(member, value, next);
      this.#path.pop();
    }
    for (const name in after) {
      const value = after[name];
      if (value === undefined || (Object.hasOwn(before, name) && before[name] !== undefined)) continue;
      const member = memberNode(node, name);
      if (member === undefined) continue;
      this.#path.push(fieldElement(name));
      this.#mark(this.added, wholeTree(member, value));
      this.#path.pop();
    }
  }

  #lists(node: ListNode, before: readonly unknown[], after: readonly unknown[]): void {
    if (equalValues(before, after)) return;
    const left = indexItems(node, before);
    const right = indexItems(node, after);
    for (const [element, items] of left) {
      this.#path.push(element);
      this.#items(node.element, items, right.get(element) ?? []);
      this.#path.pop();
    }
    for (const [element, items] of right) {
      if (left.has(element)) continue;
      this.#path.push(element);
      this.#items(node.element, [], items);
      this.#path.pop();
    }
  }

  /** Items of one key; more than one on a side count as one atomic value. */
  #items(node: TypeNode, before: readonly unknown[], after: readonly unknown[]): void {
    if (before.length >= 2 && after.length >= 2) {
      if (!equalValues(before, after)) this.#mark(this.modified, emptySet);
    } else if (before.length >= 2) {
      if (after.length > 0) this.#mark(this.added, wholeTree(node, after[0]));
      this.#mark(this.removed, emptySet);
    } else if (after.length >= 2) {
      if (before.length > 0) this.#mark(this.removed, wholeTree(node, before[0]));
      this.#mark(this.added, emptySet);
    } else if (before.length === 0) this.#mark(this.added, wholeTree(node, after[0]));
    else if (after.length === 0) this.#mark(this.removed, wholeTree(node, before[0]));
    else this.compare(node, before[0], after[0]);
  }
}

/** What a value of a type that is a map or a list has to be. Throws InputError `schema`. */
function fits(value: unknown, shape: 'map' | 'list'): void {
  if (value === undefined || value === null || (shape === 'map' ? isMap(value) : Array.isArray(value))) return;
  throw new InputError('schema', `expected ${shape}, got ${goPrint(value)}`);
}

function indexItems(node: ListNode, list: readonly unknown[]): Map<PathElement, unknown[]> {
  const index = new Map<PathElement, unknown[]>();
  for (const item of list) {
    const element = itemElement(node, item);
    const items = index.get(element);
    if (items === undefined) index.set(element, [item]);
    else items.push(item);
  }
  return index;
}

/** The child that stands for a value that came or went: the value's own path and each below it. */
function wholeTree(node: TypeNode, value: unknown): FieldSet {
  const shape = shapeOf(node, value);
  if (shape === 'leaf' || isEmptyValue(value)) return emptySet;
  fits(value, shape);
  const out: Building = { '.': emptySet };
  if (shape === 'map') {
    const map = value as JsonMap;
    for (const name in map) {
      const member = map[name] === undefined ? undefined : memberNode(node, name);
      if (member !== undefined) out[fieldElement(name)] = wholeTree(member, map[name]);
    }
    return out;
  }
  const list = node as ListNode;
  for (const [element, items] of indexItems(list, value as unknown[])) {
    out[element] = items.length > 1 ? emptySet : wholeTree(list.element, items[0]);
  }
  return out;
}

/** The paths that an applied configuration claims: leaves, items of lists, keys of maps, empty maps and nulls. */
export function fieldSetOf(node: TypeNode, value: unknown): FieldSet {
  return claimed(node, value) ?? emptySet;
}

/** Undefined when the value claims nothing by itself. */
function claimed(node: TypeNode, value: unknown): FieldSet | undefined {
  const shape = shapeOf(node, value);
  if (shape === 'leaf') return emptySet;
  if (isEmptyValue(value)) return undefined;
  const out: Building = {};
  if (shape === 'map') {
    const map = value as JsonMap;
    for (const name in map) {
      const item = map[name];
      const member = item === undefined ? undefined : memberNode(node, name);
      if (member === undefined) continue;
      const below = node.kind === 'any' && item === null ? undefined : claimed(member, item);
      const whole = item === null || (isMap(item) && isEmptyValue(item)) || !isNamedField(node, name);
      const next = whole ? asMember(below) : below;
      if (next !== undefined) out[fieldElement(name)] = next;
    }
  } else {
    const list = node as ListNode;
    for (const [element, items] of indexItems(list, value as unknown[])) {
      out[element] = items.length > 1 ? emptySet : asMember(claimed(list.element, items[0]));
    }
  }
  return isEmptySet(out) ? undefined : out;
}

function asMember(below: FieldSet | undefined): FieldSet {
  if (below === undefined || isEmptySet(below)) return emptySet;
  return '.' in below ? below : { '.': emptySet, ...below };
}
