/**
 * Bytes of a YAML document as text. JSON takes what is no UTF-8 for U+FFFD; YAML refuses it. Upstream:
 * go.yaml.in/yaml/v2 readerc.go yaml_parser_update_buffer.
 */
import { isUtf8 } from 'node:buffer';
import { InputError } from '../input-error.ts';

/** Throws InputError `yaml` with upstream's text. */
export function yamlText(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new InputError('yaml', `yaml: ${problem(bytes)}`);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}

/** How many bytes the character has that begins so; 0 for none. */
function widthOf(octet: number): number {
  if (octet < 0x80) return 1;
  if ((octet & 0xe0) === 0xc0) return 2;
  if ((octet & 0xf0) === 0xe0) return 3;
  return (octet & 0xf8) === 0xf0 ? 4 : 0;
}

function problem(bytes: Uint8Array): string {
  for (let at = 0; at < bytes.length; ) {
    const width = widthOf(bytes[at]!);
    if (width === 0) return 'invalid leading UTF-8 octet';
    if (at + width > bytes.length) return 'incomplete UTF-8 octet sequence';
    for (let next = 1; next < width; next++) {
      if ((bytes[at + next]! & 0xc0) !== 0x80) return 'invalid trailing UTF-8 octet';
    }
    const char = Buffer.from(bytes.subarray(at, at + width));
    if (!isUtf8(char)) {
      const surrogate = width === 3 && bytes[at] === 0xed;
      return surrogate || width === 4 ? 'invalid Unicode character' : 'invalid length of a UTF-8 sequence';
    }
    at += width;
  }
  return 'invalid Unicode character';
}
