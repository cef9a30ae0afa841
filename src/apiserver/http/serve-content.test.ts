import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ServerRequest, ServerResponse } from './message.ts';
import { serveContent } from './serve-content.ts';

const modified = 'Sun, 06 Nov 1994 08:49:37 GMT';
const content = {
  bytes: Buffer.from('0123456789'),
  headers: { 'content-type': 'application/json', etag: '"a"' },
  lastModifiedMs: Date.parse(modified) + 400,
};

function ask(headers: Record<string, string>, method = 'GET'): ServerResponse {
  return serveContent({ method, headers } as unknown as ServerRequest, content);
}

const text = ({ body }: ServerResponse): string =>
  body.kind === 'bytes' ? Buffer.from(body.bytes).toString() : `(${body.kind})`;

test('the whole says its length, when it was made and that parts may be had', () => {
  const { status, headers, body } = ask({});
  assert.equal(status, 200);
  assert.deepEqual(headers, {
    'content-type': 'application/json',
    etag: '"a"',
    'last-modified': modified,
    'accept-ranges': 'bytes',
    'content-length': '10',
  });
  assert.equal(body.kind === 'bytes' && body.bytes, content.bytes);
});

test('ranges are sent as parts, joined where there are several', () => {
  for (const [range, part, told] of [
    ['bytes=0-2', '012', 'bytes 0-2/10'],
    ['bytes=-3', '789', 'bytes 7-9/10'],
    ['bytes=8-', '89', 'bytes 8-9/10'],
    ['bytes=8-99', '89', 'bytes 8-9/10'],
    ['bytes= 1 - 1 , 50-60', '1', 'bytes 1-1/10'],
  ] as const) {
    const response = ask({ range });
    assert.deepEqual([response.status, text(response), response.headers['content-range']], [206, part, told]);
  }
  const two = ask({ range: 'bytes=0-1,5-6' });
  const [, boundary] =
    /^multipart\/byteranges; boundary=([0-9a-f]{60})$/.exec(String(two.headers['content-type'])) ?? [];
  const part = (range: string, bytes: string): string =>
    `--${boundary}\r\nContent-Range: bytes ${range}/10\r\nContent-Type: application/json\r\n\r\n${bytes}\r\n`;
  assert.equal(text(two), `${part('0-1', '01')}${part('5-6', '56')}--${boundary}--\r\n`);
  assert.equal(ask({ range: 'bytes=0-9,0-9' }).status, 200, 'more than there is');
});

test('ranges that are none, or are beyond the end, are refused', () => {
  for (const range of ['nope=1', 'bytes=x', 'bytes=-', 'bytes=3-2', 'bytes=--1', 'bytes=-1-2']) {
    const { status, headers } = ask({ range });
    assert.deepEqual([status, headers['content-range'], headers['etag']], [416, undefined, undefined], range);
  }
  const beyond = ask({ range: 'bytes=10-' });
  assert.deepEqual([beyond.status, text(beyond)], [416, 'invalid range: failed to overlap\n']);
  assert.equal(beyond.headers['content-range'], 'bytes */10');
});

test('conditions hold against the tag first, then against the time', () => {
  const earlier = 'Sun, 06 Nov 1994 08:49:36 GMT';
  for (const [headers, status] of [
    [{ 'if-none-match': '"a"' }, 304],
    [{ 'if-none-match': '"x", W/"a"' }, 304],
    [{ 'if-none-match': '*' }, 304],
    [{ 'if-none-match': '"x"', 'if-modified-since': modified }, 200],
    [{ 'if-modified-since': modified }, 304],
    [{ 'if-modified-since': earlier }, 200],
    [{ 'if-modified-since': 'yesterday' }, 200],
    [{ 'if-match': '"a"' }, 200],
    [{ 'if-match': 'W/"a"' }, 412],
    [{ 'if-match': '"x"' }, 412],
    [{ 'if-unmodified-since': earlier }, 412],
    [{ 'if-unmodified-since': modified }, 200],
    [{ 'if-match': '"a"', 'if-unmodified-since': earlier }, 200],
    [{ range: 'bytes=0-1', 'if-range': '"a"' }, 206],
    [{ range: 'bytes=0-1', 'if-range': '"x"' }, 200],
    [{ range: 'bytes=0-1', 'if-range': modified }, 206],
    [{ range: 'bytes=0-1', 'if-range': earlier }, 200],
  ] as const) {
    assert.equal(ask({ ...headers }).status, status, JSON.stringify(headers));
  }
  assert.equal(ask({ 'if-none-match': '"a"' }, 'POST').status, 412);
  const unchanged = ask({ 'if-none-match': '"a"' });
  assert.deepEqual([unchanged.headers, unchanged.body.kind], [{ etag: '"a"' }, 'empty']);
});
