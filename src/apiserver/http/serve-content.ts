/**
 * A document as whoever kept an older copy of it, or wants a part, asks for it: conditions and ranges. Upstream: Go's
 * net/http ServeContent (fs.go).
 */
import { randomBytes } from 'node:crypto';
import { header, type ServerRequest, type ServerResponse, textResponse } from './message.ts';

export interface Content {
  readonly bytes: Uint8Array;
  /** Lower-case names; `content-type`, and an `etag` where there is one. */
  readonly headers: Readonly<Record<string, string>>;
  readonly lastModifiedMs: number;
}

interface Range {
  readonly start: number;
  readonly length: number;
}

/** The whole of it, parts, or why there is none to send. */
export function serveContent(request: ServerRequest, content: Content): ServerResponse {
  const lastModified = new Date(content.lastModifiedMs).toUTCString();
  const headers: Record<string, string> = { ...content.headers, 'last-modified': lastModified };
  const failed = failedCondition(request, content);
  if (failed === 412) return { status: 412, headers, body: { kind: 'empty' } };
  if (failed === 304) {
    delete headers['content-type'];
    if (headers['etag']) delete headers['last-modified'];
    return { status: 304, headers, body: { kind: 'empty' } };
  }
  const asked = mayBePart(request, content) ? header(request, 'range') : undefined;
  const size = content.bytes.length;
  const ranges = rangesOf(asked ?? '', size);
  if (typeof ranges === 'string') return noSuchRange(ranges, headers, size);
  const total = ranges.reduce((sum, { length }) => sum + length, 0);
  headers['accept-ranges'] = 'bytes';
  // Nobody asks for more than there is but to make work.
  if (ranges.length === 0 || total > size) return sent(200, headers, content.bytes);
  if (ranges.length > 1) return parts(content, headers, ranges);
  const { start, length } = ranges[0]!;
  headers['content-range'] = rangeText(ranges[0]!, size);
  return sent(206, headers, content.bytes.subarray(start, start + length));
}

function sent(status: number, headers: Record<string, string>, bytes: Uint8Array): ServerResponse {
  headers['content-length'] = String(bytes.length);
  return { status, headers, body: { kind: 'bytes', bytes } };
}

const rangeText = ({ start, length }: Range, size: number): string => `bytes ${start}-${start + length - 1}/${size}`;

function noSuchRange(why: 'malformed' | 'beyond', headers: Record<string, string>, size: number): ServerResponse {
  const text = why === 'beyond' ? 'invalid range: failed to overlap' : 'invalid range';
  const refused = textResponse(416, `${text}\n`);
  if (why === 'beyond') refused.headers['content-range'] = `bytes */${size}`;
  if (headers['vary']) refused.headers['vary'] = headers['vary'];
  return refused;
}

function parts(
  { bytes, headers: own }: Content,
  headers: Record<string, string>,
  ranges: readonly Range[],
): ServerResponse {
  const boundary = randomBytes(30).toString('hex');
  const pieces = ranges.flatMap((range, at) => [
    Buffer.from(
      `${at > 0 ? '\r\n' : ''}--${boundary}\r\nContent-Range: ${rangeText(range, bytes.length)}\r\n` +
        `Content-Type: ${own['content-type'] ?? ''}\r\n\r\n`,
    ),
    bytes.subarray(range.start, range.start + range.length),
  ]);
  headers['content-type'] = `multipart/byteranges; boundary=${boundary}`;
  return sent(206, headers, Buffer.concat([...pieces, Buffer.from(`\r\n--${boundary}--\r\n`)]));
}

/** What the conditions end the request with. */
function failedCondition(request: ServerRequest, { headers, lastModifiedMs }: Content): 304 | 412 | undefined {
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  const match = header(request, 'if-match');
  const since = Math.floor(lastModifiedMs / 1000);
  if (match) {
    if (!names(match, tag => tag === headers['etag'] && !tag.startsWith('W/'))) return 412;
  } else {
    const unmodified = secondsOf(header(request, 'if-unmodified-since'));
    if (unmodified !== undefined && since > unmodified) return 412;
  }
  const noneMatch = header(request, 'if-none-match');
  if (noneMatch) {
    if (!names(noneMatch, tag => weak(tag) === weak(headers['etag'] ?? ''))) return undefined;
    return isRead ? 304 : 412;
  }
  const modified = isRead ? secondsOf(header(request, 'if-modified-since')) : undefined;
  return modified !== undefined && since <= modified ? 304 : undefined;
}

const weak = (tag: string): string => tag.replace(/^W\//, '');

/** What `Range` says holds for this copy. */
function mayBePart(request: ServerRequest, { headers, lastModifiedMs }: Content): boolean {
  const copy = header(request, 'if-range');
  if (!copy || (request.method !== 'GET' && request.method !== 'HEAD')) return true;
  const tag = firstTag(copy);
  if (tag !== undefined) return tag === headers['etag'] && !tag.startsWith('W/');
  return secondsOf(copy) === Math.floor(lastModifiedMs / 1000);
}

function firstTag(text: string): string | undefined {
  return /^[ \t]*((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")/.exec(text)?.[1];
}

/** Whether one of the entity tags of a list is `wanted`; what follows a malformed one is not read. */
function names(list: string, wanted: (tag: string) => boolean): boolean {
  for (let rest = list; ; ) {
    rest = rest.replace(/^[ \t,]+/, '');
    if (rest.startsWith('*')) return true;
    const tag = firstTag(rest);
    if (tag === undefined) return false;
    if (wanted(tag)) return true;
    rest = rest.slice(tag.length);
  }
}

const httpDate = /^[A-Z][a-z]+,? .*\d{4}|^[A-Z][a-z]+, \d\d-[A-Z][a-z]{2}-\d\d /;

/** Of a date of HTTP; undefined where it is none. */
function secondsOf(text: string | undefined): number | undefined {
  if (!text || !httpDate.test(text)) return undefined;
  const ms = Date.parse(/GMT|UTC/.test(text) ? text : `${text} GMT`);
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1000);
}

/** The parts asked for; none: the whole. */
function rangesOf(text: string, size: number): readonly Range[] | 'malformed' | 'beyond' {
  if (text === '') return [];
  if (!text.startsWith('bytes=')) return 'malformed';
  const ranges: Range[] = [];
  let isBeyond = false;
  for (const each of text.slice('bytes='.length).split(',')) {
    const part = each.trim();
    if (part === '') continue;
    const [, from, to] = /^([+-]?\d*)\s*-\s*(\+?\d*)$/.exec(part) ?? [];
    if (from === undefined || to === undefined) return 'malformed';
    const range = rangeOf(from, to, size);
    if (range === undefined) return 'malformed';
    if (range === 'beyond') isBeyond = true;
    else ranges.push(range);
  }
  return isBeyond && ranges.length === 0 ? 'beyond' : ranges;
}

function rangeOf(from: string, to: string, size: number): Range | 'beyond' | undefined {
  if (from === '') {
    if (to === '') return undefined;
    const length = Math.min(Number(to), size);
    return { start: size - length, length };
  }
  const start = Number(from);
  if (!(start >= 0)) return undefined;
  if (start >= size) return 'beyond';
  if (to === '') return { start, length: size - start };
  const end = Number(to);
  if (!(end >= start)) return undefined;
  return { start, length: Math.min(end, size - 1) - start + 1 };
}
