import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chunkProblem, expectationOf, type Head, readHead, readTarget, refusalOf, refusalText } from './http1-rules.ts';

const head = (over: Partial<Head>, ...rawHeaders: string[]): Head => ({
  method: 'GET',
  target: '/',
  version: '1.1',
  rawHeaders: ['Host', 'x', ...rawHeaders],
  ...over,
});

describe('what is refused before any handler sees it', () => {
  const rows: ReadonlyArray<readonly [what: string, Head, status: string | undefined]> = [
    ['nothing wrong', head({}), undefined],
    ['no host', head({ rawHeaders: [] }), '400 Bad Request: missing required Host header'],
    ['no host in HTTP/1.0', head({ version: '1.0', rawHeaders: [] }), undefined],
    ['an empty host', head({ rawHeaders: ['host', ''] }), undefined],
    ['two hosts', head({}, 'HOST', 'x'), '400 Bad Request'],
    ['a host that is none', head({ rawHeaders: ['Host', 'a/b'] }), '400 Bad Request: malformed Host header'],
    ['another version', head({ version: '2.0' }), '505 HTTP Version Not Supported: unsupported protocol version'],
    ['a later 1.x', head({ version: '1.2' }), undefined],
    ['no version', head({ version: '0.9', rawHeaders: [] }), '400 Bad Request'],
    ['a malformed escape in the path', head({ target: '/%zz' }), '400 Bad Request'],
    ['a malformed escape in the query', head({ target: '/?%zz' }), undefined],
    ['no path', head({ target: 'version' }), '400 Bad Request'],
    ['an encoding', head({}, 'Transfer-Encoding', 'gzip'), '501 Not Implemented'],
    ['two encodings', head({}, 'Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked'), '501 Not Implemented'],
    ['chunks', head({}, 'Transfer-Encoding', 'Chunked'), undefined],
    ['an encoding in HTTP/1.0', head({ version: '1.0' }, 'Transfer-Encoding', 'gzip'), undefined],
    ['a trailer', head({}, 'Transfer-Encoding', 'chunked', 'Trailer', 'X-A'), undefined],
    [
      'a length behind the body',
      head({}, 'Transfer-Encoding', 'chunked', 'Trailer', 'A, Content-Length'),
      '400 Bad Request',
    ],
  ];
  for (const [what, asked, status] of rows) it(what, () => assert.equal(refusalOf(asked)?.status, status));

  it('is said in plain text', () => {
    assert.equal(
      refusalText(refusalOf(head({ target: '/%' }))!),
      'HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request',
    );
    assert.match(refusalText(refusalOf(head({}, 'Transfer-Encoding', ''))!), /\r\n\r\nUnsupported transfer encoding$/);
  });
});

describe('the target of a request', () => {
  const rows: ReadonlyArray<readonly [string, string, object | undefined]> = [
    ['GET', '/a?b', { url: '/a?b' }],
    ['GET', '//a', { url: '//a' }],
    ['OPTIONS', '*', { url: '*' }],
    ['GET', 'https://a:1/b?c', { url: '/b?c', host: 'a:1' }],
    ['GET', 'https://a', { url: '', host: 'a' }],
    ['GET', 'https://a:b/', undefined],
    ['GET', 'https://a/%', undefined],
    ['GET', 'a:b', { url: '' }],
    ['GET', ':a', undefined],
    ['GET', '?a', undefined],
    ['CONNECT', 'a:1', { url: '', host: 'a:1' }],
    ['CONNECT', '/a', { url: '/a' }],
  ];
  for (const [method, target, read] of rows) {
    it(`${method} ${target}`, () => assert.deepEqual(readTarget(method, target), read));
  }
});

describe('what Node cannot read', () => {
  const read = (text: string): string => {
    const found = readHead(Buffer.from(text, 'latin1'));
    return 'target' in found ? `${found.method} ${found.target} ${found.version}` : found.status;
  };
  const rows: ReadonlyArray<readonly [text: string, found: string]> = [
    ['FOO /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc', 'FOO /a 1.1'],
    ['GET /a HTTP/1.2\r\nHost: x\r\n\r\n', 'GET /a 1.2'],
    ['GET /\xe9 HTTP/1.1\r\nHost: x\r\n\r\n', 'GET /\xe9 1.1'],
    ['GET /a HTTP/3.0\r\nHost: x\r\n\r\n', '505 HTTP Version Not Supported: unsupported protocol version'],
    ['POST /a HTTP/1.2\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc', '400 Bad Request'],
    ['POST /a HTTP/1.2\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', '400 Bad Request'],
    ['GET /a b HTTP/1.1\r\nHost: x\r\n\r\n', '400 Bad Request'],
    ['GET /a http/1.1\r\nHost: x\r\n\r\n', '400 Bad Request'],
    ['GET /a HTTP/1.1\r\nHost: x\r\na b: c\r\n\r\n', '400 Bad Request: invalid header name'],
    ['GET /a HTTP/1.1\r\nHost: x\r\na(b: c\r\n\r\n', '400 Bad Request'],
    ['GET /a HTTP/1.1\r\nHost: x\r\nab: \x01\r\n\r\n', '400 Bad Request'],
    ['GET /a HTTP/1.1\r\nHost: x\r\nab\r\n\r\n', '400 Bad Request'],
    ['GET /a HTTP/1.1\r\nHost: x\r\n', '400 Bad Request'],
  ];
  for (const [text, found] of rows) it(JSON.stringify(text), () => assert.equal(read(text), found));
});

describe('what a client expects', () => {
  for (const [value, hasBody, version, expected] of [
    ['100-continue', true, '1.1', 'continue'],
    ['100-Continue', true, '1.1', 'continue'],
    ['100-continue', false, '1.1', 'none'],
    ['100-continue', true, '1.0', 'none'],
    ['tea', false, '1.1', 'failed'],
    ['', true, '1.1', 'none'],
  ] as const) {
    it(`${value} (${version}, ${hasBody ? 'a body' : 'no body'}): ${expected}`, () =>
      assert.equal(expectationOf(head({ version }, 'Expect', value), hasBody), expected));
  }
});

describe('a mistake in chunks', () => {
  for (const [code, reason, text] of [
    ['HPE_INVALID_CHUNK_SIZE', 'Invalid character in chunk size', 'invalid byte in chunk length'],
    ['HPE_INVALID_CHUNK_SIZE', 'Chunk size overflow', 'http chunk length too large'],
    ['HPE_CR_EXPECTED', 'Missing expected CR after chunk size', 'chunked line ends with bare LF'],
    ['HPE_STRICT', 'Expected LF after chunk data', 'malformed chunked encoding'],
    ['HPE_INVALID_EOF_STATE', 'Invalid EOF state', 'unexpected EOF'],
  ] as const) {
    it(reason, () => assert.equal(chunkProblem({ code, reason }), text));
  }
});

describe('a long head', () => {
  it('is as quick to read as its bytes, be they nothing but blanks', () => {
    const blanks = ' '.repeat(500_000);
    const begin = performance.now();
    const found = readHead(Buffer.from(`GET / HTTP/1.1\r\nHost: x\r\nA:${blanks}b${blanks}c${blanks}\r\n\r\n`));
    assert.ok('rawHeaders' in found);
    assert.equal(found.rawHeaders.at(-1), `b${blanks}c`);
    assert.ok('status' in readHead(Buffer.from(`GET / HTTP/1.1\r\nHost: x\r\n${blanks}\r\n\r\n`)));
    assert.ok(performance.now() - begin < 5000);
  });
});
