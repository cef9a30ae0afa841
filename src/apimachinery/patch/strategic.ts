/**
 * Strategic merge patch: maps merge, lists merge by their merge key where the type says so, directives steer.
 * Upstream: apimachinery pkg/util/strategicpatch/patch.go (mergeMap and what it calls), apiserver
 * pkg/endpoints/handlers/patch.go. Two- and three-way diffs are made by clients.
 *
 * Worked example: `{"containers":[{"name":"a","image":"n"},{"name":"b","$patch":"delete"}],
 * "$setElementOrder/containers":[{"name":"c"},{"name":"a"}]}` changes a's image, removes b, and puts c before a.
 */

import { goPrint } from '../go-print.ts';
import { InputError } from '../input-error.ts';
import { goStructName } from '../json/go-type.ts';
import { goNumberKind, isNumber } from '../json/number-text.ts';
import { setOwn } from '../json/set-own.ts';
import { anyNode } from '../schema/build.ts';
import type { TypeNode } from '../schema/type-node.ts';
import { withoutNulls } from './merge-patch.ts';
import {
  badType,
  elementKind,
  findByKey,
  isMap,
  type JsonMap,
  type ListKind,
  noMergeKey,
  normalizeElementOrder,
  partition,
  validateSetOrder,
} from './strategic-lists.ts';

const directive = '$patch';
const retainKeys = '$retainKeys';
const deleteFromPrefix = '$deleteFromPrimitiveList';
const setOrderPrefix = '$setElementOrder';

/**
 * Applies a strategic merge patch to a document of the type. Neither argument is touched; the result shares structure
 * with both, so decode it again before changing it. Throws InputError: `patch` for 400, `patchRejected` for 422,
 * `patchFailed` for what upstream answers with 500, its text included.
 */
export function applyStrategicPatch(document: JsonMap, patch: JsonMap | null, node: TypeNode): JsonMap {
  return patch === null ? document : mergeMap(document, patch, node);
}

interface FieldMeta {
  readonly node: TypeNode;
  readonly strategy: string;
  readonly key: string;
}

/** How a member of a value of this type is merged. Throws for a field that a struct does not have. */
function metaOf(node: TypeNode, name: string): FieldMeta {
  if (node.kind === 'map') return { node: node.element, strategy: '', key: '' };
  if (node.kind !== 'struct') return { node: anyNode, strategy: '', key: '' };
  const found = node.fields.get(name);
  if (found === undefined) {
    if (node.preserveUnknown) return { node: anyNode, strategy: '', key: '' };
    const text = `unable to find api field in struct ${goStructName(node.name)} for the json field "${name}"`;
    throw new InputError('patchFailed', text);
  }
  const strategies = (found.merge?.strategy ?? '').split(',').filter(name => name !== '' && name !== 'retainKeys');
  return { node: found.node, strategy: strategies[0] ?? '', key: found.merge?.key ?? '' };
}

function mergeMap(original: JsonMap, patch: JsonMap, node: TypeNode): JsonMap {
  if (Object.hasOwn(patch, directive)) return applyDirective(patch);
  const out: Record<string, unknown> = { ...original };
  const rest: Record<string, unknown> = { ...patch };
  retain(out, rest);
  mergeOrdered(out, rest, node);
  for (const name of Object.keys(rest)) mergeMember(out, name, rest[name], node);
  return out;
}

/** Go's `%s` of a JSON value. */
function asString(value: unknown): string {
  if (typeof value === 'string') return value;
  if (isNumber(value)) return `%!s(${goNumberKind(value)}=${goPrint(value)})`;
  if (typeof value === 'boolean') return `%!s(bool=${value})`;
  return value === null ? '%!s(<nil>)' : goPrint(value);
}

function applyDirective(patch: JsonMap): JsonMap {
  const kind = patch[directive];
  if (kind === 'delete') return {};
  if (kind !== 'replace') {
    throw new InputError('patchFailed', `unknown patch type: ${asString(kind)} in map: ${goPrint(patch)}`);
  }
  const { [directive]: _, ...rest } = patch;
  return rest;
}

/** `$retainKeys` drops what it does not name, and must name all that the patch sets. */
function retain(out: Record<string, unknown>, rest: Record<string, unknown>): void {
  if (!Object.hasOwn(rest, retainKeys)) return;
  const keep = rest[retainKeys];
  delete rest[retainKeys];
  if (!Array.isArray(keep)) throw new InputError('patch', 'invalid patch format of retainKeys');
  for (const name of Object.keys(rest)) {
    if (rest[name] === null || name.startsWith(deleteFromPrefix) || name.startsWith(setOrderPrefix)) continue;
    if (!keep.includes(name)) throw new InputError('patch', 'invalid patch format of retainKeys');
  }
  for (const name of Object.keys(out)) if (!keep.includes(name)) delete out[name];
}

function directiveTarget(name: string, prefix: string, what: string): string {
  const slash = name.indexOf('/');
  if (slash < 0 || name.slice(0, slash) !== prefix) throw new InputError('patch', `invalid patch format of ${what}`);
  return name.slice(slash + 1);
}

