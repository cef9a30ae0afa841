import assert from 'node:assert/strict';
import { connect as connectHttp2 } from 'node:http2';
import { after, before, describe, it } from 'node:test';
import { connect } from 'node:tls';
import { systemClock } from '#base';
import { createAuthority } from '#pki';
import { type Listener, listen } from './listener.ts';
import type { ServerRequest, ServerResponse } from './message.ts';

/** Tells what it was asked; `/body` reads the body, `/late` answers after a while. */
async function entry(request: ServerRequest): Promise<ServerResponse> {
  asked.push(`${request.method} ${request.path}`);
  if (request.path === '/forward') void forward(request).catch(() => {});
  if (request.path === '/late') await systemClock.sleep(20);
  const read = request.path === '/body' ? Buffer.from(await request.body(1 << 20)).toString() : '';
  const bytes = Buffer.from(`${request.method} ${request.path} at ${request.host} ${read}`.trim());
  return { status: 200, headers: {}, body: { kind: 'bytes', bytes } };
}

/** Reads on while the answer is sent. */
async function forward(request: ServerRequest): Promise<void> {
  for await (const _ of request.bodyStream!());
}

const asked: string[] = [];
let listener: Listener;

before(async () => {
  const nowMs = systemClock.now();
  const authority = await createAuthority('ca', nowMs);
  const serving = await authority.issue({ commonName: 'x', dnsNames: ['localhost'], usages: ['server auth'], nowMs });
  const tls = { ...serving, clientCaPem: authority.certPem };
  const respond = (request: ServerRequest): Promise<ServerResponse> =>
    entry(request).catch(({ message }: Error) => {
      const bytes = Buffer.from(message);
      return { status: 500, headers: {}, body: { kind: 'bytes', bytes } };
    });
  listener = await listen({ host: '127.0.0.1', port: 0, tls, onAnswerError: () => {} }, respond);
});
after(() => listener[Symbol.asyncDispose]());

/** All that comes back on a connection on which this is sent, until it ends or `until` has come. */
function ask(text: string | Buffer, until?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: listener.port, rejectUnauthorized: false });
    let got = '';
    const done = (): void => {
      socket.destroy();
      resolve(got.replace(/^date: .*\r\n/gim, ''));
    };
    socket.on('data', part => {
      got += part.toString('latin1');
      if (until !== undefined && got.includes(until)) done();
    });
    socket.on('end', done);
    socket.on('close', done);
    socket.on('error', error => (got === '' ? reject(error) : done()));
    socket.write(text, 'latin1');
  });
}

const refused = (status: string, body = status): string =>
  `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${body}`;
