/**
 * One object as it stands in the store: storage-version JSON without resourceVersion, the place where that belongs,
 * and a decoded form that is made when first asked for and always frozen.
 */
import { type Draft, deepFreeze, type KubeObject, readAnyJson } from '#apimachinery';

const brace = Buffer.from('{');
const uidMark = Buffer.from('"uid":"');

/** Members that stand before the uid, of an object that has none: others wrote it into the store. */
const namesOnly = /"metadata":\{(?:"(?:name|generateName|namespace|selfLink)":"(?:[^"\\]|\\.)*",?)+/d;

/** Where `,"resourceVersion":"…"` goes in stored bytes: after the uid, which stands before anything a user can quote. */
export function spliceOffset(bytes: Buffer): number {
  const at = bytes.indexOf(uidMark);
  if (at >= 0) return bytes.indexOf(0x22, at + uidMark.length) + 1;
  const text = bytes.toString('latin1');
  const end = namesOnly.exec(text)?.indices?.[0]?.[1];
  if (end === undefined) throw new Error('a stored object has no name');
  return text[end - 1] === ',' ? end - 1 : end;
}

export class StoredObject {
  readonly key: string;
  /** 0 for what a dry run would have created: it has no resourceVersion. */
  readonly revision: number;
  /** Of the first put, for keys that are deleted and made again. */
  readonly createRevision: number;
  /** It stands in another form than it would be written in: an update writes it even if nothing changed. */
  readonly stale: boolean;
  readonly #bytes: Buffer;
  readonly #offset: number;
  #decoded: KubeObject | undefined;

  constructor(
    key: string,
    bytes: Uint8Array,
    revision: number,
    createRevision: number,
    options: { readonly offset?: number; readonly stale?: boolean | undefined } = {},
  ) {
    this.key = key;
    this.revision = revision;
    this.createRevision = createRevision;
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#offset = options.offset ?? spliceOffset(this.#bytes);
    this.stale = options.stale ?? false;
  }

  /** As stored, without resourceVersion. */
  get stored(): Buffer {
    return this.#bytes;
  }

  /** As sent: with resourceVersion. `skip` leaves out so many bytes after the opening brace (kind and apiVersion in lists). */
  sent(skip = 0): Buffer {
    if (this.revision === 0) return skip === 0 ? this.#bytes : Buffer.concat([brace, this.#bytes.subarray(1 + skip)]);
    return spliced(this.#bytes, this.#offset, this.revision, skip);
  }

  /** The decoded object, frozen; the same one every time. */
  decoded(): KubeObject {
    return (this.#decoded ??= deepFreeze(this.draft()));
  }

  /** A fresh decoded copy that the caller may change. */
  draft(): Draft<KubeObject> {
    const object = readAnyJson(this.#bytes.toString()) as Draft<KubeObject>;
    if (this.revision !== 0) object.metadata.resourceVersion = String(this.revision);
    return object;
  }

  /** The same bytes under another revision: what a DELETED event shows. */
  at(revision: number): StoredObject {
    return new StoredObject(this.key, this.#bytes, revision, this.createRevision, { offset: this.#offset });
  }
}

/** What stands behind the uid of an object as sent. */
export function versionText(revision: number): string {
  return `,"resourceVersion":"${revision}"`;
}

/** `bytes` with the resourceVersion put in at `offset`, less the first `skip` bytes after the opening brace. */
export function spliced(bytes: Buffer, offset: number, revision: number, skip = 0): Buffer {
  const version = versionText(revision);
  const out = Buffer.allocUnsafe(bytes.length + version.length - skip);
  let at = 0;
  if (skip > 0) {
    out[0] = 0x7b;
    at = 1 + bytes.copy(out, 1, 1 + skip, offset);
  } else {
    at = bytes.copy(out, 0, 0, offset);
  }
  at += out.write(version, at, 'latin1');
  bytes.copy(out, at, offset);
  return out;
}
