/**
 * The neutral request and response that every entry (HTTP/2, HTTP/1.1, in-process) is turned into and that filters and
 * handlers speak. A response's body is bytes, a stream of bytes, or a watch, whose events stay objects in-process.
 */
import type { X509Certificate } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { escapeHtml, type Json, type Status, StatusError } from '#apimachinery';
import type { RequestAudit } from '../audit/request-audit.ts';
import type { UserInfo } from '../authentication/user.ts';

/** What makes Go leave a pair of a query out. */
const odd = /;|%(?![0-9a-fA-F]{2})/;

/** Query parameters in the order given; the last of `pairs` with a name does not hide the first. */
export class Query {
  readonly pairs: ReadonlyArray<readonly [string, string]>;

  constructor(pairs: ReadonlyArray<readonly [string, string]>) {
    this.pairs = pairs;
  }

  /** Parses what follows the question mark. As in Go, pairs with a semicolon or a malformed escape are none. */
  static parse(text: string): Query {
    if (text === '') return Query.empty;
    const known = odd.test(text) ? text.split('&').filter(pair => !odd.test(pair)) : [text];
    return new Query([...new URLSearchParams(known.join('&'))]);
  }

  static readonly empty: Query = new Query([]);

  /** First value, or undefined. */
  get(name: string): string | undefined {
    return this.pairs.find(pair => pair[0] === name)?.[1];
  }

  all(name: string): string[] {
    return this.pairs.filter(pair => pair[0] === name).map(pair => pair[1]);
  }

  has(name: string): boolean {
    return this.pairs.some(pair => pair[0] === name);
  }

  toString(): string {
    return new URLSearchParams(this.pairs as Array<[string, string]>).toString();
  }
}

/** What a client showed in the TLS handshake. Whether it is believed is for authentication to say. */
export interface PresentedCertificates {
  readonly leaf: X509Certificate;
  /** What came along with it. */
  readonly intermediates: readonly X509Certificate[];
  /** Why OpenSSL, with all authorities of this port, did not verify it. */
  readonly problem?: string;
}

export interface ServerRequest {
  readonly method: string;
  /** Percent-decoded, without the query. */
  readonly path: string;
  /** As sent, with the query; for audit and redirects. */
  readonly url: string;
  readonly query: Query;
  /** Lower-case names; several values only where a header came several times. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Names and values by turns as they came, from which {@link headerValues} tells repeated headers apart. */
  readonly rawHeaders?: readonly string[];
  /** The whole body. Rejects with 413 beyond `maxBytes`. */
  body(maxBytes: number): Promise<Uint8Array>;
  /** The body as it arrives, for proxied requests. */
  bodyStream?(): AsyncIterable<Uint8Array>;
  /** Aborted when the client went away. */
  readonly signal: AbortSignal;
  /** When it has to be answered, by the monotonic clock; absent where it may last, and for calls within the process. */
  readonly deadlineMs?: number;
  /** Who asks; set by in-process transports, which are bound to an identity. */
  readonly user?: UserInfo;
  readonly certificates?: PresentedCertificates;
  /** Of the request on its way through further servers; set where it goes there or is recorded. */
  readonly auditId?: string;
  /** What the audit log is to tell of the request; absent where nothing is recorded. */
  readonly audit?: RequestAudit;
  readonly remoteAddress?: string;
  /** The same for all requests of one connection; absent where there is none. */
  readonly connection?: object;
  /** The server's own address on this connection, as the client named it. */
  readonly host?: string;
  /** A connection that asks to speak another protocol (HTTP/1.1 Upgrade). */
  readonly upgrade?: { readonly socket: Duplex; readonly head: Uint8Array };
}

/** One event of a watch, ready for any encoding. */
export interface EncodedWatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  /** The object, frozen. */
  object(): Json;
  /** The whole frame in the negotiated encoding. */
  frame(): Uint8Array;
}

export type ResponseBody =
  | { readonly kind: 'empty' }
  | {
      readonly kind: 'bytes';
      readonly bytes: Uint8Array /** The decoded form, when at hand, frozen. */;
      readonly object?: Json;
    }
  | {
      readonly kind: 'chunks';
      readonly chunks: AsyncIterable<Uint8Array>;
      /** Nobody waits for the first of them alone: they are looked at together for how long they are. */
      readonly isGathered?: true;
      /** Told of chunks of which nobody reads the bytes any more: their memory may be used again. May be left out. */
      sent?(chunk: Uint8Array): void;
    }
  | {
      readonly kind: 'watch';
      readonly events: AsyncIterable<readonly EncodedWatchEvent[]>;
      /** Aborted when the watch has ended, if it ever began. */
      readonly done?: AbortSignal;
      /** Resolves when what was there at the begin is on its way, or the watch has ended. */
      readonly initialized?: Promise<void>;
      /** Ends the watch as its own time would. */
      end?(): void;
      /** Told what went out, where there is a wire. */
      sent?(events: number, sizeBytes: number): void;
    }
  /** The handler took the connection over and answers by itself. */
  | { readonly kind: 'hijacked' };

