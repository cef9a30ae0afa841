/**
 * The subject of a PKCS #10 certificate request, read without checking its signature: what admission judges by.
 * RFC 2986; upstream: pkg/apis/certificates/helpers.go ParseCSR.
 */

export interface RequestSubject {
  readonly commonName: string;
  readonly organizations: readonly string[];
}

interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
  /** Where the next one begins. */
  readonly end: number;
}

const commonNameId = '550403';
const organizationId = '55040a';

function element(bytes: Uint8Array, at: number): Element {
  const tag = bytes[at];
  let length = bytes[at + 1];
  let start = at + 2;
  if (tag === undefined || length === undefined) throw new Error('the request is cut off');
  if (length >= 0x80) {
    const count = length & 0x7f;
    length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + (bytes[start++] ?? 0);
  }
  if (start + length > bytes.length) throw new Error('the request is cut off');
  return { tag, content: bytes.subarray(start, start + length), end: start + length };
}

function children({ content }: Element): Element[] {
  const all: Element[] = [];
  for (let at = 0; at < content.length; ) {
    const next = element(content, at);
    all.push(next);
    at = next.end;
  }
  return all;
}

const BMP_STRING = 0x1e;

function text({ tag, content }: Element): string {
  const buffer = Buffer.from(content);
  return tag === BMP_STRING ? Buffer.from(buffer).swap16().toString('utf16le') : buffer.toString('utf8');
}

/** Throws with what is wrong when the PEM text holds no request. */
export function requestSubject(pem: string): RequestSubject {
  const match = /-----BEGIN CERTIFICATE REQUEST-----\r?\n([\s\S]*?)-----END CERTIFICATE REQUEST-----/.exec(pem);
  if (!match) throw new Error('PEM block type must be CERTIFICATE REQUEST');
  const [info] = children(element(Buffer.from(match[1]!, 'base64'), 0));
  const name = info && children(info)[1];
  if (!name) throw new Error('asn1: structure error: the request has no subject');
  let commonName = '';
  const organizations: string[] = [];
  for (const set of children(name)) {
    for (const pair of children(set)) {
      const [id, value] = children(pair);
      if (!id || !value) continue;
      const hex = Buffer.from(id.content).toString('hex');
      if (hex === commonNameId) commonName = text(value);
      if (hex === organizationId) organizations.push(text(value));
    }
  }
  return { commonName, organizations };
}
