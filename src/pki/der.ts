/**
 * DER, as far as certificates and their requests need it: elements, sequences, strings. ITU-T X.690; definite lengths
 * only, which is all that DER has. Throws for what is cut off.
 */

export interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
  /** With tag and length. */
  readonly whole: Uint8Array;
  /** Where the next one begins. */
  readonly end: number;
}

/** The element that begins at `at`. */
export function element(bytes: Uint8Array, at = 0): Element {
  const tag = bytes[at];
  let length = bytes[at + 1];
  let start = at + 2;
  if (tag === undefined || length === undefined) throw new Error('asn1: syntax error: data truncated');
  if (length >= 0x80) {
    const count = length & 0x7f;
    length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + (bytes[start++] ?? 0);
  }
  if (start + length > bytes.length) throw new Error('asn1: syntax error: data truncated');
  const end = start + length;
  return { tag, content: bytes.subarray(start, end), whole: bytes.subarray(at, end), end };
}

/** The elements that one is made of. */
export function children({ content }: Element): Element[] {
  const all: Element[] = [];
  for (let at = 0; at < content.length; ) {
    const next = element(content, at);
    all.push(next);
    at = next.end;
  }
  return all;
}

const BMP_STRING = 0x1e;
export const SEQUENCE: number = 0x30;

/** The characters of a string of any of the kinds that names use. */
export function text({ tag, content }: Element): string {
  const buffer = Buffer.from(content);
  return tag === BMP_STRING ? Buffer.from(buffer).swap16().toString('utf16le') : buffer.toString('utf8');
}