export interface ServerResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Record<string, string | string[]>;
  readonly body: ResponseBody;
  /** For the audit log: what the body does not say by itself. */
  readonly logged?: {
    /** The answer is this Status. */
    readonly status?: Status;
    /** It is what this error became. */
    readonly error?: unknown;
    /** The object as JSON, where the body is something else or comes in pieces. */
    json?(): Uint8Array | Promise<Uint8Array>;
  };
  /** The server broke the request off, or did not take it, to defend itself. */
  readonly terminated?: true;
}

/** The path decoded; bytes that are not UTF-8 become U+FFFD, and a malformed escape stays as it is. */
export function decodePath(path: string): string {
  if (!path.includes('%')) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    return path.replace(/(?:%[0-9a-fA-F]{2})+/g, escapes => Buffer.from(escapes.replaceAll('%', ''), 'hex').toString());
  }
}

/** First value of a header. */
export function header(request: Pick<ServerRequest, 'headers'>, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? value : value?.[0];
}

/**
 * All values of a header that may come several times, each as it was sent: Node joins them with commas, which cannot be
 * undone. Headers that were taken off (see {@link removeHeaders}) have none.
 */
export function headerValues(request: Pick<ServerRequest, 'headers' | 'rawHeaders'>, name: string): readonly string[] {
  const value = request.headers[name];
  if (value === undefined) return [];
  const { rawHeaders } = request;
  if (!rawHeaders) return typeof value === 'string' ? [value] : value;
  const values: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]!.toLowerCase() === name) values.push(rawHeaders[at + 1]!);
  }
  return values;
}

/** Takes headers off a request, so that nothing behind sees or forwards them. */
export function removeHeaders(request: Pick<ServerRequest, 'headers'>, isOne: (name: string) => boolean): void {
  const headers = request.headers as Record<string, unknown>;
  for (const name of Object.keys(headers)) if (isOne(name)) delete headers[name];
}

const encoder = new TextEncoder();

export function textResponse(status: number, text: string, contentType = 'text/plain; charset=utf-8'): ServerResponse {
  return {
    status,
    headers: { 'content-type': contentType, 'x-content-type-options': 'nosniff' },
    body: { kind: 'bytes', bytes: encoder.encode(text) },
  };
}

/** Text that does not forbid to guess what it is, as Go's plain handlers write it. */
export function plainText(text: string, contentType = 'text/plain; charset=utf-8'): ServerResponse {
  return {
    status: 200,
    headers: { 'content-type': contentType },
    body: { kind: 'bytes', bytes: encoder.encode(text) },
  };
}

export function jsonResponse(status: number, value: unknown, headers: Record<string, string> = {}): ServerResponse {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: { kind: 'bytes', bytes: encoder.encode(`${escapeHtml(JSON.stringify(value))}\n`) },
  };
}

/** A Status as JSON, with the headers that go with it (retry-after, www-authenticate is upstream's none). */
export function statusResponse(status: Status): ServerResponse {
  const headers: Record<string, string> = {};
  const retry = status.details?.retryAfterSeconds;
  if (retry !== undefined && retry > 0) headers['retry-after'] = String(retry);
  return jsonResponse(status.code, orderedStatus(status), headers);
}

/** In the order that upstream writes the fields in. */
export function orderedStatus({ kind, apiVersion, metadata, status, message, reason, details, code }: Status): object {
  return { kind, apiVersion, metadata, status, message, reason, details, code };
}

/** What any thrown value becomes at the edge: StatusErrors as they are, the rest 500 without a stack. */
export function errorStatus(error: unknown): Status {
  if (error instanceof StatusError) return error.status;
  const message = error instanceof Error ? error.message : String(error);
  return new StatusError({
    code: 500,
    reason: 'InternalError',
    message: `Internal error occurred: ${message}`,
    details: { causes: [{ message }] },
  }).status;
}

/** Nobody will read it: lets its producer clean up. */
export function discard(response: ServerResponse): void {
  const { body } = response;
  if (body.kind === 'watch') void body.events[Symbol.asyncIterator]().return?.();
  if (body.kind === 'chunks') void body.chunks[Symbol.asyncIterator]().return?.();
}
