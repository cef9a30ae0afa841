/**
 * The JSON reader of write paths: one pass over the text gives the value as Go would hold it, and what strict field
 * validation has to say. Upstream: sigs.k8s.io/json (decode.go, kubernetes_patch.go), the UnmarshalJSON methods of
 * meta/v1 and api/resource.
 *
 * Against the type: fields stand in its order and keys of maps sorted; names are case-sensitive; null and, where Go omits it, the zero value vanish; quantities, times,
 * durations and base64 become canonical; integers are checked, and kept exactly as bigint beyond 2^53. The texts of
 * errors are Go's: a syntax error wins, then the first refusal of a parser (a time, a quantity), then the first type
 * mismatch. A field that comes twice is decoded into the value that is there, as Go does.
 */

import { canonicalDuration } from '../duration.ts';
import { goQuote } from '../field.ts';
import { InputError } from '../input-error.ts';
import { canonicalQuantity } from '../quantity.ts';
import type { AnyNode, FieldNode, ScalarType, StructNode, TypeNode } from '../schema/type-node.ts';
import { canonicalMicroTime, canonicalTime } from '../time.ts';
import { canonicalBase64 } from './bytes.ts';
import { embeddedPath, goStructName, goTypeName } from './go-type.ts';
import { exactNumber } from './number-text.ts';
import { JsonScanner } from './scanner.ts';

/** A plain object that is being built. */
type Building = Record<string, unknown>;

export interface JsonReadResult {
  readonly value: unknown;
  /** What strict validation refuses and lenient validation warns of, in order: `unknown field "spec.x"` … */
  readonly strictErrors: readonly string[];
}

/** Upstream keeps no more strict errors than this. */
const maxStrictErrors = 100;

/** Sets a property of its own, whatever its name: `__proto__` is data like any other. */
export function setOwn(target: Building, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
  } else target[key] = value;
}

/**
 * Reads `text` as a value of the type. Throws InputError `json` with Go's text: of a syntax error, or of a mismatch.
 * Nothing of the result is shared. A JSON null is an empty struct.
 */
export function readJson(text: string | Uint8Array, node: TypeNode): JsonReadResult {
  const source = typeof text === 'string' ? text : decodeUtf8(text);
  const reader = new TypedReader(source, typeof text === 'string' ? undefined : text);
  const value = reader.value(node, undefined);
  reader.end();
  reader.throwSaved();
  return {
    value: value === undefined && node.kind === 'struct' ? {} : (value ?? null),
    strictErrors: reader.strictErrors,
  };
}

/** Any JSON, with every number whose text counts kept as its text (see number-text.ts). Throws as `readJson` does. */
export function readExactJson(text: string): unknown {
  const reader = new TypedReader(text);
  reader.exact = true;
  const value = reader.any(reader.peek(), false);
  reader.end();
  return value;
}

/** Any JSON, with integers beyond 2^53 exact. Throws as `readJson` does. */
export function readAnyJson(text: string): unknown {
  return wide.test(text) ? readJson(text, { kind: 'any' }).value : JSON.parse(text);
}

/** Digits that a double may not hold. */
const wide = /[0-9]{16}/;

/** UTF-8 bytes as a string; what is not UTF-8 becomes U+FFFD, a byte order mark stays. */
export function decodeUtf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

/** The zero value that Go has for an element of this type. */
export function zeroValue(node: TypeNode): unknown {
  if (node.kind === 'struct') return {};
  if (node.kind !== 'scalar') return null;
  switch (node.type) {
    case 'string':
      return '';
    case 'boolean':
      return false;
    case 'int32':
    case 'int64':
    case 'double':
    case 'intOrString':
      return 0;
    case 'quantity':
      return '0';
    case 'duration':
      return '0s';
    default:
      return null;
  }
}

/** What a null element of a map or list becomes: no bytes are empty ones, for protobuf cannot tell them apart. */
function zeroElement(node: TypeNode): unknown {
  return node.kind === 'scalar' && node.type === 'bytes' ? '' : zeroValue(node);
}

