/**
 * What stands around an object in protobuf: four magic bytes and runtime.Unknown, which names the kind; and the frames
 * of a watch. Upstream: apimachinery pkg/runtime/serializer/protobuf/protobuf.go, pkg/util/framer/framer.go.
 */
import { InputError } from '../input-error.ts';
import type { TypeMeta } from '../meta.ts';
import type { StructNode } from '../schema/type-node.ts';
import { readProtobuf } from './decode.ts';
import { writeMessage } from './encode.ts';
import { planOf } from './plan.ts';
import { refuse, WireReader } from './reader.ts';
import { WireWriter } from './writer.ts';

const magic = Buffer.from([0x6b, 0x38, 0x73, 0x00]);

/** runtime.Unknown. `raw` is a view on the bytes it was read from. */
export interface ProtobufEnvelope extends TypeMeta {
  readonly raw: Uint8Array;
  readonly contentEncoding: string;
  readonly contentType: string;
}

/** Whether the bytes begin as an enveloped object does. */
export function isProtobuf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && magic.every((byte, at) => bytes[at] === byte);
}

function readTypeMeta(bytes: Uint8Array): TypeMeta {
  const reader = new WireReader(bytes);
  const found = { apiVersion: '', kind: '' };
  while (reader.at < reader.end) {
    const number = readField(reader, 'TypeMeta', ['', 'APIVersion', 'Kind']);
    if (number === 1) found.apiVersion = reader.text(reader.lengthEnd());
    else if (number === 2) found.kind = reader.text(reader.lengthEnd());
  }
  return found;
}

/** The number of the next field, whose value comes next; 0 for one that is not known and has been skipped. */
function readField(reader: WireReader, message: string, names: readonly string[]): number {
  const tag = reader.varint32();
  const [number, wireType] = [tag >>> 3, tag & 7];
  if (wireType === 4) refuse(`proto: ${message}: wiretype end group for non-group`);
  if (number === 0) refuse(`proto: ${message}: illegal tag 0 (wire type ${tag})`);
  if (number >= names.length) {
    reader.skip(wireType);
    return 0;
  }
  if (wireType !== 2) refuse(`proto: wrong wireType = ${wireType} for field ${names[number]}`);
  return number;
}

/** Opens the envelope. Throws InputError `protobuf` with upstream's text. */
export function readEnvelope(bytes: Uint8Array): ProtobufEnvelope {
  if (bytes.length === 0) refuse('empty data');
  if (!isProtobuf(bytes)) {
    refuse(`provided data does not appear to be a protobuf message, expected prefix [${[...magic].join(' ')}]`);
  }
  if (bytes.length === magic.length) refuse('empty body');
  const reader = new WireReader(bytes.subarray(magic.length));
  const found = { apiVersion: '', kind: '', raw: Buffer.alloc(0), contentEncoding: '', contentType: '' };
  while (reader.at < reader.end) {
    const number = readField(reader, 'Unknown', ['', 'TypeMeta', 'Raw', 'ContentEncoding', 'ContentType']);
    if (number === 1) Object.assign(found, readTypeMeta(reader.bytes(reader.lengthEnd())));
    else if (number === 2) found.raw = reader.bytes(reader.lengthEnd()) as typeof found.raw;
    else if (number === 3) found.contentEncoding = reader.text(reader.lengthEnd());
    else if (number === 4) found.contentType = reader.text(reader.lengthEnd());
  }
  return found;
}

/**
 * Reads an enveloped object. `resolve` gives the type for what the envelope names, or undefined: then InputError
 * `protobuf` says that the kind is not known. Answers apiVersion and kind with the object's fields.
 */
export function readProtobufObject(
  bytes: Uint8Array,
  resolve: (meta: TypeMeta) => StructNode | undefined,
): Record<string, unknown> & TypeMeta {
  const { apiVersion, kind, raw } = readEnvelope(bytes);
  const node = resolve({ apiVersion, kind });
  if (!node) throw new InputError('protobuf', `no kind "${kind}" is registered for version "${apiVersion}"`);
  return { kind, apiVersion, ...readProtobuf(raw, node) };
}

/** What closes an envelope after `raw`: empty encoding and content type. */
const tail = Buffer.from([0x1a, 0x00, 0x22, 0x00]);

/** Writes the part of an envelope before `raw`, and the magic; `raw` itself has been written. */
function writeHead(writer: WireWriter, meta: Partial<TypeMeta>, rawLength: number): void {
  writer.varint(rawLength);
  writer.byte(0x12);
  const before = writer.length;
  writer.text(meta.kind ?? '');
  writer.byte(0x12);
  writer.text(meta.apiVersion ?? '');
  writer.byte(0x0a);
  writer.varint(writer.length - before);
  writer.byte(0x0a);
  writer.bytes(magic);
}

