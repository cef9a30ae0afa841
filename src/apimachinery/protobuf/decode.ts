/**
 * Decodes messages into the JSON shape in which objects live here: camel-case names, times and quantities as text,
 * integers beyond 2^53 as bigint. What JSON would leave out is left out, so that an object that came as protobuf equals
 * the same object that came as JSON. Field order is that of the wire; the JSON writer puts it in Go's order.
 * Upstream: the generated.pb.go files; texts of errors are theirs.
 * Deviation: in strings, bytes that are not UTF-8 become U+FFFD; Go keeps them, and shows them as `\xff`.
 */

import { formatGoDuration } from '../duration.ts';
import { InputError } from '../input-error.ts';
import { readAnyJson } from '../json/read.ts';
import { canonicalQuantity } from '../quantity.ts';
import type { ListNode, StructNode } from '../schema/type-node.ts';
import { goFieldName } from './go-field-name.ts';
import { codes, type FieldPlan, type MessagePlan, planOf, type ValuePlan, valuePlan } from './plan.ts';
import { refuse, WireReader } from './reader.ts';

type Building = Record<string, unknown>;

/** Fields of small messages that are bytes. */
const ofBytes: ReadonlySet<string> = new Set(['Raw', 'StrVal', 'String_']);

/** Messages in messages; JSON is read no deeper either. */
const maxDepth = 1000;

/** Decodes a message. The result shares nothing with `bytes`. Throws InputError `protobuf`. */
export function readProtobuf(bytes: Uint8Array, node: StructNode): Record<string, unknown> {
  const decoder = new Decoder(bytes);
  const target: Building = {};
  decoder.message(planOf(node), target, bytes.byteLength, 0);
  return target;
}

function setOwn(target: Building, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
  } else target[key] = value;
}

class Decoder {
  readonly #reader: WireReader;
  /** The message that the field being read stands in. */
  #plan: MessagePlan | undefined;

  constructor(bytes: Uint8Array) {
    this.#reader = new WireReader(bytes);
  }

  /** Reads up to `end` into `target`. */
  message(plan: MessagePlan, target: Building, end: number, depth: number): void {
    if (depth > maxDepth) refuse('proto: exceeded maximum nesting depth');
    const reader = this.#reader;
    const outerEnd = reader.end;
    reader.end = end;
    const { byNumber } = plan;
    while (reader.at < end) {
      const tag = reader.varint32();
      const number = tag >>> 3;
      const wireType = tag & 7;
      const field = byNumber[number];
      if (field === undefined || wireType === 4) {
        if (wireType === 4) refuse(`proto: ${plan.name}: wiretype end group for non-group`);
        if (number === 0) refuse(`proto: ${plan.name}: illegal tag ${number} (wire type ${tag})`);
        reader.skip(wireType);
      } else {
        this.#plan = plan;
        this.#field(field, wireType, target, depth);
      }
    }
    reader.end = outerEnd;
  }

  #field(field: FieldPlan, wireType: number, target: Building, depth: number): void {
    const { value, name } = field;
    if (field.shape === 'single') {
      // A message that comes twice is merged; a value that comes twice is replaced.
      const before = value.code === codes.struct ? target[name] : undefined;
      const item = this.#value(field, value, wireType, depth, before);
      if (item === undefined || (field.dropZero && (item === '' || item === 0 || item === false))) {
        if (name in target) delete target[name];
      } else target[name] = item;
    } else if (field.shape === 'list') {
      const list = (target[name] ??= []) as unknown[];
      if (wireType === 2 && value.code >= codes.boolean && value.code <= codes.double) this.#packed(value.code, list);
      else list.push(this.#value(field, value, wireType, depth, undefined) ?? null);
    } else if (field.shape === 'map') {
      if (wireType !== 2) this.#wrongType(field, wireType);
      this.#mapEntry(field, (target[name] ??= {}) as Building, depth);
    } else {
      if (wireType !== 2) this.#wrongType(field, wireType);
      this.message(value.struct(), target, this.#reader.lengthEnd(), depth + 1);
    }
  }

  /** One value. `before` is the message that the field has already. */
  #value(field: FieldPlan, plan: ValuePlan, wireType: number, depth: number, before: unknown): unknown {
    const { code } = plan;
    const reader = this.#reader;
    if (wireType !== plan.wireType) this.#wrongType(field, wireType);
    switch (code) {
      case codes.string:
        return reader.text(reader.lengthEnd());
      case codes.boolean:
        return reader.int64() !== 0;
      case codes.int32:
        return reader.varint32() | 0;
      case codes.int64:
        return reader.int64();
      case codes.double:
        return reader.double();
      case codes.bytes:
        return reader.base64(reader.lengthEnd());
      case codes.struct: {
        const target = (before as Building | undefined) ?? {};
        this.message(plan.struct(), target, reader.lengthEnd(), depth + 1);
        return target;
      }
      default:
        return this.#special(plan, depth);
    }
  }