const plain = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`;
const good = plain('GET /next HTTP/1.1', 'Host: x', 'Connection: close');
const wasAsked = (what: string): boolean => asked.some(each => each.endsWith(what));

describe('a request that is no good', () => {
  for (const [what, text, answer] of [
    ['is no HTTP', plain('garbage'), refused('400 Bad Request')],
    ['has no version', plain('GET /'), refused('400 Bad Request')],
    ['has a malformed escape', plain('GET /%zz HTTP/1.1', 'Host: x'), refused('400 Bad Request')],
    ['has no host', plain('GET / HTTP/1.1'), refused('400 Bad Request: missing required Host header')],
    ['has two', plain('GET / HTTP/1.1', 'Host: x', 'Host: y'), refused('400 Bad Request')],
    [
      'has an unknown encoding',
      plain('POST / HTTP/1.1', 'Host: x', 'Transfer-Encoding: gzip'),
      refused('501 Not Implemented', 'Unsupported transfer encoding'),
    ],
    [
      'has more than a mebibyte of headers',
      plain('GET / HTTP/1.1', 'Host: x', `X: ${'a'.repeat(1_100_000)}`),
      refused('431 Request Header Fields Too Large'),
    ],
  ] as const) {
    it(`${what}: is told so, and nothing behind it is answered`, async () => {
      asked.length = 0;
      assert.equal(await ask(text + good), answer);
      assert.deepEqual(asked, []);
    });
  }

  it('waits for the answer before it', async () => {
    const answer = await ask(`${plain('GET /late HTTP/1.1', 'Host: x')}garbage\r\n\r\n`);
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n[\s\S]*GET \/late at xHTTP\/1\.1 400 Bad Request\r\n/);
  });

  it('is not found in the middle of what was sent before it', async () => {
    asked.length = 0;
    const inside = plain('FOO /hidden HTTP/1.1', 'Host: x');
    const text = `${plain('POST /body HTTP/1.1', 'Host: x', `Content-Length: ${inside.length}`)}${inside}garbage\r\n\r\n`;
    assert.match(await ask(text), /HTTP\/1\.1 400 Bad Request\r\n/);
    assert.equal(wasAsked('/hidden'), false);
  });

  it('over HTTP/2 with a malformed escape ends its stream alone', async () => {
    const session = connectHttp2(listener.url, { rejectUnauthorized: false });
    const stream = session.request({ ':path': '/%zz' });
    await assert.rejects(new Promise((_, reject) => stream.on('error', reject)), /NGHTTP2_PROTOCOL_ERROR/);
    const next = session.request({ ':path': '/next' }).setEncoding('utf8');
    assert.equal((await next.toArray()).join(''), `GET /next at 127.0.0.1:${listener.port}`);
    session.destroy();
  });
});

describe('a request over HTTP/2', () => {
  const over = async (headers: Record<string, string>): Promise<string> => {
    const session = connectHttp2(listener.url, { rejectUnauthorized: false });
    const stream = session.request(headers).setEncoding('utf8');
    const answered = Promise.withResolvers<number | undefined>();
    stream.once('response', answer => answered.resolve(answer[':status']));
    stream.once('error', answered.reject);
    const text = (await Promise.all([answered.promise, stream.toArray()])).flat().join(' ').trim();
    session.destroy();
    return text;
  };

  it('may have thousands of headers', async () => {
    const many = Object.fromEntries(Array.from({ length: 3000 }, (_, at) => [`x-${at}`, 'y']));
    assert.match(await over({ ':path': '/a', ...many }), /^200 GET \/a/);
  });

  it('OPTIONS * has an empty answer', async () => {
    assert.equal(await over({ ':path': '*', ':method': 'OPTIONS' }), '200');
  });
});

describe('a request that is unusual', () => {
  for (const [what, text, body] of [
    ['method', plain('FOO /a HTTP/1.1', 'Host: x'), 'FOO /a at x'],
    ['version', plain('GET /a HTTP/1.2', 'Host: x'), 'GET /a at x'],
    ['byte', plain('GET /\xc3\xa9 HTTP/1.1', 'Host: x'), 'GET /\xc3\xa9 at x'],
    ['target', plain('GET https://y/a HTTP/1.1', 'Host: x', 'Connection: close'), 'GET /a at y'],
    [
      'number of headers',
      plain('GET /a HTTP/1.1', 'Host: x', ...Array(3000).fill('X: y'), 'Connection: close'),
      'GET /a at x',
    ],
  ] as const) {
    it(`in its ${what} is answered`, async () => {
      const answer = await ask(text);
      assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
      assert.equal(answer.split('\r\n\r\n')[1], body);
    });
  }

  it('OPTIONS * has an empty answer', async () => {
    assert.equal(
      await ask(plain('OPTIONS * HTTP/1.1', 'Host: x', 'Connection: close')),
      'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
    );
  });

  it('of HTTP/1.0 is answered as such', async () => {
    const answer = await ask(plain('GET /a HTTP/1.0') + good);
    assert.equal(answer, 'HTTP/1.0 200 OK\r\ncontent-length: 19\r\n\r\nGET /a at undefined');
    const headers = await ask(plain('HEAD /a HTTP/1.0'));
    assert.match(headers, /^HTTP\/1\.0 200 OK\r\n[\s\S]*\r\n\r\n$/);
  });
});

describe('a body', () => {
  const post = (path: string, ...headers: string[]): string => plain(`POST ${path} HTTP/1.1`, 'Host: x', ...headers);

  it('that nobody wants is read, so that the next request is answered', async () => {
    const answer = await ask(`${post('/a', 'Content-Length: 3')}abc${good}`);
    assert.deepEqual(answer.match(/HTTP\/1\.1 \d+|(?:GET|POST) \/\w+/g), [
      'HTTP/1.1 200',
      'POST /a',
      'HTTP/1.1 200',
      'GET /next',
    ]);
  });

  it('that was read leaves the connection for the next request', async () => {
    const answer = await ask(`${post('/body', 'Content-Length: 3')}abc${good}`);
    assert.match(answer, /POST \/body at x abcHTTP\/1\.1 200 /);
    assert.doesNotMatch(answer.split('POST /body')[0]!, /connection: close/i);
  });

  it('that nobody wants is not read for ever', async () => {
    const answer = await ask(`${post('/a', 'Content-Length: 2000000')}${'a'.repeat(400_000)}`);
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n[\s\S]*connection: close\r\n/i);
  });

  it('of which its reader had enough is not read for ever either', async () => {
    const size = 2 << 20;
    const answer = await ask(`${post('/body', `Content-Length: ${size}`)}${'a'.repeat(size)}`);
    assert.match(answer, /^HTTP\/1\.1 500 [\s\S]*connection: close\r\n[\s\S]*limit is 1048576$/i);
    const rest = (1 << 20) + 100;
    const next = await ask(`${post('/body', `Content-Length: ${rest}`)}${'a'.repeat(rest)}${good}`);
    assert.match(next, /^HTTP\/1\.1 500 [\s\S]*HTTP\/1\.1 200 /);
  });

  it('that is still on its way to another server does not keep the answer waiting', async () => {
    const answer = await ask(`${post('/forward', 'Content-Length: 300')}abc`, 'at x');
    assert.match(answer, /^HTTP\/1\.1 200 [\s\S]*POST \/forward at x$/);
  });

  it('is asked for when it is wanted, and only then', async () => {
    const expects = ['Expect: 100-continue', 'Content-Length: 3'];
    assert.equal(await ask(post('/body', ...expects), '\r\n\r\n'), 'HTTP/1.1 100 Continue\r\n\r\n');
    const unwanted = await ask(post('/a', ...expects));
    assert.match(unwanted, /^HTTP\/1\.1 200 OK\r\n[\s\S]*connection: close\r\n/i);
    const failed = await ask(`${post('/body', 'Expect: tea', 'Content-Length: 3')}abc`);
    assert.match(failed, /^HTTP\/1\.1 417 Expectation Failed\r\nconnection: close\r\ncontent-length: 0\r\n/);
  });

  it('that is broken is told to who reads it, and its answer still comes', async () => {
    for (const [chunks, problem] of [
      ['zz\r\n', 'invalid byte in chunk length'],
      ['2\r\nabcd\r\n', 'malformed chunked encoding'],
      ['fffffffffffffffff\r\n', 'http chunk length too large'],
    ] as const) {
      const answer = await ask(`${post('/body', 'Transfer-Encoding: chunked')}${chunks}`);
      assert.match(answer, /^HTTP\/1\.1 500 /);
      assert.equal(answer.split('\r\n\r\n')[1], problem);
    }
  });

  it('of a request that asks for another protocol is read as any other', async () => {
    const upgrade = ['Connection: Upgrade', 'Upgrade: foo'];
    const answer = await ask(`${post('/body', 'Content-Length: 3', ...upgrade)}abc`, 'abc');
    assert.match(answer, /POST \/body at x abc$/);
  });
});

describe('requests that are sent at once', () => {
  it('are answered one after the other', async () => {
    asked.length = 0;
    const answer = await ask(plain('GET /late HTTP/1.1', 'Host: x') + good);
    assert.deepEqual(answer.match(/GET \/\w+/g), ['GET /late', 'GET /next']);
    assert.deepEqual(asked, ['GET /late', 'GET /next']);
  });

  it('are all answered, however many there are', async () => {
    const answer = await ask(plain('GET /a HTTP/1.1', 'Host: x').repeat(500) + good);
    assert.equal(answer.match(/GET \/(?:a|next) at x/g)?.length, 501);
  });
});