/** A value that Go cannot tell from none: the zero of a field that is no pointer. It is written where Go writes it. */
export function isZeroScalar({ node, nullable }: FieldNode, value: unknown): boolean {
  if (nullable || node.kind !== 'scalar' || node.type === 'bytes') return false;
  // A number or a string is the number 0 when it is nothing; the empty string is a string.
  if (node.type === 'intOrString') return value === 0;
  return value === '' || value === 0 || value === false;
}

/** A list or map that is there, be it empty: Go tells it from an absent one, and messages show it, until it is written. */
function isCollection({ node }: FieldNode, value: unknown): boolean {
  return value !== undefined && value !== null && (node.kind === 'list' || node.kind === 'map');
}

/** True when Go leaves the field out because of this value. */
export function isOmitted(field: FieldNode, value: unknown): boolean {
  if (value === undefined || value === null) return field.omitEmpty || field.nullable;
  if (!field.omitEmpty) return false;
  const { node } = field;
  // An empty list of managers is a client's wish to start over, which Go tells from an absent one.
  if (node.kind === 'list') return (value as unknown[]).length === 0 && field.name !== 'managedFields';
  if (node.kind === 'map') return isEmptyObject(value as object);
  if (node.kind === 'scalar' && node.type === 'bytes') return value === '';
  if (field.nullable) return false;
  if (node.kind === 'struct') return isEmptyObject(value as object);
  return value === '' || value === 0 || value === false;
}

function isEmptyObject(value: object): boolean {
  for (const _ in value) return false;
  return true;
}

/** Whether fields came in the order of the type, as servers send them. */
function inOrder(node: StructNode, seen: readonly string[]): boolean {
  const names = node.fields.keys();
  for (const name of seen) {
    let next = names.next();
    while (!next.done && next.value !== name) next = names.next();
    if (next.done) return false;
  }
  return true;
}

/** The value with its fields in the order of the type, as Go prints them. */
function ordered(node: StructNode, value: Building): Building {
  const out: Building = {};
  for (const name of node.fields.keys()) if (Object.hasOwn(value, name)) setOwn(out, name, value[name]);
  if (node.preserveUnknown) {
    for (const name of Object.keys(value)) if (!Object.hasOwn(out, name)) setOwn(out, name, value[name]);
  }
  return out;
}

/** The map with its keys sorted, as Go prints them. */
function sortedMap(value: Building): Building {
  const out: Building = {};
  for (const name of Object.keys(value).sort()) setOwn(out, name, value[name]);
  return out;
}

type Union = NonNullable<AnyNode['union']>;

class TypedReader extends JsonScanner {
  readonly strictErrors: string[] = [];
  /** Numbers of any type are kept as they are written. */
  exact = false;
  /** Where the reader is: fields of structs, keys of maps, indexes of lists. */
  readonly #frames: (FieldNode | string | number)[] = [];
  readonly #owners: (StructNode | undefined)[] = [];
  #top = 0;
  #mismatch: string | undefined;
  /** Above zero within values that Go reads with a decoder that is not strict. */
  #lenient = 0;
  #refusal: string | undefined;

  throwSaved(): void {
    const message = this.#refusal ?? this.#mismatch;
    if (message !== undefined) throw new InputError('json', message);
  }

  /** Reads the next value; undefined for null. `into` is what a duplicate field held before. */
  value(node: TypeNode, into: unknown): unknown {
    const code = this.peek();
    if (code === 110) {
      this.literal('null');
      return undefined;
    }
    switch (node.kind) {
      case 'scalar':
        return this.#scalar(node.type, node, code);
      case 'struct':
        return code === 123 ? this.#struct(node, into) : this.#wrong(node, code);
      case 'map':
        return code === 123 ? this.#map(node.element, into) : this.#wrong(node, code);
      case 'list':
        return code === 91 ? this.#list(node.element, into) : this.#wrong(node, code);
      case 'any':
        return node.union === undefined ? this.any(code, true) : this.#union(node.union, code);
    }
  }

