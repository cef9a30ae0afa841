/**
 * The value of a quoted literal. Upstream: cel-go parser/unescape.go.
 */

const simple: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '`': '`',
  '?': '?',
};

/** The string that a literal, as lexed, stands for. Throws a RangeError with cel-go's text. */
export function unescapeString(literal: string): string {
  const { body, raw } = unquote(literal);
  if (raw || !body.includes('\\')) return body;
  return body.replace(escapes, sequence => {
    const value = simple[sequence[1] as string];
    return value ?? String.fromCodePoint(scalarValue(sequence));
  });
}

/** The bytes that a literal, as lexed but without its b, stands for. Throws a RangeError with cel-go's text. */
export function unescapeBytes(literal: string): Uint8Array {
  const { body, raw } = unquote(literal);
  if (raw || !body.includes('\\')) return new TextEncoder().encode(body);
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const match of body.matchAll(escapes)) {
    parts.push(new TextEncoder().encode(body.slice(at, match.index)));
    const sequence = match[0];
    const value = simple[sequence[1] as string];
    if (value !== undefined) parts.push(Uint8Array.of(value.charCodeAt(0)));
    else if (/^\\[uU]/.test(sequence)) throw new RangeError('unable to unescape string');
    else parts.push(Uint8Array.of(codeOf(sequence)));
    at = match.index + sequence.length;
  }
  parts.push(new TextEncoder().encode(body.slice(at)));
  return new Uint8Array(Buffer.concat(parts));
}

const escapes = /\\(?:[0-3][0-7]{2}|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)/gsu;

const codeOf = (sequence: string): number =>
  /^\\[xXuU]/.test(sequence) ? Number.parseInt(sequence.slice(2), 16) : Number.parseInt(sequence.slice(1), 8);

function scalarValue(sequence: string): number {
  const code = codeOf(sequence);
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) throw new RangeError('invalid unicode code point');
  return code;
}

function unquote(literal: string): { body: string; raw: boolean } {
  let text = literal.replace(/\r\n?/g, '\n');
  const raw = /^r/i.test(text);
  if (raw) text = text.slice(1);
  const width = text.length >= 6 && (text.startsWith("'''") || text.startsWith('"""')) ? 3 : 1;
  return { body: text.slice(width, -width), raw };
}