/** Encodes an object in its envelope; apiVersion and kind are the object's own. */
export function writeProtobufObject(object: object, node: StructNode): Uint8Array {
  const writer = new WireWriter(2048);
  writer.bytes(tail);
  const before = writer.length;
  writeMessage(writer, object as Readonly<Record<string, unknown>>, planOf(node));
  writeHead(writer, object as Partial<TypeMeta>, writer.length - before);
  return writer.finish();
}

/**
 * Objects as items of a list, each with the tag and length before it: every list kind has its items as field 2.
 * `sizeHint`: bytes to begin with.
 */
export function writeProtobufItems(objects: readonly object[], node: StructNode, sizeHint?: number): Uint8Array {
  const writer = new WireWriter(sizeHint);
  const plan = planOf(node);
  for (const object of objects.toReversed()) {
    const before = writer.length;
    writeMessage(writer, object as Readonly<Record<string, unknown>>, plan);
    writer.varint(writer.length - before);
    writer.byte(0x12);
  }
  return writer.finish();
}

/**
 * An enveloped list in pieces that may be sent one after another; `items` are such as {@link writeProtobufItems} makes
 * and are not copied. `metadata` is the message of the ListMeta, field 1 of every list kind.
 */
export function* protobufListPieces(
  meta: TypeMeta,
  metadata: Uint8Array,
  items: readonly Uint8Array[],
): Generator<Uint8Array, void> {
  const first = new WireWriter(metadata.length + 8);
  first.bytes(metadata);
  first.varint(metadata.length);
  first.byte(0x0a);
  let { length } = first;
  for (const each of items) length += each.length;
  const head = new WireWriter(256);
  writeHead(head, meta, length);
  yield head.finish();
  yield first.finish();
  yield* items;
  yield tail;
}

/** A watch event as a frame of `application/vnd.kubernetes.protobuf;stream=watch`; `object` is enveloped. */
export function writeWatchFrame(type: string, object: Uint8Array): Uint8Array {
  const writer = new WireWriter(object.length + 64);
  const before = writer.length;
  writer.bytes(object);
  writer.varint(object.length);
  writer.byte(0x0a);
  writer.varint(writer.length - before);
  writer.byte(0x12);
  writer.text(type);
  writer.byte(0x0a);
  const length = writer.length - before;
  for (const shift of [0, 8, 16, 24]) writer.byte((length >>> shift) & 0xff);
  return writer.finish();
}

/** One event of a watch; `object` is enveloped. */
export interface ProtobufWatchEvent {
  readonly type: string;
  readonly object: Uint8Array;
}

/** Frames longer than this are refused: no object of the API is that long. */
const maxFrameBytes = 16 * 1024 * 1024;

/** Cuts a watch stream into its events. */
export class WatchFrameReader {
  #pending: Buffer = Buffer.alloc(0);

  /** The events that are complete with this chunk. Throws InputError `protobuf` for what is no frame. */
  push(chunk: Uint8Array): ProtobufWatchEvent[] {
    this.#pending = this.#pending.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#pending, chunk]);
    const events: ProtobufWatchEvent[] = [];
    let at = 0;
    while (this.#pending.length - at >= 4) {
      const length = this.#pending.readUInt32BE(at);
      if (length > maxFrameBytes) refuse(`frame of ${length} bytes is too long`);
      if (this.#pending.length - at - 4 < length) break;
      events.push(readWatchEvent(this.#pending.subarray(at + 4, at + 4 + length)));
      at += 4 + length;
    }
    this.#pending = this.#pending.subarray(at);
    return events;
  }
}

function readWatchEvent(bytes: Uint8Array): ProtobufWatchEvent {
  const reader = new WireReader(bytes);
  let type = '';
  let object: Uint8Array = new Uint8Array();
  while (reader.at < reader.end) {
    const tag = reader.varint32();
    if (tag === 0x0a) type = reader.text(reader.lengthEnd());
    else if (tag === 0x12) object = readRawExtension(reader.bytes(reader.lengthEnd()));
    else reader.skip(tag & 7);
  }
  return { type, object };
}

function readRawExtension(bytes: Uint8Array): Uint8Array {
  const reader = new WireReader(bytes);
  let raw: Uint8Array = new Uint8Array();
  while (reader.at < reader.end) {
    const tag = reader.varint32();
    if (tag === 0x0a) raw = reader.bytes(reader.lengthEnd());
    else reader.skip(tag & 7);
  }
  return raw;
}
