/**
 * A cursor over protobuf's wire format. Errors carry the texts of the code that gogo generates for upstream.
 * Every read is bounded by `end`, so a length that lies is an error and never reads beyond its message.
 */
import { InputError } from '../input-error.ts';

/** Refuses the bytes, with upstream's text. */
export function refuse(message: string): never {
  throw new InputError('protobuf', message);
}

const shortString = 32;

export class WireReader {
  readonly #buffer: Buffer;
  /** Next byte to read. */
  at: number;
  /** End of the message that is being read. */
  end: number;

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = 0;
    this.end = bytes.byteLength;
  }

  /** An unsigned number below 2^32; higher bits are dropped, as Go's conversion does. */
  varint32(): number {
    const buffer = this.#buffer;
    if (this.at < this.end) {
      const first = buffer[this.at]!;
      if (first < 0x80) {
        this.at++;
        return first;
      }
    }
    let value = 0;
    for (let shift = 0; shift < 64; shift += 7) {
      if (this.at >= this.end) refuse('unexpected EOF');
      const byte = buffer[this.at++]!;
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    return refuse('proto: integer overflow');
  }

  /** A signed 64-bit number: a bigint where a double is not exact. */
  int64(): number | bigint {
    let low = 0;
    for (let shift = 0; shift < 49; shift += 7) {
      if (this.at >= this.end) refuse('unexpected EOF');
      const byte = this.#buffer[this.at++]!;
      low += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return low;
    }
    let value = BigInt(low);
    for (let shift = 49n; shift < 64n; shift += 7n) {
      if (this.at >= this.end) refuse('unexpected EOF');
      const byte = this.#buffer[this.at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        const signed = BigInt.asIntN(64, value);
        const number = Number(signed);
        return Number.isSafeInteger(number) ? number : signed;
      }
    }
    return refuse('proto: integer overflow');
  }

  /** A length, and the end of what it measures. */
  lengthEnd(): number {
    const first = this.at < this.end ? this.#buffer[this.at]! : 0x80;
    let length: number | bigint;
    if (first < 0x80) {
      this.at++;
      length = first;
    } else length = this.int64();
    if (length < 0) refuse('proto: negative length found during unmarshaling');
    const end = this.at + Number(length);
    if (end > this.end) refuse('unexpected EOF');
    return end;
  }

  /** UTF-8 text up to `end`; bytes that are none become U+FFFD, as in Go's JSON. */
  text(end: number): string {
    const buffer = this.#buffer;
    const begin = this.at;
    this.at = end;
    const length = end - begin;
    if (length === 0) return '';
    if (length > shortString) return buffer.utf8Slice(begin, end);
    for (let i = begin; i < end; i++) if (buffer[i]! > 127) return buffer.utf8Slice(begin, end);
    return buffer.latin1Slice(begin, end);
  }

  /** The bytes up to `end`, a view on the caller's. */
  bytes(end: number): Buffer {
    const view = this.#buffer.subarray(this.at, end);
    this.at = end;
    return view;
  }

  base64(end: number): string {
    const text = this.#buffer.base64Slice(this.at, end);
    this.at = end;
    return text;
  }

  double(): number {
    if (this.at + 8 > this.end) refuse('unexpected EOF');
    const value = this.#buffer.readDoubleLE(this.at);
    this.at += 8;
    return value;
  }

  /** Passes over a field that nobody knows. */
  skip(wireType: number): void {
    let depth = 0;
    let type = wireType;
    for (;;) {
      if (type === 0) this.int64();
      else if (type === 1) this.at += 8;
      else if (type === 2) this.at = this.lengthEnd();
      else if (type === 3) depth++;
      else if (type === 4) {
        if (depth === 0) refuse('proto: unexpected end of group');
        depth--;
      } else if (type === 5) this.at += 4;
      else refuse(`proto: illegal wireType ${type}`);
      if (this.at > this.end) refuse('unexpected EOF');
      if (depth === 0) return;
      type = this.varint32() & 7;
    }
  }
}

declare global {
  // Methods of Node's Buffer that its types leave out: cheaper than toString, which looks the encoding up.
  interface Buffer {
    utf8Slice(start: number, end: number): string;
    latin1Slice(start: number, end: number): string;
    base64Slice(start: number, end: number): string;
    utf8Write(text: string, offset: number, length: number): number;
    latin1Write(text: string, offset: number, length: number): number;
  }
}