  #wrongType(field: FieldPlan, wireType: number): never {
    const name = this.#plan === undefined ? field.name : goFieldName(this.#plan, field);
    return refuse(`proto: wrong wireType = ${wireType} for field ${name}`);
  }

  #packed(code: number, list: unknown[]): void {
    const reader = this.#reader;
    const end = reader.lengthEnd();
    while (reader.at < end) {
      if (code === codes.double) list.push(reader.double());
      else if (code === codes.int32) list.push(reader.varint32() | 0);
      else list.push(code === codes.boolean ? reader.int64() !== 0 : reader.int64());
    }
  }

  #mapEntry(field: FieldPlan, target: Building, depth: number): void {
    const reader = this.#reader;
    const end = reader.lengthEnd();
    const outerEnd = reader.end;
    reader.end = end;
    let key = '';
    let value: unknown;
    while (reader.at < end) {
      const tag = reader.varint32();
      if (tag >>> 3 === 1) key = reader.text(reader.lengthEnd());
      else if (tag >>> 3 === 2) value = this.#value(field, field.value, tag & 7, depth + 1, undefined);
      else reader.skip(tag & 7);
    }
    reader.end = outerEnd;
    setOwn(target, key, value ?? zeroOf(field.value.code));
  }

  /** The messages that JSON shows as one value. Undefined is JSON's null. */
  #special(plan: ValuePlan, depth: number): unknown {
    const reader = this.#reader;
    const end = reader.lengthEnd();
    const outerEnd = reader.end;
    reader.end = end;
    const value = this.#specialBody(plan, end, depth);
    reader.end = outerEnd;
    return value;
  }

  #specialBody(plan: ValuePlan, end: number, depth: number): unknown {
    switch (plan.code) {
      case codes.quantity:
        return this.#quantity(end);
      case codes.time:
      case codes.microtime:
        return this.#time(end, plan.code === codes.microtime);
      case codes.duration: {
        const nanos = this.#scalars(end, ['Duration'])[1] as number | bigint | undefined;
        return formatGoDuration(BigInt(nanos ?? 0));
      }
      case codes.intOrString: {
        const [, type = 0, intVal = 0, strVal = ''] = this.#scalars(end, ['Type', 'IntVal', 'StrVal']);
        return type === 0 ? Number(intVal) | 0 : type === 1 ? textOf(strVal) : 0;
      }
      case codes.raw:
        return this.#raw(end);
      case codes.wrapped:
        return this.#wrapped(plan.node as ListNode, end, depth);
      default:
        return this.#union(plan, end, depth);
    }
  }

  /** The first fields of a small message, whose names are given: numbers, or bytes where the name is of some. */
  #scalars(end: number, names: readonly string[]): unknown[] {
    const reader = this.#reader;
    const found: unknown[] = [];
    while (reader.at < end) {
      const tag = reader.varint32();
      const number = tag >>> 3;
      const name = names[number - 1];
      if (name === undefined) reader.skip(tag & 7);
      else if ((tag & 7) !== (ofBytes.has(name) ? 2 : 0))
        refuse(`proto: wrong wireType = ${tag & 7} for field ${name}`);
      else found[number] = (tag & 7) === 0 ? reader.int64() : reader.bytes(reader.lengthEnd());
    }
    return found;
  }

  #quantity(end: number): string {
    const text = textOf(this.#scalars(end, ['String_'])[1] ?? '');
    try {
      return text === '' ? '0' : canonicalQuantity(text);
    } catch (cause) {
      if (cause instanceof InputError) throw new InputError('protobuf', cause.message, { cause });
      throw cause;
    }
  }

  #time(end: number, micro: boolean): string | undefined {
    if (this.#reader.at === end) return undefined;
    const [, seconds = 0, nanos = 0] = this.#scalars(end, ['Seconds', 'Nanos']);
    const whole = Number(seconds);
    if (whole === goZeroSeconds) return undefined;
    // Outside these Go could not write the time as JSON either.
    if (!(whole > goZeroSeconds && whole <= lastSecond)) refuse('year is not in the range [0, 9999]');
    const text = formatSeconds(whole);
    if (!micro) return text;
    const micros = Math.floor(Number(nanos) / 1000);
    return `${text.slice(0, 19)}.${String(micros).padStart(6, '0')}Z`;
  }

  #raw(end: number): unknown {
    const raw = this.#scalars(end, ['Raw'])[1];
    const text = textOf(raw ?? '');
    if (text === '') return undefined;
    try {
      const value: unknown = readAnyJson(text);
      return value ?? undefined;
    } catch (cause) {
      return refuseJson(cause);
    }
  }

  #wrapped(node: ListNode, end: number, depth: number): unknown[] {
    const list: unknown[] = [];
    const element = valuePlan(node.element);
    const items: FieldPlan = wrappedItems(element);
    while (this.#reader.at < end) {
      const tag = this.#reader.varint32();
      if (tag >>> 3 !== 1) this.#reader.skip(tag & 7);
      else list.push(this.#value(items, element, tag & 7, depth + 1, undefined) ?? null);
    }
    return list;
  }

  /** JSONSchemaPropsOrArray, …OrBool, …OrStringArray. Upstream: apiextensions v1 marshal.go. */
  #union(plan: ValuePlan, end: number, depth: number): unknown {
    const reader = this.#reader;
    const type = plan.node.kind === 'any' ? plan.node.union?.type : undefined;
    let schema: Building | undefined;
    let allows = false;
    const schemas: Building[] = [];
    const strings: string[] = [];
    while (reader.at < end) {
      const tag = reader.varint32();
      const number = tag >>> 3;
      const schemaNumber = type === 'schemaOrBool' ? 2 : 1;
      if (type === 'schemaOrBool' && tag === 0x08) allows = reader.int64() !== 0;
      else if ((tag & 7) !== 2 || number < 1 || number > 2) reader.skip(tag & 7);
      else if (number === schemaNumber) this.message(plan.struct(), (schema ??= {}), reader.lengthEnd(), depth + 1);
      else if (type === 'schemaOrStringArray') strings.push(reader.text(reader.lengthEnd()));
      else {
        const item: Building = {};
        this.message(plan.struct(), item, reader.lengthEnd(), depth + 1);
        schemas.push(item);
      }
    }
    if (type === 'schemaOrBool') return schema ?? allows;
    if (type === 'schemaOrArray') return schemas.length > 0 ? schemas : schema;
    return strings.length > 0 ? strings : schema;
  }
}

