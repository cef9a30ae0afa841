/**
 * Values as upstream's error texts show them: marshalled from its internal types, which have no JSON names, so that
 * every field appears under its Go name, absent ones as null or zero. Upstream: pkg/apis/<group>/types.go.
 *
 * Worked example: a SeccompProfile `{ type: 'RuntimeDefault', localhostProfile: 'x' }` is
 * `{"Type":"RuntimeDefault","LocalhostProfile":"x"}`, and with nothing set `{"Type":"","LocalhostProfile":null}`.
 */
import { type FieldError, type FieldPath, goMarshal, goValue, invalidValue, type LabelSelector } from '#apimachinery';
import { internalShapes } from './internal-shapes.gen.ts';

interface InternalField {
  /** Empty for an embedded struct, whose fields appear among those of the outer one. */
  readonly name: string;
  readonly json: string;
  readonly code: string;
}

type Plain = { readonly [key: string]: unknown };

const fieldsByType: ReadonlyMap<string, string> = new Map(
  internalShapes
    .trim()
    .split('\n')
    .map(line => {
      const space = line.indexOf(' ');
      return space < 0 ? [line, ''] : [line.slice(0, space), line.slice(space + 1)];
    }),
);

function fieldsOf(type: string): InternalField[] {
  const text = fieldsByType.get(type);
  if (text === undefined) throw new RangeError(`unknown internal type: ${type}`);
  if (text === '') return [];
  return text.split(' ').map(cell => {
    if (cell.startsWith('^')) return { name: '', json: '', code: cell.slice(1) };
    const [name = '', json = '', code = ''] = cell.split(':');
    return { name, json, code };
  });
}

const metaFields = [
  ...['name', 'generateName', 'namespace', 'selfLink', 'uid', 'resourceVersion', 'generation', 'creationTimestamp'],
  ...['deletionTimestamp', 'deletionGracePeriodSeconds', 'labels', 'annotations', 'ownerReferences', 'finalizers'],
  'managedFields',
];

/** Host settings of a pod that the internal types keep in the security context. */
const hostFields = ['hostNetwork', 'hostPID', 'hostIPC', 'shareProcessNamespace', 'hostUsers'];

function internalSource(type: string, value: Plain): Plain {
  if (type !== 'core.PodSpec') return value;
  const host = Object.fromEntries(
    hostFields.filter(name => value[name] !== undefined).map(name => [name, value[name]]),
  );
  return { ...value, securityContext: { ...(value['securityContext'] as Plain | undefined), ...host } };
}

function structOf(type: string, value: Plain, into: Record<string, unknown>): Record<string, unknown> {
  const source = internalSource(type, value);
  for (const { name, json, code } of fieldsOf(type)) {
    if (name !== '') into[name] = convert(code, source[json]);
    else if (code === 'O') {
      const meta = (source['metadata'] ?? {}) as Plain;
      for (const field of metaFields) {
        const member = meta[field];
        if (member === undefined || member === null) continue;
        // Metadata has JSON names and leaves out what is empty, other than the internal types around it.
        if (typeof member !== 'object' || Object.keys(member).length > 0) into[field] = shownMember(field, member);
      }
    } else structOf(code.slice(code.startsWith('*') ? 2 : 1), source, into);
  }
  return into;
}

/** A member of metadata. What an owner is told by is always shown. */
function shownMember(field: string, member: unknown): unknown {
  if (field !== 'ownerReferences') return sortedMap(member);
  return (member as readonly object[]).map(owner => ({ apiVersion: '', kind: '', name: '', uid: '', ...owner }));
}