/** Merges the lists that come with a `$setElementOrder`, and takes both from `rest`. */
function mergeOrdered(out: Record<string, unknown>, rest: Record<string, unknown>, node: TypeNode): void {
  for (const name of Object.keys(rest)) {
    if (!name.startsWith(setOrderPrefix)) continue;
    const order = rest[name];
    delete rest[name];
    if (!Array.isArray(order)) throw badType('[]interface {}', order);
    const target = directiveTarget(name, setOrderPrefix, 'setElementOrder list');
    const before = Object.hasOwn(out, target) ? out[target] : undefined;
    const change = Object.hasOwn(rest, target) ? rest[target] : undefined;
    if (before !== undefined && !Array.isArray(before)) throw badType('[]interface {}', before);
    if (change !== undefined && !Array.isArray(change)) throw badType('[]interface {}', change);
    const meta = metaOf(node, target);
    validateSetOrder(change ?? [], order, meta.key);
    if (before === undefined && change === undefined) continue;
    const merged =
      change === undefined
        ? before!
        : before === undefined
          ? (withoutDirectives(change)! as unknown[])
          : mergeList(before, change, meta, false);
    const [inOrder, serverOnly] = partition(merged, order, meta.key);
    const kind = elementKind([before ?? [], change ?? []]);
    out[target] = normalizeElementOrder(inOrder, serverOnly, order, before ?? [], meta.key, kind);
    delete rest[target];
  }
}

function mergeMember(out: Record<string, unknown>, given: string, value: unknown, node: TypeNode): void {
  const deleting = given.startsWith(deleteFromPrefix);
  const name = deleting ? directiveTarget(given, deleteFromPrefix, 'primitive list') : given;
  if (value === null) {
    delete out[name];
    return;
  }
  const before = Object.hasOwn(out, name) ? out[name] : undefined;
  if (before === undefined || goKind(before) !== goKind(value)) {
    if (!deleting) assign(out, name, withoutDirectives(withoutNulls(value)));
  } else if (isMap(before)) {
    const meta = metaOf(node, name);
    const merged = meta.strategy === 'replace' ? value : mergeMap(before, value as JsonMap, meta.node);
    setOwn(out, name, merged);
  } else if (Array.isArray(before))
    setOwn(out, name, mergeList(before, value as unknown[], metaOf(node, name), deleting));
  else setOwn(out, name, value);
}

function assign(out: Record<string, unknown>, name: string, value: unknown): void {
  if (value === undefined) delete out[name];
  else setOwn(out, name, value);
}

/** Go's type of a JSON value, as far as merging tells them apart. */
function goKind(value: unknown): string {
  if (value === null) return 'nil';
  if (Array.isArray(value)) return 'list';
  return isNumber(value) ? goNumberKind(value) : typeof value;
}

/** Without members and elements that carry `$patch`; undefined when the value itself does. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDirectives).filter(item => item !== undefined);
  if (!isMap(value)) return value;
  if (Object.hasOwn(value, directive)) return undefined;
  const out: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    const item = withoutDirectives(value[name]);
    if (item !== undefined) setOwn(out, name, item);
  }
  return out;
}

function mergeList(before: unknown[], change: unknown[], meta: FieldMeta, deleting: boolean): unknown[] {
  if (meta.strategy !== 'merge' && !deleting) return change;
  if (before.length === 0 && change.length === 0) return before;
  const kind = elementKind([before, change]);
  const element = meta.node.kind === 'list' ? meta.node.element : anyNode;
  if (kind !== 'map') {
    if (deleting) return before.filter(item => !change.includes(item));
    const merged = deduplicate([...before, ...change]);
    return orderList(merged, change, before, '', kind);
  }
  if (meta.key === '') {
    const where = element.kind === 'struct' ? goStructName(element.name) : '';
    throw new InputError('patchFailed', `cannot merge lists without merge key for ${where}`);
  }
  const { kept, changes } = applyElementDirectives(before, change as JsonMap[], meta.key);
  return orderList(mergeElements(kept, changes, meta.key, element), changes, kept, meta.key, kind);
}

function orderList(merged: unknown[], change: unknown[], before: unknown[], key: string, kind: ListKind): unknown[] {
  const [inPatch, serverOnly] = partition(merged, change, key);
  return normalizeElementOrder(inPatch, serverOnly, change, before, key, kind);
}

/** Handles elements with `$patch`: deletes by merge key, or drops the whole list for `replace`. */
function applyElementDirectives(
  before: readonly unknown[],
  change: readonly JsonMap[],
  key: string,
): { kept: unknown[]; changes: JsonMap[] } {
  const changes: JsonMap[] = [];
  let kept = [...before];
  let replace = false;
  for (const item of change) {
    const kind = Object.hasOwn(item, directive) ? item[directive] : undefined;
    if (kind === undefined) changes.push(item);
    else if (kind === 'delete') {
      if (!Object.hasOwn(item, key)) throw noMergeKey(item, key);
      kept = kept.filter(other => !isMap(other) || !Object.hasOwn(other, key) || other[key] !== item[key]);
    } else if (kind === 'replace') replace = true;
    else if (kind === 'merge') {
      throw new InputError('patchFailed', 'merging lists cannot yet be specified in the patch');
    } else throw new InputError('patchFailed', `unknown patch type: ${asString(kind)} in map: ${goPrint(item)}`);
  }
  return replace ? { kept: changes, changes: [] } : { kept, changes };
}

function mergeElements(
  kept: readonly unknown[],
  changes: readonly JsonMap[],
  key: string,
  element: TypeNode,
): unknown[] {
  const out = [...kept];
  for (const item of changes) {
    if (!Object.hasOwn(item, key)) throw noMergeKey(item, key);
    const at = findByKey(out, key, item[key]);
    if (at < 0) out.push(item);
    else out[at] = mergeMap(out[at] as JsonMap, item, element);
  }
  return out;
}

/** Drops scalars that came before, by moving the last one into the gap, as upstream does. */
function deduplicate(values: unknown[]): unknown[] {
  let last = values.length - 1;
  for (let i = 0; i < last; i++) {
    for (let j = i + 1; j <= last; j++) {
      if (values[i] !== values[j]) continue;
      values[j] = values[last];
      last--;
      j--;
    }
  }
  return values.slice(0, last + 1);
}