  /**
   * A schema, or a list of them, or something else: the unions of JSONSchemaProps. They decode their text themselves, so
   * that fields that they do not know are no concern of strict validation. What is of no kind they know is nothing, but
   * where only a boolean may stand beside a schema.
   */
  #union({ type, schema }: Union, code: number): unknown {
    const inner: TypeNode | undefined =
      code === 123
        ? schema
        : code !== 91 || type === 'schemaOrBool'
          ? undefined
          : { kind: 'list', element: type === 'schemaOrArray' ? schema : { kind: 'scalar', type: 'string' } };
    if (inner !== undefined) return this.#apart(inner);
    const text = this.skip();
    if (type !== 'schemaOrBool') return undefined;
    if (text === 'true' || text === 'false') return text === 'true';
    this.#refusal ??= 'boolean or JSON schema expected';
    return undefined;
  }

  /** Reads what a type of Go decodes itself: strict errors are not told, a wrong type ends the decoding at once. */
  #apart(node: TypeNode): unknown {
    const before = this.#mismatch;
    this.#mismatch = undefined;
    this.#lenient++;
    const value = this.value(node, undefined);
    this.#lenient--;
    this.#refusal ??= this.#mismatch;
    this.#mismatch = before;
    return Array.isArray(value) && value.length === 0 ? undefined : value;
  }

  #struct(node: StructNode, into: unknown): unknown {
    const out = (into as Building | undefined) ?? {};
    this.enter();
    if (this.peek() === 125) {
      this.leave();
      return out;
    }
    const top = this.#top++;
    const seen: string[] = [];
    do {
      const key = this.key();
      const field = node.fields.get(key);
      if (field === undefined) {
        this.#top = top;
        if (node.preserveUnknown) this.#keepUnknown(out, key, top);
        else {
          this.#strict('unknown', key);
          this.skip();
        }
      } else {
        const again = seen.includes(key);
        if (again) {
          this.#top = top;
          this.#strict('duplicate', key);
        } else seen.push(key);
        this.#frames[top] = field;
        this.#owners[top] = node;
        this.#top = top + 1;
        const value = this.value(field.node, again || into !== undefined ? out[key] : undefined);
        if (isCollection(field, value) || !(isOmitted(field, value) || isZeroScalar(field, value))) {
          if (value !== undefined) out[key] = value;
        } else if (again) delete out[key];
      }
    } while (this.more(125, 'after object key:value pair'));
    this.#top = top;
    this.leave();
    return inOrder(node, seen) ? out : ordered(node, out);
  }

  #keepUnknown(out: Building, key: string, top: number): void {
    if (Object.hasOwn(out, key)) this.#strict('duplicate', key);
    this.#frames[top] = key;
    this.#owners[top] = undefined;
    this.#top = top + 1;
    setOwn(out, key, this.any(this.peek(), true));
  }

  #map(element: TypeNode, into: unknown): unknown {
    const out = (into as Building | undefined) ?? {};
    this.enter();
    if (this.peek() === 125) {
      this.leave();
      return out;
    }
    const top = this.#top;
    const seen = into === undefined ? undefined : new Set<string>();
    let previous = '';
    let sorted = into === undefined;
    do {
      const key = this.key();
      sorted &&= key > previous;
      previous = key;
      if (seen === undefined ? Object.hasOwn(out, key) : seen.has(key)) this.#strict('duplicate', key);
      seen?.add(key);
      this.#frames[top] = key;
      this.#owners[top] = this.#owners[top - 1];
      this.#top = top + 1;
      const value = this.value(element, undefined);
      setOwn(out, key, value === undefined ? zeroElement(element) : value);
      this.#top = top;
    } while (this.more(125, 'after object key:value pair'));
    this.leave();
    return sorted ? out : sortedMap(out);
  }

  #list(element: TypeNode, into: unknown): unknown {
    const before = (into as unknown[] | undefined) ?? [];
    const out: unknown[] = [];
    this.enter();
    if (this.peek() === 93) {
      this.leave();
      return out;
    }
    const top = this.#top;
    do {
      this.#frames[top] = out.length;
      this.#owners[top] = this.#owners[top - 1];
      this.#top = top + 1;
      const value = this.value(element, element.kind === 'struct' ? before[out.length] : undefined);
      out.push(value === undefined ? zeroElement(element) : value);
    } while (this.more(93, 'after array element'));
    this.#top = top;
    this.leave();
    return out;
  }

  /** Reads any value. Duplicates are reported when `strict`; the last one counts. */
  any(code: number, strict: boolean): unknown {
    switch (code) {
      case 34:
        return this.string();
      case 123:
        return this.#anyObject(strict);
      case 91:
        return this.#anyList(strict);
      case 116:
        this.literal('true');
        return true;
      case 102:
        this.literal('false');
        return false;
      case 110:
        this.literal('null');
        return null;
      default:
        if (!(code === 45 || (code >= 48 && code <= 57))) this.unexpected('looking for beginning of value');
        return this.exact ? exactNumber(this.number()) : anyNumber(this.number());
    }
  }

  #anyObject(strict: boolean): unknown {
    const out: Building = {};
    this.enter();
    if (this.peek() === 125) {
      this.leave();
      return out;
    }
    const top = this.#top;
    do {
      const key = this.key();
      if (strict && Object.hasOwn(out, key)) this.#strict('duplicate', key);
      this.#frames[top] = key;
      this.#owners[top] = undefined;
      this.#top = top + 1;
      setOwn(out, key, this.any(this.peek(), strict));
      this.#top = top;
    } while (this.more(125, 'after object key:value pair'));
    this.leave();
    return out;
  }

  #anyList(strict: boolean): unknown {
    const out: unknown[] = [];
    this.enter();
    if (this.peek() === 93) {
      this.leave();
      return out;
    }
    const top = this.#top;
    do {
      this.#frames[top] = out.length;
      this.#owners[top] = undefined;
      this.#top = top + 1;
      out.push(this.any(this.peek(), strict));
    } while (this.more(93, 'after array element'));
    this.#top = top;
    this.leave();
    return out;
  }

  #scalar(type: ScalarType, node: TypeNode, code: number): unknown {
    switch (type) {
      case 'string':
        return code === 34 ? this.string() : this.#wrong(node, code);
      case 'boolean':
        if (code === 116) {
          this.literal('true');
          return true;
        }
        if (code !== 102) return this.#wrong(node, code);
        this.literal('false');
        return false;
      case 'int32':
      case 'int64':
        return isNumber(code) ? this.#integer(type, goTypeName(node), false) : this.#wrong(node, code);
      case 'double':
        return isNumber(code) ? this.#double(node) : this.#wrong(node, code);
      case 'intOrString':
        if (code === 34) return this.string();
        return isNumber(code) ? this.#integer('int32', 'int32', true) : this.#refuseType(code, 'int32');
      case 'quantity':
        return this.#parse(canonicalQuantity, code === 34 ? this.string().trim() : this.skip());
      case 'time':
        return code === 34 ? this.#parse(canonicalTime, this.string()) : this.#refuseType(code, 'string');
      case 'microtime':
        return code === 34 ? this.#parse(canonicalMicroTime, this.string()) : this.#refuseType(code, 'string');
      case 'duration':
        return code === 34 ? this.#parse(canonicalDuration, this.string()) : this.#refuseType(code, 'string');
      case 'bytes':
        return this.#bytes(node, code);
      default:
        return this.any(code, false);
    }
  }

  #integer(type: 'int32' | 'int64', goType: string, refuse: boolean): unknown {
    const text = this.number();
    const value = Number(text);
    const plain = /^-?[0-9]+$/.test(text);
    if (plain && type === 'int32' && value >= -2147483648 && value <= 2147483647) return value === 0 ? 0 : value;
    if (plain && type === 'int64') {
      if (Number.isSafeInteger(value)) return value === 0 ? 0 : value;
      const exact = BigInt(text);
      if (BigInt.asIntN(64, exact) === exact) return exact;
    }
    const message = this.#typeError(`number ${text}`, goType);
    if (refuse) this.#refusal ??= message;
    else this.#mismatch ??= message;
    return undefined;
  }

  #double(node: TypeNode): unknown {
    const text = this.number();
    const value = Number(text);
    if (Number.isFinite(value)) return value;
    this.#mismatch ??= this.#typeError(`number ${text}`, goTypeName(node));
    return undefined;
  }

  #bytes(node: TypeNode, code: number): unknown {
    if (code === 91) {
      const numbers = this.#list({ kind: 'scalar', type: 'int32', goType: 'uint8' }, undefined) as number[];
      const bad = numbers.find(value => value < 0 || value > 255);
      if (bad !== undefined) this.#mismatch ??= this.#typeError(`number ${bad}`, 'uint8');
      return Buffer.from(numbers).toString('base64');
    }
    if (code !== 34) return this.#wrong(node, code);
    const read = canonicalBase64(this.string());
    if ('text' in read) return read.text;
    this.#mismatch ??= read.error;
    return undefined;
  }

  /** Runs a parser whose refusal ends Go's decoding, and so wins over mismatches that were seen before. */
  #parse(parse: (text: string) => string | null, text: string): string | undefined {
    try {
      return parse(text) ?? undefined;
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      this.#refusal ??= error.message;
      return undefined;
    }
  }

  #refuseType(code: number, goType: string): undefined {
    this.#refusal ??= this.#typeError(tokenName(code, this), goType);
    this.skip();
    return undefined;
  }

  #wrong(node: TypeNode, code: number): undefined {
    this.#mismatch ??= this.#typeError(tokenName(code, this), goTypeName(node));
    this.skip();
    return undefined;
  }

  #typeError(what: string, goType: string): string {
    const names: string[] = [];
    for (let i = 0; i < this.#top; i++) {
      const frame = this.#frames[i]!;
      if (typeof frame === 'object') {
        const owner = this.#owners[i]!;
        const prefix = frame.embedded
          ? embeddedPath(owner, frame.name)
          : isTypeMeta(owner, frame.name)
            ? 'TypeMeta.'
            : '';
        names.push(prefix + frame.name);
      }
    }
    const owner = this.#top === 0 ? undefined : this.#owners[this.#top - 1];
    if (owner === undefined) return `json: cannot unmarshal ${what} into Go value of type ${goType}`;
    const at = `${goStructName(owner.name)}.${names.join('.')}`;
    return `json: cannot unmarshal ${what} into Go struct field ${at} of type ${goType}`;
  }

  #strict(kind: 'unknown' | 'duplicate', key: string): void {
    if (this.#lenient > 0 || this.strictErrors.length >= maxStrictErrors) return;
    const text = `${kind} field ${goQuote(this.#strictPath(key))}`;
    if (!this.strictErrors.includes(text)) this.strictErrors.push(text);
  }

  #strictPath(key: string): string {
    let path = '';
    for (let i = 0; i < this.#top; i++) {
      const frame = this.#frames[i]!;
      if (typeof frame === 'number') path += `[${frame}]`;
      else path += (path === '' ? '' : '.') + (typeof frame === 'object' ? frame.name : frame);
    }
    return path === '' ? key : `${path}.${key}`;
  }
}

/** Whether Go has the field in the TypeMeta that whole objects embed. */
function isTypeMeta({ name, fields }: StructNode, field: string): boolean {
  if (field !== 'kind' && field !== 'apiVersion') return false;
  return fields.has('metadata') || name.endsWith('.DeleteOptions');
}

const isNumber = (code: number): boolean => code === 45 || (code >= 48 && code <= 57);

/** What Go calls a value in its type errors. Throws the syntax error when there is none. */
function tokenName(code: number, scanner: JsonScanner): string {
  if (code === 34) return 'string';
  if (code === 123) return 'object';
  if (code === 91) return 'array';
  if (code === 116 || code === 102) return 'bool';
  if (!isNumber(code)) scanner.unexpected('looking for beginning of value');
  return 'number';
}

/** A number where any type may stand: exact when it is an integer of 64 bits, a double otherwise. */
function anyNumber(text: string): number | bigint {
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value;
  if (/^-?[0-9]+$/.test(text)) {
    const exact = BigInt(text);
    if (BigInt.asIntN(64, exact) === exact) return exact;
  }
  if (!Number.isFinite(value)) {
    throw new InputError('json', `json: cannot unmarshal number ${text} into Go value of type float64`);
  }
  return value;
}
