/**
 * JSON patch (RFC 6902) with the habits of the library that upstream uses: negative indexes count from the end,
 * `replace` of a missing member of an object adds it, what stands before the first slash of a path is ignored.
 * Upstream: gopkg.in/evanphx/json-patch.v4 (patch.go), apiserver pkg/endpoints/handlers/patch.go.
 * Deviation: a document whose nesting would pass 1,000 is refused.
 */
import { goQuote } from '../field.ts';
import { InputError } from '../input-error.ts';
import { isNumber } from '../json/number-text.ts';
import { readExactJson, readJson } from '../json/read.ts';
import { maxJsonDepth } from '../json/scanner.ts';
import { setOwn } from '../json/set-own.ts';
import { writeOrdered } from '../json/write.ts';
import { anyNode, field, list, scalar, struct } from '../schema/build.ts';

/** More operations than this are refused with 413. */
const maxOperations = 10_000;
/** All copied values together, in bytes of JSON. */
const maxCopiedBytes = 3 * 1024 * 1024;

/** One operation. A missing `value` counts as null. */
export interface JsonPatchOperation {
  readonly op?: unknown;
  readonly path?: unknown;
  readonly from?: unknown;
  readonly value?: unknown;
}

type Container = Record<string, unknown> | unknown[];

const operationsNode = list(
  struct('handlers.jsonPatchOp', [
    field('op', scalar('string')),
    field('path', scalar('string')),
    field('from', scalar('string')),
    field('value', anyNode, { nullable: true }),
  ]),
);

/**
 * Reads a body. `strict` also tells duplicate and unknown members, as `json patch unknown field "[0].x"`. Throws
 * InputError `patch` or `patchTooLarge`.
 */
export function parseJsonPatch(
  text: string | Uint8Array,
  strict: boolean,
): { readonly operations: readonly JsonPatchOperation[]; readonly strictErrors: readonly string[] } {
  const strictErrors = readPatch(text, strict);
  let operations: unknown;
  try {
    operations = readExactJson(typeof text === 'string' ? text : Buffer.from(text).toString());
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError('patch', error.message);
  }
  if (operations === null) operations = [];
  if (!Array.isArray(operations)) {
    const what =
      typeof operations === 'object' ? 'object' : typeof operations === 'boolean' ? 'bool' : typeof operations;
    throw new InputError('patch', `json: cannot unmarshal ${what} into Go value of type jsonpatch.Patch`);
  }
  for (const operation of operations) {
    if (operation !== null && (typeof operation !== 'object' || Array.isArray(operation))) {
      throw new InputError('patch', 'json: cannot unmarshal array into Go value of type jsonpatch.Operation');
    }
  }
  if (operations.length > maxOperations) {
    const limit = `The allowed maximum operations in a JSON patch is ${maxOperations}, got ${operations.length}`;
    throw new InputError('patchTooLarge', limit);
  }
  return { operations: operations.map(operation => operation ?? {}), strictErrors };
}

function readPatch(text: string | Uint8Array, strict: boolean): string[] {
  if (!strict) return [];
  try {
    return readJson(text, operationsNode).strictErrors.map(error => `json patch ${error}`);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError('patch', `error decoding patch: ${error.message}`);
  }
}

/**
 * Applies the operations to a copy of `document`, which is not touched; the result shares nothing with it. Throws
 * InputError `patchRejected` when one does not apply.
 */
export function applyJsonPatch(document: unknown, operations: readonly JsonPatchOperation[]): unknown {
  const root: Root = { value: cloneJson(document) as Container, copiedBytes: 0, touched: new Set() };
  for (const operation of operations) apply(root, operation);
  measure(root.value);
  for (const object of root.touched) sortMembers(object);
  return root.value;
}

interface Root {
  value: Container;
  copiedBytes: number;
  /** What a path led through: its members are written sorted, as Go's maps are; the rest keeps its order. */
  readonly touched: Set<Record<string, unknown>>;
}

function touch({ touched }: Root, value: unknown, deep = false): void {
  if (value === null || typeof value !== 'object') return;
  if (!Array.isArray(value)) touched.add(value as Record<string, unknown>);
  if (deep) for (const item of Object.values(value)) touch({ touched } as Root, item, true);
}

