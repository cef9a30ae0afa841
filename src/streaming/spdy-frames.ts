/** SPDY/3.1 frames as bytes. Pure. SPDY Protocol Draft 3.1, section 2.2. */

export const frameTypes = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

export const fin = 0x01;
/** Status of RST_STREAM. */
export const resets = { protocolError: 1, refused: 3, cancel: 5, internal: 6 } as const;

const frameHeaderBytes = 8;
const controlVersion = 0x8003;

export type Frame =
  | { readonly kind: 'data'; readonly streamId: number; readonly flags: number; readonly body: Buffer }
  | { readonly kind: 'control'; readonly type: number; readonly flags: number; readonly body: Buffer };

/** The frame at the beginning of `bytes` and its length, or undefined when it is not complete. */
export function readFrame(bytes: Buffer): { frame: Frame; length: number } | undefined {
  if (bytes.length < frameHeaderBytes) return undefined;
  const length = frameHeaderBytes + bytes.readUIntBE(5, 3);
  if (bytes.length < length) return undefined;
  const flags = bytes[4]!;
  const body = bytes.subarray(frameHeaderBytes, length);
  if (bytes[0]! & 0x80) {
    return { frame: { kind: 'control', type: bytes.readUInt16BE(2), flags, body }, length };
  }
  return { frame: { kind: 'data', streamId: bytes.readUInt32BE(0), flags, body }, length };
}

export function controlFrame(type: number, flags: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(frameHeaderBytes);
  head.writeUInt16BE(controlVersion, 0);
  head.writeUInt16BE(type, 2);
  head[4] = flags;
  head.writeUIntBE(body.length, 5, 3);
  return Buffer.concat([head, body]);
}

/** Only the head: the data follows. */
export function dataHead(streamId: number, flags: number, length: number): Buffer {
  const head = Buffer.alloc(frameHeaderBytes);
  head.writeUInt32BE(streamId, 0);
  head[4] = flags;
  head.writeUIntBE(length, 5, 3);
  return head;
}

export function uint32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, at) => bytes.writeUInt32BE(value >>> 0, at * 4));
  return bytes;
}

export type SpdyHeaders = Readonly<Record<string, string>>;

/** Name and value pairs, not yet compressed. Names go out in lower case. */
export function encodeHeaders(headers: SpdyHeaders): Buffer {
  const parts = [uint32(Object.keys(headers).length)];
  for (const [name, value] of Object.entries(headers)) {
    const bytes = [Buffer.from(name.toLowerCase(), 'latin1'), Buffer.from(value, 'latin1')];
    for (const each of bytes) parts.push(uint32(each.length), each);
  }
  return Buffer.concat(parts);
}

/** The inverse; several values of one name are joined by NUL as they came. Throws RangeError for what is cut off. */
export function decodeHeaders(bytes: Buffer): SpdyHeaders {
  const headers: Record<string, string> = Object.create(null);
  let at = 0;
  const take = (): string => {
    const length = bytes.readUInt32BE(at);
    at += 4;
    if (length > bytes.length - at) throw new RangeError('header block is cut off');
    const text = bytes.toString('latin1', at, at + length);
    at += length;
    return text;
  };
  const count = bytes.readUInt32BE(0);
  at = 4;
  for (let pair = 0; pair < count; pair++) {
    const name = take().toLowerCase();
    headers[name] = take();
  }
  return headers;
}
