/**
 * A proxied answer with its links led back through the proxy. Pages are held whole while that is done, up to a bound.
 * Upstream: apimachinery pkg/util/proxy/transport.go rewriteResponse.
 *
 * Deviation: a page beyond 32 MiB is refused; upstream has no bound.
 */
import { promisify } from 'node:util';
import { deflateRaw, gunzip, gzip, inflateRaw } from 'node:zlib';
import type { ServerResponse } from '../http/message.ts';
import { type LinkBase, type LinkSource, rewriteHtml, rewriteLink } from './links.ts';

const maxPageBytes = 32 * 1024 * 1024;
const bounded = { maxOutputLength: maxPageBytes };

interface Coding {
  decode(bytes: Uint8Array): Promise<Uint8Array>;
  encode(bytes: Uint8Array): Promise<Uint8Array>;
}

const plain: Coding = { decode: async bytes => bytes, encode: async bytes => bytes };
const gunzipped = promisify<Uint8Array, object, Buffer>(gunzip);
const inflated = promisify<Uint8Array, object, Buffer>(inflateRaw);
const codings: Readonly<Record<string, Coding>> = {
  '': plain,
  gzip: { decode: bytes => gunzipped(bytes, bounded), encode: promisify<Uint8Array, Buffer>(gzip) },
  deflate: { decode: bytes => inflated(bytes, bounded), encode: promisify<Uint8Array, Buffer>(deflateRaw) },
};

export async function rewritten(response: ServerResponse, base: LinkBase, source: LinkSource): Promise<ServerResponse> {
  const { headers, body } = response;
  const location = headers['location'];
  if (typeof location === 'string' && location !== '') {
    return { ...response, headers: { ...headers, location: rewriteLink(location, base, source) } };
  }
  const [type = ''] = String(headers['content-type'] ?? '').split(';', 1);
  const coding = codings[String(headers['content-encoding'] ?? '')];
  if (type.trim() !== 'text/html' || body.kind !== 'chunks' || !coding) return response;
  const { 'content-length': _length, ...others } = headers;
  const html = Buffer.from(await coding.decode(await whole(body.chunks))).toString('utf8');
  const bytes = await coding.encode(Buffer.from(rewriteHtml(html, link => rewriteLink(link, base, source))));
  return { ...response, headers: others, body: { kind: 'bytes', bytes } };
}

async function whole(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of chunks) {
    if ((size += part.length) > maxPageBytes) throw new Error('the page is too large to be rewritten');
    parts.push(part);
  }
  return Buffer.concat(parts);
}
