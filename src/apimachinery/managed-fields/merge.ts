/**
 * Merging an applied configuration into a live value, and taking paths out of a value.
 * Upstream: sigs.k8s.io/structured-merge-diff v6 typed/{merge,remove}.go, fieldpath/set.go (EnsureNamedFieldsAreMembers).
 */
import { setOwn } from '../json/set-own.ts';
import type { ListNode, TypeNode } from '../schema/type-node.ts';
import { child, emptySet, type FieldSet, isEmptySet, isMember } from './field-set.ts';
import { fieldElement, type PathElement } from './path-element.ts';
import { isMap, isNamedField, itemElement, type JsonMap, memberNode, shapeOf } from './typed.ts';

const isEmptyList = (value: unknown): boolean => !Array.isArray(value) || value.length === 0;
const isEmptyMap = (value: unknown): boolean => !isMap(value) || isEmptySet(value as unknown as FieldSet);

/**
 * The live value with the configuration over it: leaves of the configuration win, maps and associative lists merge,
 * lists are ordered like the configuration where it says anything. Undefined stands for absent. Nothing is changed in
 * place. A null in place of a map or list changes nothing.
 */
export function mergeValues(node: TypeNode, live: unknown, config: unknown): unknown {
  if (config === undefined) return live;
  if (live === undefined) return config;
  const shape = shapeOf(node, config ?? live);
  if (shape === 'leaf') return config;
  if (shape === 'map') {
    if (isEmptyMap(live) && isEmptyMap(config)) return config;
    return mergeMaps(node, isMap(live) ? live : {}, isMap(config) ? config : {});
  }
  if (isEmptyList(live) && isEmptyList(config)) return config;
  return mergeLists(node as ListNode, (live ?? []) as unknown[], (config ?? []) as unknown[]);
}

function mergeMaps(node: TypeNode, live: JsonMap, config: JsonMap): JsonMap {
  const out: Record<string, unknown> = { ...live };
  for (const name of Object.keys(config)) {
    const member = memberNode(node, name);
    if (member === undefined) continue;
    const before = Object.hasOwn(live, name) ? live[name] : undefined;
    setOwn(out, name, mergeValues(member, before, config[name]));
  }
  return out;
}

/** Items by key; of several live items with one key, those that the configuration names are replaced by it. */
function mergeLists(node: ListNode, live: readonly unknown[], config: readonly unknown[]): unknown[] {
  const liveKeys = live.map(item => itemElement(node, item));
  const configKeys = config.map(item => itemElement(node, item));
  const liveItems = new Map<PathElement, unknown>();
  liveKeys.forEach((key, i) => liveItems.set(key, liveItems.has(key) ? null : live[i]));
  const configItems = new Map(configKeys.map((key, i) => [key, config[i]]));
  const shared = configKeys.filter(key => liveItems.has(key));
  const out: unknown[] = [];
  const merged = new Set<PathElement>();
  const take = (key: PathElement): void => {
    merged.add(key);
    const before = liveItems.get(key);
    out.push(mergeValues(node.element, before === null ? undefined : before, configItems.get(key)));
  };
  let turn = 0;
  let next = shared[turn];
  for (let l = 0, r = 0; l < liveKeys.length || r < configKeys.length; ) {
    const [left, right] = [liveKeys[l], configKeys[r]];
    if (left !== undefined && right !== undefined) {
      if (left === right) {
        take(left);
        l++;
        r++;
        next = shared[++turn];
        continue;
      }
      if (configItems.has(left) && next !== undefined && next !== left) {
        // Named by the configuration, but not the one whose turn it is.
        l++;
        continue;
      }
    }
    if (left !== undefined) {
      if (!configItems.has(left)) {
        out.push(live[l]);
        l++;
        continue;
      }
      if (merged.has(left)) l++;
    }
    if (right !== undefined) {
      take(right);
      r++;
      if (next === right) next = shared[++turn];
    }
  }
  return out;
}

/**
 * The value without the items and fields that `paths` holds. What is emptied by it is null, as upstream leaves it.
 * Nothing is changed in place.
 */
export function removePaths(node: TypeNode, value: unknown, paths: FieldSet): unknown {
  const shape = shapeOf(node, value);
  if (shape === 'leaf') return node.kind === 'scalar' || !(isMap(value) || Array.isArray(value)) ? value : null;
  if (shape === 'map') {
    if (isEmptyMap(value)) return null;
    const out: Record<string, unknown> = {};
    for (const name of Object.keys(value as JsonMap)) {
      const below = child(paths, fieldElement(name));
      const item = (value as JsonMap)[name];
      if (below !== undefined && isMember(below)) continue;
      const member = memberNode(node, name);
      setOwn(out, name, below === undefined || member === undefined ? item : removePaths(member, item, below));
    }
    return isEmptySet(out as FieldSet) ? null : out;
  }
  if (isEmptyList(value)) return null;
  const list = node as ListNode;
  const out: unknown[] = [];
  for (const item of value as unknown[]) {
    const below = child(paths, itemElement(list, item));
    if (below === undefined) out.push(item);
    else if (!isMember(below)) out.push(removePaths(list.element, item, below));
  }
  return out.length === 0 ? null : out;
}

/** The set with each struct field that has something below it as a member too, so that it goes when all below goes. */
export function withNamedFields(set: FieldSet, node: TypeNode | undefined): FieldSet {
  const out: Record<PathElement, FieldSet> = {};
  for (const element in set) {
    if (element === '.') continue;
    const before = set[element]!;
    const name = element.startsWith('f:') ? element.slice(2) : undefined;
    const below = withNamedFields(before, elementNode(node, element, name));
    const named = name !== undefined && node !== undefined && isNamedField(node, name);
    out[element] = isEmptySet(before) ? emptySet : named || isMember(before) ? { '.': emptySet, ...below } : below;
  }
  return out;
}

function elementNode(node: TypeNode | undefined, element: PathElement, name: string | undefined): TypeNode | undefined {
  if (node === undefined) return undefined;
  if (name !== undefined) return memberNode(node, name);
  return element.startsWith('k:') && node.kind === 'list' ? node.element : undefined;
}
