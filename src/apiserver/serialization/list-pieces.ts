/**
 * A list in any encoding, in pieces: a few elements a turn, so that neither other requests nor other streams of the
 * connection wait for it. Every encoding is its frame, encoded with an empty list, opened where the elements belong.
 * Upstream: apimachinery pkg/runtime/serializer/{json,protobuf}/collections.go, which stream for the same reason.
 */
import { builtinTypes } from '#api/tables';
import { badRequest, indentJson, protobufListPieces, writeProtobuf, writeProtobufItems } from '#apimachinery';
import { type ObjectItem, storedParts } from '../registry/caches.ts';
import type { ServedResource } from '../scheme/resource.ts';
import { headLength, type ListForm } from './list-form.ts';
import type { OutputType } from './negotiation.ts';
import { type PieceBuffers, pieceBytes } from './piece-buffers.ts';
import { encodeAs, textOf, yamlOf } from './respond.ts';
import type { Turns } from './turns.ts';

/** Bytes put one after another until they make a piece. */
class Piece {
  readonly #buffers: PieceBuffers;
  #buffer: Buffer;
  #size = 0;

  constructor(buffers: PieceBuffers) {
    this.#buffers = buffers;
    this.#buffer = buffers.take();
  }

  get full(): boolean {
    return this.#size >= pieceBytes;
  }

  bytes(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#buffer.set(bytes, this.#size);
    this.#size += bytes.length;
  }

  text(text: string): void {
    // A UTF-16 unit is at most three bytes.
    this.#room(text.length * 3);
    this.#size += this.#buffer.write(text, this.#size);
  }

  /** What there is; the piece begins anew. */
  take(): Uint8Array {
    const taken = this.#buffer.subarray(0, this.#size);
    this.#buffer = this.#buffers.take();
    this.#size = 0;
    return taken;
  }

  /** The last one. */
  rest(): Uint8Array {
    return this.#buffer.subarray(0, this.#size);
  }

  #room(sizeBytes: number): void {
    if (this.#size + sizeBytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(this.#size + sizeBytes);
    this.#buffer.copy(larger, 0, 0, this.#size);
    this.#buffers.giveBack(this.#buffer);
    this.#buffer = larger;
  }
}

/** Stored objects as they are, in a JSON list. */
export async function* storedPieces(
  resource: ServedResource,
  form: ListForm,
  items: readonly ObjectItem[],
  buffers: PieceBuffers,
): AsyncGenerator<Uint8Array> {
  const { head, tail } = jsonFrame(form, false);
  const skip = headLength(resource);
  const piece = new Piece(buffers);
  piece.text(head);
  for (const [at, item] of items.entries()) {
    piece.text(at > 0 ? ',{' : '{');
    const parts = storedParts(item, skip);
    piece.bytes(parts.before);
    piece.text(parts.version);
    piece.bytes(parts.after);
    if (piece.full) yield piece.take();
  }
  piece.text(tail);
  yield piece.rest();
}

/** What pieces are made with. */
export interface Making {
  readonly buffers: PieceBuffers;
  /** When to go on with the next elements. */
  readonly turns: Turns;
}

/** Elements made from the decoded objects. */
export function formedPieces(
  form: ListForm,
  output: OutputType,
  items: readonly ObjectItem[],
  making: Making,
): AsyncGenerator<Uint8Array> {
  if (output.mediaType === 'application/vnd.kubernetes.protobuf') return protobufPieces(form, items, making);
  return textPieces(form, output, items, making);
}

interface TextFrame {
  readonly head: string;
  readonly between: string;
  readonly tail: string;
}

function jsonFrame({ frame, elements, struct }: ListForm, pretty: boolean): TextFrame {
  const text = textOf({ ...frame, [elements]: [] }, struct);
  if (!pretty) return { head: text.slice(0, -2), between: ',', tail: ']}\n' };
  const shown = indentJson(text);
  return { head: `${shown.slice(0, -3)}\n    `, between: ',\n    ', tail: '\n  ]\n}' };
}