function sortMembers(object: Record<string, unknown>): void {
  const entries = Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [key] of entries) delete object[key];
  for (const [key, value] of entries) setOwn(object, key, value);
}

const refuse = (message: string): never => {
  throw new InputError('patchRejected', message);
};

function apply(root: Root, operation: JsonPatchOperation): void {
  const { op } = operation;
  const value = cloneJson(operation.value ?? null);
  switch (op) {
    case 'add':
      addAt(root, textOf(operation.path, 'add operation failed to decode path: missing value'), value);
      return;
    case 'remove':
      removeAt(root, textOf(operation.path, 'remove operation failed to decode path: missing value'));
      return;
    case 'replace':
      replace(root, pathOf(operation, op), value);
      return;
    case 'move':
      move(root, operation);
      return;
    case 'copy':
      copy(root, operation);
      return;
    case 'test':
      test(root, pathOf(operation, op), operation.value ?? null);
      return;
    default:
      refuse(`Unexpected kind: ${typeof op === 'string' ? op : 'unknown'}`);
  }
}

const textOf = (value: unknown, missing: string): string => (typeof value === 'string' ? value : refuse(missing));

const pathOf = ({ path }: JsonPatchOperation, op: string): string =>
  textOf(path, `${op} operation failed to decode path: operation missing path field: missing value`);

const fromOf = ({ from }: JsonPatchOperation, op: string): string =>
  textOf(from, `${op} operation failed to decode from: operation, missing from field: missing value`);

function addAt(root: Root, path: string, value: unknown): void {
  const { container, key } = find(root, path, `add operation does not apply: doc is missing path: "${path}"`);
  within(`error in add for path: '${path}'`, () => add(container, key, value));
}

function removeAt(root: Root, path: string): void {
  const { container, key } = find(root, path, `remove operation does not apply: doc is missing path: "${path}"`);
  within(`error in remove for path: '${path}'`, () => remove(container, key));
}

function replace(root: Root, path: string, value: unknown): void {
  if (path === '') {
    if (value === null || typeof value !== 'object')
      refuse('replace operation value must be object or array: %!w(<nil>)');
    root.value = value as Container;
    touch(root, value);
    return;
  }
  const { container, key } = find(root, path, `replace operation does not apply: doc is missing path: ${path}`);
  if (Array.isArray(container)) container[existingIndex(container, key, path)] = value;
  else setOwn(container, key, value);
}

function existingIndex(list: readonly unknown[], key: string, path: string): number {
  try {
    return indexOf(key, list.length);
  } catch {
    return refuse(`replace operation does not apply: doc is missing key: ${path}: missing value`);
  }
}

function move(root: Root, operation: JsonPatchOperation): void {
  const from = fromOf(operation, 'move');
  const source = find(root, from, `move operation does not apply: doc is missing from path: ${from}`);
  const moved = within(`error in move for path: '${source.key}'`, () => {
    const value = get(source.container, source.key);
    remove(source.container, source.key);
    return value;
  });
  const path = pathOf(operation, 'move');
  const { container, key } = find(
    root,
    path,
    `move operation does not apply: doc is missing destination path: ${path}`,
  );
  within(`error in move for path: '${path}'`, () => add(container, key, moved));
}

function copy(root: Root, operation: JsonPatchOperation): void {
  const from = fromOf(operation, 'copy');
  const source = find(root, from, `copy operation does not apply: doc is missing from path: ${from}`);
  const copied = within(`error in copy for from: '${from}'`, () => get(source.container, source.key));
  const path = textOf(operation.path, 'copy operation failed to decode path: missing value');
  const { container, key } = find(
    root,
    path,
    `copy operation does not apply: doc is missing destination path: ${path}`,
  );
  root.copiedBytes += measure(copied);
  if (root.copiedBytes > maxCopiedBytes) {
    refuse('Unable to complete the copy, the accumulated size increase is too big');
  }
  within('error while adding value during copy', () => add(container, key, cloneJson(copied ?? null)));
}

