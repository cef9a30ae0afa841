/**
 * What a strategically patched document has to say when it does not fit its type: the texts of upstream's converter,
 * which differ from those of its JSON decoder, and its silent conversion of numbers to integers.
 * Upstream: apimachinery pkg/runtime/converter.go fromUnstructured.
 */
import { InputError } from '../input-error.ts';
import { goNumberKind, isNumber, numberOfText, numberText } from '../json/number-text.ts';
import { readJson } from '../json/read.ts';
import { setOwn } from '../json/set-own.ts';
import { writeOrdered } from '../json/write.ts';
import type { ScalarType, TypeNode } from '../schema/type-node.ts';

/** Types that read themselves; their own texts are told. */
const selfReading: ReadonlySet<ScalarType> = new Set([
  'quantity',
  'time',
  'microtime',
  'duration',
  'intOrString',
  'fieldsV1',
  'rawExtension',
  'json',
]);
const goNames: Readonly<Partial<Record<ScalarType, string>>> = {
  string: 'string',
  boolean: 'bool',
  int32: 'int32',
  int64: 'int64',
  double: 'float64',
};

type Holder = Record<string, unknown> | unknown[];

/** Go's kind of a JSON value. */
function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'slice';
  if (typeof value === 'boolean') return 'bool';
  if (isNumber(value)) return goNumberKind(value);
  return typeof value === 'object' ? 'map' : 'string';
}

const refuse = (text: string): never => {
  throw new InputError('json', text);
};

/**
 * Walks `document`, which is the caller's own and may be changed. Throws InputError `json` with upstream's text for the
 * first value that its type cannot take.
 */
export function checkUnstructured(document: Record<string, unknown>, node: TypeNode): void {
  if (node.kind === 'struct') walkStruct(document, node);
}

function walkStruct(value: Record<string, unknown>, node: TypeNode & { kind: 'struct' }): void {
  for (const [name, field] of node.fields) if (Object.hasOwn(value, name)) walk(value, name, field.node);
}

function walk(holder: Holder, key: string | number, node: TypeNode): void {
  const value = (holder as Record<string | number, unknown>)[key];
  if (value === null || value === undefined) return;
  const kind = kindOf(value);
  switch (node.kind) {
    case 'any':
      put(holder, key, settled(value));
      return;
    case 'scalar':
      scalar(holder, key, node, kind);
      return;
    case 'list': {
      if (kind !== 'slice') refuse(`cannot restore slice from ${kind}`);
      for (const at of (value as unknown[]).keys()) walk(value as unknown[], at, node.element);
      return;
    }
    case 'map': {
      if (kind !== 'map') refuse(`cannot restore map from ${kind}`);
      const map = value as Record<string, unknown>;
      for (const name of Object.keys(map).sort()) walk(map, name, node.element);
      return;
    }
    case 'struct':
      if (kind !== 'map') refuse(`cannot restore struct from: ${kind}`);
      walkStruct(value as Record<string, unknown>, node);
  }
}

function scalar(holder: Holder, key: string | number, node: TypeNode & { kind: 'scalar' }, kind: string): void {
  const { type } = node;
  const value = (holder as Record<string | number, unknown>)[key];
  if (selfReading.has(type)) {
    const plain = settled(value);
    readJson(writeOrdered(plain), node);
    put(holder, key, plain);
    return;
  }
  if (type === 'bytes') {
    bytes(value, kind, node);
    return;
  }
  const go = goNames[type]!;
  const target = node.goType ?? go;
  if (type === 'string') {
    if (kind === 'string') return;
    refuse(kind === 'int64' ? `cannot convert int64 to ${target}` : `unrecognized type: ${go}`);
  }
  if (type === 'boolean') {
    if (kind !== 'bool') refuse(`unrecognized type: ${go}`);
    return;
  }
  if (kind !== 'int64' && kind !== 'float64') refuse(`unrecognized type: ${go}`);
  const number = settled(value) as number | bigint;
  if (type === 'double') put(holder, key, number);
  else if (kind === 'float64' && !Number.isInteger(number)) refuse(`cannot convert float64 to ${target}`);
  else put(holder, key, converted(number, type));
}

/** Go's conversion to an integer: a float64 beyond an int64 is the least of them, what is too wide is cut off. */
function converted(number: number | bigint, type: ScalarType): number | bigint {
  const whole = goNumberKind(number) === 'int64' ? BigInt(number) : -(2n ** 63n);
  const narrow = type === 'int32' ? BigInt.asIntN(32, whole) : whole;
  return Number.isSafeInteger(Number(narrow)) ? Number(narrow) : narrow;
}

/** The value with the numbers that it keeps as texts made what Go holds. */
function settled(value: unknown): unknown {
  if (typeof value === 'symbol') return numberOfText(numberText(value));
  if (Array.isArray(value)) return value.map(settled);
  if (value === null || typeof value !== 'object') return value;
  const out: Record<string, unknown> = {};
  for (const [name, item] of Object.entries(value)) setOwn(out, name, settled(item));
  return out;
}

function bytes(value: unknown, kind: string, node: TypeNode): void {
  if (kind !== 'string') refuse(`cannot restore slice from ${kind}`);
  try {
    readJson(JSON.stringify(value), node);
  } catch (error) {
    if (error instanceof InputError) refuse(`error decoding from json: ${error.message}`);
    throw error;
  }
}

function put(holder: Holder, key: string | number, value: unknown): void {
  if (Array.isArray(holder)) holder[Number(key)] = value;
  else setOwn(holder, String(key), value);
}
