/**
 * Encodes objects in JSON shape to the bytes that upstream's generated code writes: fields by number, values that are no
 * pointers even when they are zero, map entries sorted by key. An absent value is Go's zero value.
 * Upstream: the generated.pb.go files, meta/v1 time_proto.go, api/resource quantity_proto.go.
 */
import { parseGoDuration } from '../duration.ts';
import { InputError } from '../input-error.ts';
import { RawJson, writeOrdered } from '../json/index.ts';
import type { ListNode, StructNode } from '../schema/type-node.ts';
import { codes, type FieldPlan, type MessagePlan, planOf, type ValuePlan, valuePlan } from './plan.ts';
import { WireWriter } from './writer.ts';

type Fields = Readonly<Record<string, unknown>>;

const noFields: Fields = Object.freeze({});

/**
 * Encodes a message. `value` has been validated against the type; a wrong time or number throws InputError `protobuf`.
 * `sizeHint`: bytes to begin with; more are taken when needed.
 */
export function writeProtobuf(value: object, node: StructNode, sizeHint?: number): Uint8Array {
  const writer = new WireWriter(sizeHint);
  writeMessage(writer, value as Fields, planOf(node));
  return writer.finish();
}

/** Writes the fields of a message, without tag and length. */
export function writeMessage(writer: WireWriter, value: Fields, plan: MessagePlan): void {
  for (const field of plan.descending) {
    const item = value[field.name];
    if (field.shape === 'embedded') {
      const before = writer.length;
      writeMessage(writer, value, field.value.struct());
      writer.varint(writer.length - before);
      writer.varint((field.number << 3) | 2);
    } else if (field.shape === 'single') {
      if ((item === undefined || item === null) && field.nullable) continue;
      writeValue(writer, field.number, item, field.value);
    } else if (item === undefined || item === null) {
    } else if (field.shape === 'list') {
      const list = item as readonly unknown[];
      for (let i = list.length - 1; i >= 0; i--) writeValue(writer, field.number, list[i], field.value);
    } else writeMap(writer, field, item as Fields);
  }
}

/** By UTF-8 bytes, as Go sorts strings. */
function byBytes(a: string, b: string): number {
  if (a.isWellFormed() && b.isWellFormed() && /^[\0-\ud7ff]*$/.test(a + b)) return a < b ? -1 : a > b ? 1 : 0;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function writeMap(writer: WireWriter, field: FieldPlan, map: Fields): void {
  const keys = Object.keys(map).sort(byBytes);
  for (let i = keys.length - 1; i >= 0; i--) {
    const key = keys[i]!;
    const before = writer.length;
    writeValue(writer, 2, map[key], field.value);
    writer.text(key);
    writer.byte(0x0a);
    writer.varint(writer.length - before);
    writer.varint((field.number << 3) | 2);
  }
}

/** A value with its tag. */
function writeValue(writer: WireWriter, number: number, value: unknown, plan: ValuePlan): void {
  switch (plan.code) {
    case codes.string:
      writer.text(value === undefined || value === null ? '' : String(value));
      writer.varint((number << 3) | 2);
      return;
    case codes.boolean:
      writer.byte(value === true ? 1 : 0);
      writer.varint(number << 3);
      return;
    case codes.int32:
    case codes.int64:
      writer.int64((value as number | bigint | undefined) ?? 0);
      writer.varint(number << 3);
      return;
    case codes.double:
      writer.double((value as number | undefined) ?? 0);
      writer.varint((number << 3) | 1);
      return;
    case codes.bytes: {
      const bytes = Buffer.from((value as string | undefined) ?? '', 'base64');
      writer.bytes(bytes);
      writer.varint(bytes.length);
      writer.varint((number << 3) | 2);
      return;
    }
    default: {
      const before = writer.length;
      if (plan.code === codes.struct) writeMessage(writer, (value as Fields | null) ?? noFields, plan.struct());
      else writeSpecial(writer, value ?? undefined, plan);
      writer.varint(writer.length - before);
      writer.varint((number << 3) | 2);
    }
  }
}

/** The body of a message that JSON shows as one value. */
function writeSpecial(writer: WireWriter, value: unknown, plan: ValuePlan): void {
  switch (plan.code) {
    case codes.quantity:
      writer.text(value === undefined ? '0' : String(value));
      writer.byte(0x0a);
      return;
    case codes.time:
    case codes.microtime:
      if (value !== undefined) writeTime(writer, value as string, plan.code === codes.microtime);
      return;
    case codes.duration:
      writer.int64(value === undefined ? 0 : parseGoDuration(value as string));
      writer.byte(0x08);
      return;
    case codes.intOrString:
      writeIntOrString(writer, value as number | string | undefined);
      return;
    case codes.raw:
      if (value !== undefined) writeJsonBytes(writer, value);
      return;
    case codes.wrapped: {
      const list = (value as readonly unknown[] | undefined) ?? [];
      const element = valuePlan((plan.node as ListNode).element);
      for (let i = list.length - 1; i >= 0; i--) writeValue(writer, 1, list[i], element);
      return;
    }
    default:
      if (value !== undefined) writeUnion(writer, value, plan);
  }
}

function writeTime(writer: WireWriter, text: string, micro: boolean): void {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new InputError('protobuf', `not a time: ${JSON.stringify(text)}`);
  const micros = micro ? Number((text.match(/\.(\d{1,6})/)?.[1] ?? '').padEnd(6, '0')) : 0;
  writer.varint(micros * 1000);
  writer.byte(0x10);
  writer.int64(Math.floor(ms / 1000));
  writer.byte(0x08);
}

function writeIntOrString(writer: WireWriter, value: number | string | undefined): void {
  const isText = typeof value === 'string';
  writer.text(isText ? value : '');
  writer.byte(0x1a);
  writer.int64(isText ? 0 : (value ?? 0));
  writer.byte(0x10);
  writer.byte(isText ? 1 : 0);
  writer.byte(0x08);
}

function writeJsonBytes(writer: WireWriter, value: unknown): void {
  if (value instanceof RawJson) {
    writer.bytes(value.bytes);
    writer.varint(value.bytes.length);
  } else writer.text(writeOrdered(value));
  writer.byte(0x0a);
}

function writeUnion(writer: WireWriter, value: unknown, plan: ValuePlan): void {
  const type = plan.node.kind === 'any' ? plan.node.union?.type : undefined;
  const schema = (number: number, each: unknown): void => {
    const before = writer.length;
    writeMessage(writer, each as Fields, plan.struct());
    writer.varint(writer.length - before);
    writer.varint((number << 3) | 2);
  };
  if (type === 'schemaOrBool') {
    if (typeof value === 'object') schema(2, value);
    writer.byte(value === false ? 0 : 1);
    writer.byte(0x08);
  } else if (!Array.isArray(value)) schema(1, value);
  else {
    for (const item of value.toReversed()) {
      if (type === 'schemaOrArray') schema(2, item);
      else {
        writer.text(String(item));
        writer.byte(0x12);
      }
    }
  }
}
