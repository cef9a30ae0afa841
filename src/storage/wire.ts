/**
 * A small protobuf codec for the messages of etcd's API, KMS plug-ins and external signers, driven by tables. Numbers
 * are JavaScript numbers: revisions and lease ids here stay below 2^53; cluster and member ids, which do not, are in no
 * table. Unknown fields are skipped, absent ones take proto3's defaults.
 */

/** A scalar kind, or the table of a nested message. */
export type FieldKind = 'int' | 'bool' | 'bytes' | 'text' | Table;
export interface Field {
  readonly number: number;
  readonly kind: FieldKind;
  readonly repeated?: boolean;
  /** Absent rather than its default when not on the wire (members of a oneof, nested messages). */
  readonly optional?: boolean;
}
export type Table = Readonly<Record<string, Field>>;
export type Message = Readonly<Record<string, unknown>>;

const varint = 0;
const lengthDelimited = 2;

class Writer {
  readonly chunks: Uint8Array[] = [];
  length = 0;

  raw(bytes: Uint8Array): void {
    this.chunks.push(bytes);
    this.length += bytes.length;
  }

  varint(value: number): void {
    const out: number[] = [];
    let rest = value;
    while (rest >= 0x80) {
      out.push((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    out.push(rest);
    this.raw(Uint8Array.from(out));
  }
}

export function encode(table: Table, message: Message): Buffer {
  const writer = new Writer();
  writeMessage(writer, table, message);
  return Buffer.concat(writer.chunks, writer.length);
}

function writeMessage(writer: Writer, table: Table, message: Message): void {
  for (const [name, value] of Object.entries(message)) {
    const field = table[name];
    if (!field) throw new TypeError(`no field ${name}`);
    if (field.repeated) for (const each of value as unknown[]) writeField(writer, field, each);
    else if (value !== undefined) writeField(writer, field, value);
  }
}

function writeField(writer: Writer, { number, kind, repeated, optional }: Field, value: unknown): void {
  if (kind === 'int' || kind === 'bool') {
    if (!value && !repeated && !optional) return;
    writer.varint(number * 8 + varint);
    writer.varint(Number(value));
    return;
  }
  let body: Uint8Array;
  if (kind === 'bytes') body = value as Uint8Array;
  else if (kind === 'text') body = Buffer.from(value as string);
  else body = encode(kind, value as Message);
  // To etcd an empty end of a range that is on the wire means "to the end".
  if (body.length === 0 && !repeated && !optional) return;
  writer.varint(number * 8 + lengthDelimited);
  writer.varint(body.length);
  writer.raw(body);
}

/** Bytes in the result are views of `bytes`. */
export function decode(table: Table, bytes: Uint8Array): Message {
  const byNumber = new Map(Object.entries(table).map(([name, field]) => [field.number, { name, field }]));
  const message: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(table)) {
    if (field.repeated) message[name] = [];
    else if (!field.optional) message[name] = defaultOf(field.kind);
  }
  const reader = { bytes, at: 0 };
  while (reader.at < bytes.length) {
    const tag = readVarint(reader);
    const found = byNumber.get(Math.floor(tag / 8));
    const value = readValue(reader, tag % 8, found?.field.kind);
    if (!found) continue;
    if (found.field.repeated) (message[found.name] as unknown[]).push(value);
    else message[found.name] = value;
  }
  return message;
}

interface Reader {
  readonly bytes: Uint8Array;
  at: number;
}

function readVarint(reader: Reader): number {
  let value = 0;
  for (let factor = 1; ; factor *= 0x80) {
    const byte = reader.bytes[reader.at++];
    if (byte === undefined) throw new RangeError('truncated message');
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return value;
  }
}

function readValue(reader: Reader, wire: number, kind: FieldKind | undefined): unknown {
  if (wire === varint) {
    const value = readVarint(reader);
    return kind === 'bool' ? value !== 0 : negative(value);
  }
  const length = wire === lengthDelimited ? readVarint(reader) : wire === 1 ? 8 : 4;
  const body = reader.bytes.subarray(reader.at, reader.at + length);
  if (body.length < length) throw new RangeError('truncated message');
  reader.at += length;
  if (kind === undefined || kind === 'bytes') return body;
  if (kind === 'text') return Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8');
  return typeof kind === 'string' ? body : decode(kind, body);
}

/** Two's complement of 64 bits; only small negative numbers (a watch id of -1) come this way. */
function negative(value: number): number {
  return value >= 2 ** 63 ? -1 : value;
}

function defaultOf(kind: FieldKind): unknown {
  if (kind === 'int') return 0;
  if (kind === 'bool') return false;
  if (kind === 'text') return '';
  return kind === 'bytes' ? new Uint8Array(0) : {};
}
