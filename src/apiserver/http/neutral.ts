/**
 * A request on a TLS connection, of either version of HTTP, as the neutral one that everything behind the port speaks:
 * its target taken apart, who the client's certificate names, its body read with a bound.
 */
import type { X509Certificate } from 'node:crypto';
import { Readable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { requestEntityTooLarge } from '#apimachinery';
import { decodePath, type PresentedCertificates, Query, type ServerRequest } from './message.ts';

/** By connection: reading a certificate is dear, and a connection has one for ever. */
const certificates = new WeakMap<object, { readonly presented: PresentedCertificates | undefined }>();

/** Longest chain that is looked at. */
const maxChain = 10;

function presentedCertificates(socket: TLSSocket): PresentedCertificates | undefined {
  const known = certificates.get(socket);
  if (known) return known.presented;
  const leaf = socket.getPeerX509Certificate();
  const intermediates: X509Certificate[] = [];
  for (let next = leaf?.issuerCertificate; next && intermediates.length < maxChain; next = next.issuerCertificate) {
    intermediates.push(next);
  }
  // A message or a code, whatever the types say.
  const problem = socket.authorized ? undefined : String(socket.authorizationError ?? 'not verified');
  const presented = leaf && { leaf, intermediates, ...(problem !== undefined && { problem }) };
  certificates.set(socket, { presented });
  return presented;
}

export interface Raw {
  readonly method: string;
  readonly url: string;
  readonly headers: ServerRequest['headers'];
  readonly rawHeaders?: readonly string[];
  readonly host: string | undefined;
  readonly socket: TLSSocket;
  readonly signal: AbortSignal;
  readonly source: AsyncIterable<Uint8Array>;
  /** What was found wrong with the body before anybody read it. */
  problem?(): Error | undefined;
  /** Told when somebody begins to read the body. */
  reads?(): void;
}

/** The neutral request. Its body is read once, by whoever asks first. */
export function neutral(raw: Raw): ServerRequest {
  const at = raw.url.indexOf('?');
  const path = at < 0 ? raw.url : raw.url.slice(0, at);
  const presented = presentedCertificates(raw.socket);
  let body: Promise<Uint8Array> | undefined;
  return {
    method: raw.method,
    path: decodePath(path),
    url: raw.url,
    query: at < 0 ? Query.empty : Query.parse(raw.url.slice(at + 1)),
    headers: raw.headers,
    ...(raw.rawHeaders && { rawHeaders: raw.rawHeaders }),
    body: maxBytes => {
      raw.reads?.();
      const problem = raw.problem?.();
      return (body ??= problem ? Promise.reject(problem) : readAll(raw.source, maxBytes));
    },
    bodyStream: () => {
      raw.reads?.();
      return raw.source;
    },
    signal: raw.signal,
    connection: raw.socket,
    ...(presented && { certificates: presented }),
    ...(raw.socket.remoteAddress && { remoteAddress: raw.socket.remoteAddress }),
    ...(raw.host && { host: raw.host }),
  };
}

/** Events rather than an iterator, which costs as much as reading a small body does. */
function readAll(source: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  if (!(source instanceof Readable)) return Promise.resolve(new Uint8Array());
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let size = 0;
    const take = (part: Buffer): void => {
      size += part.length;
      if (size <= maxBytes) return void parts.push(part);
      source.off('data', take).pause();
      reject(requestEntityTooLarge(`limit is ${maxBytes}`));
    };
    source.on('data', take);
    source.once('end', () => resolve(parts.length === 1 ? parts[0]! : Buffer.concat(parts)));
    source.once('error', reject);
    source.once('close', () => reject(clientGone));
    if (source.readableEnded || source.destroyed) resolve(new Uint8Array());
  });
}

/** One for all: where a client went away has no stack of interest. */
export const clientGone: Error = Object.freeze(new Error('the client went away'));
