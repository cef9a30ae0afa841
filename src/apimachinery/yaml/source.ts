/**
 * The reader of YAML: bytes as characters. UTF-8, or UTF-16 behind its byte order mark. A byte or character that may not
 * stand in YAML is told of when the scanner looks ahead into the block of 512 bytes that holds it, so before the faults
 * of syntax in that block and after those of the blocks before. Upstream: go.yaml.in/yaml/v2 readerc.go.
 */
import { isUtf8 } from 'node:buffer';

/** How many bytes are read at a time. */
const blockBytes = 512;

export interface YamlSource {
  /** The characters before the block with the fault, if there is one. A byte order mark at the begin is left out. */
  readonly text: string;
  /** Where each block but those of an even text ends, in `text`; undefined when nothing depends on blocks. */
  readonly blockEnds: readonly number[] | undefined;
  /** What is wrong behind `text`. */
  readonly fault: string | undefined;
}

/** What may not stand in YAML, and the mark whose meaning depends on where a block begins. */
const uneven = /[^\t\n\r -~\x85\xa0-\ufefe\uff00-\ufffd]/;

export function readSource(input: string | Uint8Array): YamlSource {
  if (typeof input !== 'string') {
    const wide = (input[0] === 0xff && input[1] === 0xfe) || (input[0] === 0xfe && input[1] === 0xff);
    if (wide || !isUtf8(input)) return readBlocks(input);
  }
  const text = typeof input === 'string' ? input.toWellFormed() : Buffer.from(input).toString();
  const start = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  if (uneven.test(start === 1 ? text.slice(1) : text)) {
    return readBlocks(typeof input === 'string' ? Buffer.from(text) : input);
  }
  return { text: start === 1 ? text.slice(1) : text, blockEnds: undefined, fault: undefined };
}

interface Decoded {
  readonly code: number;
  readonly width: number;
}

/** The character at an offset, undefined when the bytes end within it, or a text that says what is wrong. */
type Decode = (bytes: Uint8Array, at: number, end: number) => Decoded | string | undefined;

function readBlocks(bytes: Uint8Array): YamlSource {
  const [first, second, third] = bytes;
  const little = first === 0xff && second === 0xfe;
  const wide = little || (first === 0xfe && second === 0xff);
  const decode: Decode = wide ? (each, at, end) => utf16(each, at, end, little) : utf8;
  let at = wide ? 2 : first === 0xef && second === 0xbb && third === 0xbf ? 3 : 0;
  let text = '';
  const blockEnds: number[] = [];
  for (let end = Math.min(blockBytes, bytes.length); at < bytes.length; end = Math.min(at + blockBytes, bytes.length)) {
    const codes: number[] = [];
    while (at < end) {
      const char = decode(bytes, at, end);
      if (char === undefined) break;
      if (typeof char === 'string') return { text, blockEnds, fault: char };
      if (!isAllowed(char.code)) return { text, blockEnds, fault: 'control characters are not allowed' };
      codes.push(char.code);
      at += char.width;
    }
    text += String.fromCodePoint(...codes);
    blockEnds.push(text.length);
    if (at < end && end === bytes.length) return { text, blockEnds, fault: cutShort(wide, bytes.length - at) };
  }
  return { text, blockEnds, fault: undefined };
}

function cutShort(wide: boolean, left: number): string {
  if (!wide) return 'incomplete UTF-8 octet sequence';
  return left < 2 ? 'incomplete UTF-16 character' : 'incomplete UTF-16 surrogate pair';
}

function isAllowed(code: number): boolean {
  if (code < 0x20) return code === 0x09 || code === 0x0a || code === 0x0d;
  if (code < 0xa0) return code <= 0x7e || code === 0x85;
  return code !== 0xfffe && code !== 0xffff;
}

/** How many bytes the character has that begins so; 0 for none. */
function widthOf(octet: number): number {
  if (octet < 0x80) return 1;
  if ((octet & 0xe0) === 0xc0) return 2;
  if ((octet & 0xf0) === 0xe0) return 3;
  return (octet & 0xf8) === 0xf0 ? 4 : 0;
}

/** The smallest character that needs so many bytes. */
const smallest = [0, 0, 0x80, 0x800, 0x10000];

function utf8(bytes: Uint8Array, at: number, end: number): Decoded | string | undefined {
  const octet = bytes[at]!;
  const width = widthOf(octet);
  if (width === 0) return 'invalid leading UTF-8 octet';
  if (at + width > end) return undefined;
  let code = width === 1 ? octet : octet & (0x7f >> width);
  for (let next = 1; next < width; next++) {
    if ((bytes[at + next]! & 0xc0) !== 0x80) return 'invalid trailing UTF-8 octet';
    code = (code << 6) | (bytes[at + next]! & 0x3f);
  }
  if (code < smallest[width]!) return 'invalid length of a UTF-8 sequence';
  if ((code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff) return 'invalid Unicode character';
  return { code, width };
}

function utf16(bytes: Uint8Array, at: number, end: number, little: boolean): Decoded | string | undefined {
  const unit = (offset: number): number =>
    little ? bytes[offset]! | (bytes[offset + 1]! << 8) : (bytes[offset]! << 8) | bytes[offset + 1]!;
  if (at + 2 > end) return undefined;
  const high = unit(at);
  if ((high & 0xfc00) === 0xdc00) return 'unexpected low surrogate area';
  if ((high & 0xfc00) !== 0xd800) return { code: high, width: 2 };
  if (at + 4 > end) return undefined;
  const low = unit(at + 2);
  if ((low & 0xfc00) !== 0xdc00) return 'expected low surrogate area';
  return { code: 0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff), width: 4 };
}