/** Keys are sorted, so there may be more behind the elements. */
function yamlFrame({ frame, elements, struct }: ListForm): TextFrame {
  const text = yamlOf(textOf({ ...frame, [elements]: [] }, struct));
  const [head, tail] = text.split(new RegExp(`(?<=^${elements}:) \\[\\]\\n`, 'm')) as [string, string];
  return { head: `${head}\n`, between: '', tail };
}

async function* textPieces(
  form: ListForm,
  { mediaType, pretty }: OutputType,
  items: readonly ObjectItem[],
  { buffers, turns }: Making,
): AsyncGenerator<Uint8Array> {
  const yaml = mediaType === 'application/yaml';
  const { head, between, tail } = yaml ? yamlFrame(form) : jsonFrame(form, pretty);
  const textOfElement = (item: ObjectItem): string => {
    const text = textOf(form.element(item.passing), form.elementStruct);
    if (yaml) return yamlOf(`[${text}]`);
    return pretty ? indentJson(text).replaceAll('\n', '\n    ') : text;
  };
  const piece = new Piece(buffers);
  piece.text(head);
  for (const [at, item] of items.entries()) {
    if (at > 0) piece.text(between);
    piece.text(textOfElement(item));
    if (piece.full) yield piece.take();
    if (turns.over(item.bytes.length)) await turns.next();
  }
  piece.text(tail);
  yield piece.rest();
}

/** Lists of more stored bytes are encoded anew for everyone; what smaller ones are encoded to is kept with their items. */
const keptBytes = 40 << 20;

/** The whole list's length stands before it, so all elements are encoded before the first piece. */
async function* protobufPieces(
  form: ListForm,
  items: readonly ObjectItem[],
  { buffers, turns }: Making,
): AsyncGenerator<Uint8Array> {
  const { frame, elementStruct: struct, name } = form;
  if (!struct || name === undefined) throw badRequest('this object has no protobuf form');
  let storedBytes = 0;
  for (const item of items) storedBytes += item.bytes.length;
  const encode = (some: readonly ObjectItem[], sizeBytes: number): Uint8Array =>
    writeProtobufItems(
      some.map(item => form.element(form.read(item))),
      struct,
      Math.ceil(sizeBytes * 0.7),
    );
  const encoded = await (storedBytes <= keptBytes ? kept(items, name, turns, encode) : together(items, turns, encode));
  const listMeta = builtinTypes.struct('io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta');
  const typeMeta = { apiVersion: String(frame['apiVersion']), kind: String(frame['kind']) };
  const piece = new Piece(buffers);
  for (const bytes of protobufListPieces(typeMeta, writeProtobuf(frame['metadata'] as object, listMeta), encoded)) {
    piece.bytes(bytes);
    if (piece.full) yield piece.take();
  }
  yield piece.rest();
}

type EncodeItems = (items: readonly ObjectItem[], sizeBytes: number) => Uint8Array;

/** Each in bytes of its own, which stay with the item of the cache for the next list. */
async function kept(
  items: readonly ObjectItem[],
  name: string,
  turns: Turns,
  encode: EncodeItems,
): Promise<Uint8Array[]> {
  const encoded: Uint8Array[] = [];
  for (const item of items) {
    let work = 64; // bytes, of what is found encoded
    const make = (): Uint8Array => encode([item], (work = item.bytes.length));
    encoded.push(item.form(name, make));
    if (turns.over(work)) await turns.next();
  }
  return encoded;
}

/** Those of a turn in the same bytes: a buffer an object costs as much as a third of the encoding. */
async function together(items: readonly ObjectItem[], turns: Turns, encode: EncodeItems): Promise<Uint8Array[]> {
  const encoded: Uint8Array[] = [];
  let from = 0;
  let sizeBytes = 0;
  for (const [at, item] of items.entries()) {
    sizeBytes += item.bytes.length;
    const over = turns.over(item.bytes.length);
    if (!over && at < items.length - 1) continue;
    encoded.push(encode(items.slice(from, at + 1), sizeBytes));
    from = at + 1;
    sizeBytes = 0;
    await turns.next();
  }
  return encoded;
}

/** A list of nothing. */
export function emptyList({ frame, elements, empty, struct }: ListForm, output: OutputType): Uint8Array {
  return encodeAs({ ...frame, [elements]: empty }, struct, output);
}