const two: readonly string[] = Array.from({ length: 100 }, (_, value) => String(value).padStart(2, '0'));

/**
 * RFC 3339 of seconds since 1970, by arithmetic: Date takes five times as long, and an object has a dozen times. Days are
 * counted in eras of 400 years that begin in March.
 */
function formatSeconds(seconds: number): string {
  const days = Math.floor(seconds / 86400);
  const rest = seconds - days * 86400;
  const shifted = days + 719468;
  const era = Math.floor(shifted / 146097);
  const dayOfEra = shifted - era * 146097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36524) - Math.floor(dayOfEra / 146096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1;
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const hour = Math.floor(rest / 3600);
  const minute = Math.floor((rest - hour * 3600) / 60);
  const second = rest - hour * 3600 - minute * 60;
  const century = Math.floor(year / 100);
  return (
    `${two[century]}${two[year - century * 100]}-${two[month]}-${two[day]}` +
    `T${two[hour]}:${two[minute]}:${two[second]}Z`
  );
}

const goZeroSeconds = -62135596800;
const lastSecond = 253402300799;

function textOf(value: unknown): string {
  return value instanceof Buffer ? value.utf8Slice(0, value.length) : String(value);
}

function refuseJson(cause: unknown): never {
  throw new InputError('protobuf', 'json: error calling MarshalJSON: invalid raw JSON', { cause });
}

function wrappedItems(value: ValuePlan): FieldPlan {
  return { name: 'items', number: 1, shape: 'list', value, nullable: true, dropZero: false };
}

/** What a map entry without a value holds. */
function zeroOf(code: number): unknown {
  if (code === codes.boolean) return false;
  if (code === codes.int32 || code === codes.int64 || code === codes.double || code === codes.intOrString) return 0;
  if (code === codes.quantity) return '0';
  if (code === codes.wrapped) return [];
  if (code === codes.time || code === codes.microtime || code === codes.raw) return null;
  if (code === codes.duration) return '0s';
  return code === codes.string || code === codes.bytes ? '' : {};
}