/** A map with its keys sorted, as Go prints it; any other value as it is. */
export function sortedMap(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function convert(code: string, value: unknown): unknown {
  const rest = code.slice(1);
  switch (code[0]) {
    case '*':
      return value === undefined || value === null ? null : convert(rest, value);
    case '[':
      return value === undefined || value === null ? null : (value as unknown[]).map(each => convert(rest, each));
    case 'm':
      if (value === undefined || value === null) return null;
      return sortedMap(Object.fromEntries(Object.entries(value).map(([key, each]) => [key, convert(rest, each)])));
    case 'S':
      return structOf(rest, (value ?? {}) as Plain, {});
    case 'L':
      return shownSelector((value ?? {}) as LabelSelector);
    case 's':
      return value ?? '';
    case 'i':
    case 'o':
      return value ?? 0;
    case 'b':
      return value ?? false;
    case 'q':
      return value ?? '0';
    case 'd':
      return value ?? '0s';
    default:
      return value ?? null;
  }
}

/** A selector as Go marshals it, for messages: without what is empty, each requirement with key and operator. */
export function shownSelector(selector: LabelSelector | null | undefined): unknown {
  if (!selector) return null;
  const { matchLabels, matchExpressions } = selector;
  return {
    ...(matchLabels && Object.keys(matchLabels).length > 0 && { matchLabels: sortedMap(matchLabels) }),
    ...(matchExpressions?.length && {
      matchExpressions: matchExpressions.map(({ key, operator, values }) => ({
        key: key ?? '',
        operator: operator ?? '',
        ...(values?.length && { values }),
      })),
    }),
  };
}

/** `value`, of the internal type (`core.PodSpec`), as Go would marshal it; null for an absent pointer. */
export function internalValue(type: string, value: unknown): unknown {
  return value === undefined || value === null ? null : structOf(type, value as Plain, {});
}

/** The same of a list. */
export function internalList(type: string, values: readonly unknown[] | undefined): unknown {
  return values === undefined ? null : values.map(value => structOf(type, value as Plain, {}));
}

/** {@link invalidValue} with a value of an internal type. */
export function invalidInternal(path: FieldPath, type: string, value: unknown, detail: string): FieldError {
  return invalidValue(path, internalValue(type, value), detail);
}

/** Whether two values are the same in Go: zero and absent are one unless a pointer holds them, empty and absent lists too. */
export function internalEqual(type: string, a: unknown, b: unknown): boolean {
  return same(`*S${type}`, a, b);
}

function same(code: string, a: unknown, b: unknown): boolean {
  const rest = code.slice(1);
  const [left, right] = [a ?? undefined, b ?? undefined];
  switch (code[0]) {
    case '*':
      return left === undefined || right === undefined ? left === right : same(rest, left, right);
    case '[': {
      const [ones, others] = [(left ?? []) as unknown[], (right ?? []) as unknown[]];
      return ones.length === others.length && ones.every((each, i) => same(rest, each, others[i]));
    }
    case 'm': {
      const [ones, others] = [(left ?? {}) as Plain, (right ?? {}) as Plain];
      const keys = Object.keys(ones);
      if (keys.length !== Object.keys(others).length) return false;
      return keys.every(key => Object.hasOwn(others, key) && same(rest, ones[key], others[key]));
    }
    case 'S':
      return sameStruct(rest, (left ?? {}) as Plain, (right ?? {}) as Plain);
    default:
      return sameValue(convert(code, left), convert(code, right));
  }
}

function sameStruct(type: string, a: Plain, b: Plain): boolean {
  const [left, right] = [internalSource(type, a), internalSource(type, b)];
  return fieldsOf(type).every(({ name, json, code }) => {
    if (name !== '') return same(code, left[json], right[json]);
    if (code === 'O') return sameValue(left['metadata'], right['metadata']);
    // The internal types' own TypeMeta is of no account.
    return code === 'j' || sameStruct(code.slice(code.startsWith('*') ? 2 : 1), left, right);
  });
}

const isNothing = (value: unknown): boolean =>
  value === null || value === undefined || (typeof value === 'object' && Object.keys(value).length === 0);

function sameValue(a: unknown, b: unknown): boolean {
  if (a === b || (isNothing(a) && isNothing(b))) return true;
  if (isNothing(a) || isNothing(b) || typeof a !== 'object' || typeof b !== 'object') return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [a as Plain, b as Plain];
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...keys].every(key => sameValue(left[key], right[key]));
}

/** Lines of the value as Go indents it with one space, for differences. */
export function internalText(type: string, value: unknown): string {
  // An empty list or map stays on its line in both languages.
  return goMarshal(internalValue(type, value), 1);
}

export { goValue };
