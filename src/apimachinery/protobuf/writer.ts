/**
 * Writes protobuf's wire format from the end to the beginning, as gogo does: a message's length is known when its tag is
 * to be written, so nothing is measured beforehand. One writer makes one message; the buffer doubles when it is full.
 */
export class WireWriter {
  #buffer: Buffer;
  /** First byte written so far; what follows is the message. */
  #at: number;

  constructor(sizeHint = 1024) {
    this.#buffer = Buffer.allocUnsafeSlow(sizeHint);
    this.#at = sizeHint;
  }

  /** Bytes written so far; the difference of two readings is a length. */
  get length(): number {
    return this.#buffer.length - this.#at;
  }

  /** What was written. The view is the caller's: write nothing after it. */
  finish(): Buffer {
    return this.#buffer.subarray(this.#at);
  }

  #room(bytes: number): void {
    if (this.#at >= bytes) return;
    const used = this.length;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, used + bytes));
    this.#buffer.copy(larger, larger.length - used, this.#at);
    this.#at = larger.length - used;
    this.#buffer = larger;
  }

  byte(value: number): void {
    this.#room(1);
    this.#buffer[--this.#at] = value;
  }

  /** A number from 0 to 2^53 - 1. */
  varint(value: number): void {
    if (value < 0x80) {
      this.byte(value);
      return;
    }
    let size = 1;
    for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 128)) size++;
    this.#room(size);
    this.#at -= size;
    let at = this.#at;
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#buffer[at] = rest;
  }

  /** A signed 64-bit number. */
  int64(value: number | bigint): void {
    if (typeof value === 'number' && value >= 0) {
      this.varint(value);
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    const bytes: number[] = [];
    while (rest >= 0x80n) {
      bytes.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    bytes.push(Number(rest));
    this.bytes(Uint8Array.from(bytes));
  }

  double(value: number): void {
    this.#room(8);
    this.#at -= 8;
    this.#buffer.writeDoubleLE(value, this.#at);
  }

  bytes(value: Uint8Array): void {
    this.#room(value.length);
    this.#at -= value.length;
    this.#buffer.set(value, this.#at);
  }

  /** UTF-8 text with its length before it. */
  text(value: string): void {
    const { length } = value;
    if (length <= 64 && this.#ascii(value)) {
      this.varint(length);
      return;
    }
    const size = Buffer.byteLength(value);
    this.#room(size);
    this.#at -= size;
    this.#buffer.utf8Write(value, this.#at, size);
    this.varint(size);
  }

  /** Writes a short text of ASCII; false, with nothing written, if it is none. */
  #ascii(value: string): boolean {
    const { length } = value;
    this.#room(length);
    const begin = this.#at - length;
    const buffer = this.#buffer;
    for (let i = 0; i < length; i++) {
      const char = value.charCodeAt(i);
      if (char > 127) return false;
      buffer[begin + i] = char;
    }
    this.#at = begin;
    return true;
  }
}