function test(root: Root, path: string, want: unknown): void {
  let have: unknown = root.value;
  if (path !== '') {
    const { container, key } = find(root, path, `test operation does not apply: is missing path: ${path}`);
    have = within(`error in test for path: '${path}'`, () => get(container, key) ?? null);
  }
  touch(root, have, true);
  if (!equal(have, want)) refuse(`testing value ${path} failed: test failed`);
}

/** What goes wrong inside is told with `where` before it. */
function within<T>(where: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    return error instanceof InputError ? refuse(`${where}: ${error.message}`) : rethrow(error);
  }
}

function rethrow(error: unknown): never {
  throw error;
}

/** The container that holds what the path names, and its key there. */
function find(root: Root, path: string, missing: string): { container: Container; key: string } {
  const parts = path.split('/');
  if (parts.length < 2) refuse(`${missing}: missing value`);
  if (parts.length > maxJsonDepth) refuse(`${missing}: the path is too long`);
  let container: Container = root.value;
  touch(root, container);
  for (const part of parts.slice(1, -1)) {
    const next = getOrUndefined(container, decodeKey(part));
    if (next === null || typeof next !== 'object') refuse(`${missing}: missing value`);
    container = next as Container;
    touch(root, container);
  }
  return { container, key: decodeKey(parts.at(-1)!) };
}

const decodeKey = (part: string): string => part.replaceAll('~1', '/').replaceAll('~0', '~');

/** Go's Atoi, and then an index from either end. */
function indexOf(key: string, length: number): number {
  const index = /^[+-]?[0-9]{1,9}$/.test(key)
    ? Number(key)
    : refuse(`strconv.Atoi: parsing ${goQuote(key)}: invalid syntax`);
  const real = index < 0 ? index + length : index;
  if (real < 0 || real >= length) refuse(`Unable to access invalid index: ${index}: invalid index referenced`);
  return real;
}

function get(container: Container, key: string): unknown {
  if (Array.isArray(container)) return container[indexOf(key, container.length)];
  return Object.hasOwn(container, key) ? container[key] : undefined;
}

function getOrUndefined(container: Container, key: string): unknown {
  if (!Array.isArray(container)) return get(container, key);
  try {
    return get(container, key);
  } catch {
    return undefined;
  }
}

function add(container: Container, key: string, value: unknown): void {
  const stored = value === undefined ? null : value;
  if (!Array.isArray(container)) setOwn(container, key, stored);
  else if (key === '-') container.push(stored);
  else {
    if (!/^[+-]?[0-9]{1,9}$/.test(key)) {
      const why = `strconv.Atoi: parsing ${goQuote(key)}: invalid syntax`;
      refuse(`value was not a proper array index: '${key}': ${why}`);
    }
    container.splice(indexOf(key, container.length + 1), 0, stored);
  }
}

function remove(container: Container, key: string): void {
  if (Array.isArray(container)) container.splice(indexOf(key, container.length), 1);
  else if (!Object.hasOwn(container, key)) refuse(`Unable to remove nonexistent key: ${key}: missing value`);
  else delete container[key];
}

/** A deep copy of a JSON value; own `__proto__` keys stay data. */
export function cloneJson(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(cloneJson);
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(value)) setOwn(out, key, cloneJson((value as Record<string, unknown>)[key]));
  return out;
}

/** Deep equality of JSON values; of numbers, of their texts. */
function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (isNumber(a) && isNumber(b)) return writeOrdered(a) === writeOrdered(b);
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  return keys.every(key => Object.hasOwn(right, key) && equal(left[key], right[key]));
}

/** Bytes of the value as JSON, roughly; throws when it is nested too deep. Iterative, for copies can nest fast. */
function measure(value: unknown): number {
  let bytes = 0;
  const stack: [unknown, number][] = [[value, 0]];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const [item, depth] = next;
    if (depth > maxJsonDepth) refuse('exceeded max depth');
    if (typeof item === 'string') bytes += item.length + 2;
    else if (item === null || typeof item !== 'object') bytes += String(item).length;
    else {
      bytes += 2;
      for (const key of Object.keys(item)) {
        bytes += Array.isArray(item) ? 1 : key.length + 4;
        stack.push([(item as Record<string, unknown>)[key], depth + 1]);
      }
    }
    if (bytes > 64 * maxCopiedBytes) refuse('the document is too large');
  }
  return bytes;
}
