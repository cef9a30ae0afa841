/**
 * The proxy subresources of pods, Services and nodes, against what the original was seen to answer to the same
 * requests: what the backend gets, what of its answer comes back, links, upgrades, and every refusal.
 */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { hostAddress } from '../../src/cluster/host-address.ts';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { upgradeAndPing } from '../support/upgrade.ts';

const host = hostAddress() ?? '';
const skip = host !== '' ? false : 'this host has no address but loopback, and pods may not have that';
const page = '<html><a href="/x">x</a><a href="y">y</a><img src="http://elsewhere/z"></html>';

function answer(request: IncomingMessage, response: ServerResponse): void {
  const { searchParams, pathname } = new URL(request.url!, 'http://x');
  if (pathname === '/redirect') response.writeHead(302, { location: searchParams.get('to')! }).end('moved');
  else if (pathname === '/html') response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page);
  else if (pathname === '/gzip') {
    response.writeHead(200, { 'content-type': 'text/html', 'content-encoding': 'gzip' }).end(gzipSync(page));
  } else if (pathname === '/cors') {
    response
      .writeHead(200, { 'access-control-allow-origin': '*', 'x-own': '1', 'set-cookie': ['a=1', 'b=2'] })
      .end('ok');
  } else if (pathname === '/teapot') response.writeHead(418).end('teapot');
  else if (pathname === '/break') response.socket!.destroy();
  else if (pathname === '/garbage') response.socket!.end('nonsense\r\n\r\n');
  else {
    let size = 0;
    request.on('data', part => (size += part.length));
    request.on('end', () => {
      const { method, url, headers } = request;
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ method, url, headers, size }));
    });
  }
}

describe('proxy subresources', { skip }, () => {
  let server: TestApiServer;
  let backend: Server;
  let port: number;
  let closedPort: number;
  const namespace = '/api/v1/namespaces/x';

  interface Reply {
    readonly status: number;
    readonly headers: IncomingMessage['headers'];
    readonly bytes: Buffer;
    readonly text: string;
    readonly body: any;
  }

  function call(method: string, path: string, body?: object, headers: Record<string, string> = {}): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const all = { authorization: `Bearer ${server.adminToken}`, 'content-type': 'application/json', ...headers };
      const options = { method, headers: all, ca: server.authority.certPem, agent: false as const };
      const sent = httpsRequest(`${server.url}${path}`, options, response => {
        const parts: Buffer[] = [];
        response.on('data', part => parts.push(part));
        response.on('error', reject);
        response.on('end', () => {
          const bytes = Buffer.concat(parts);
          const text = bytes.toString();
          const isJson = response.headers['content-type'] === 'application/json' && text !== '';
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            bytes,
            text,
            body: isJson ? JSON.parse(text) : undefined,
          });
        });
      });
      sent.on('error', reject);
      sent.end(body && JSON.stringify(body));
    });
  }

  async function withStatus(path: string, object: object, status: object): Promise<void> {
    const collection = path.slice(0, path.lastIndexOf('/'));
    const { body } = await call('POST', collection, object);
    const changed = { ...body, status: { ...body.status, ...status } };
    assert.equal((await call('PUT', `${path}/status`, changed)).status, 200);
  }

  async function makePod(
    name: string,
    podIP: string | undefined,
    containerPort?: number,
    nodeName?: string,
  ): Promise<void> {
    const ports = containerPort ? { ports: [{ containerPort }] } : {};
    const spec = { ...(nodeName && { nodeName }), containers: [{ name: 'c', image: 'i', ...ports }] };
    const status = podIP === undefined ? {} : { podIP, podIPs: [{ ip: podIP }] };
    await withStatus(`${namespace}/pods/${name}`, { metadata: { name }, spec }, status);
  }

  async function makeService(name: string, subsets?: object[]): Promise<void> {
    const ports = [
      { name: 'web', port: 80 },
      { name: 'other', port: 81 },
    ];
    await call('POST', `${namespace}/services`, { metadata: { name }, spec: { ports } });
    if (subsets) await call('POST', `${namespace}/endpoints`, { metadata: { name }, subsets });
  }

  before(async () => {
    backend = createServer(answer);
    backend.on('upgrade', (request, socket) => {
      if (request.url!.includes('refuse')) {
        socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 6\r\n\r\nnot so');
      } else if (request.url!.includes('plain')) {
        socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
      } else {
        socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n${request.url}:`);
        socket.pipe(socket);
      }
    });
    await new Promise<void>(resolve => backend.listen(0, host, resolve));
    port = (backend.address() as AddressInfo).port;
    const closed = createServer();
    await new Promise<void>(resolve => closed.listen(0, host, resolve));
    closedPort = (closed.address() as AddressInfo).port;
    await new Promise(resolve => closed.close(resolve));
    server = await startTestApiServer();
    await call('POST', '/api/v1/namespaces', { metadata: { name: 'x' } });
    await call('POST', `${namespace}/serviceaccounts`, { metadata: { name: 'default' } });
    const node = (address: string, Port: number) => ({
      addresses: [{ type: 'InternalIP', address }],
      daemonEndpoints: { kubeletEndpoint: { Port } },
    });
    await withStatus('/api/v1/nodes/n1', { metadata: { name: 'n1' } }, node(host, closedPort));
    await withStatus('/api/v1/nodes/local', { metadata: { name: 'local' } }, node('127.0.0.1', port));
    await call('POST', '/api/v1/nodes', { metadata: { name: 'unknown' } });
    await makePod('p', host, port);
    await makePod('noip', undefined, port);
    await makePod('loop', '127.0.0.1', port);
    await makePod('dead', host, closedPort);
    await makePod('bound', host, port, 'n1');
    const targetRef = { kind: 'Pod', name: 'p', namespace: 'x' };
    await makeService('s', [{ addresses: [{ ip: host, targetRef }], ports: [{ name: 'web', port }] }]);
    await makeService('nobody', []);
    await makeService('without');
    await makeService('notpod', [{ addresses: [{ ip: host }], ports: [{ name: 'web', port }] }]);
  });

  after(async () => {
    backend?.closeAllConnections();
    backend?.close();
    await server?.[Symbol.asyncDispose]();
  });

  it('redirects to the root, which ends in a slash', async () => {
    for (const method of ['GET', 'HEAD']) {
      const { status, headers } = await call(method, `${namespace}/pods/p/proxy?a=b`);
      assert.equal(status, 301);
      assert.equal(headers.location, `${namespace}/pods/p/proxy/?a=b`);
    }
    assert.equal((await call('POST', `${namespace}/pods/p/proxy`, {})).body.url, '/');
  });

  it('hands on every method, body, path and query', async () => {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      const sent = ['POST', 'PUT', 'PATCH'].includes(method) ? { a: 1 } : undefined;
      const { status, body } = await call(method, `${namespace}/pods/p/proxy/x?y=%2F`, sent);
      assert.equal(status, 200);
      assert.equal(body.method, method);
      assert.equal(body.url, '/x?y=%2F');
      assert.equal(body.size, sent ? 7 : 0);
      assert.equal(body.headers['x-forwarded-uri'], `${namespace}/pods/p/proxy/x`);
    }
    assert.equal((await call('HEAD', `${namespace}/pods/p/proxy/x`)).status, 200);
    const urls: ReadonlyArray<readonly [path: string, url: string]> = [
      [`pods/p:${port}/proxy/a/b/?x=1`, '/a/b/?x=1'],
      [`pods/http:p:${port}/proxy/a%2Fb/c%20d`, '/a/b/c%20d'],
      [`pods/p/proxy/a%3Fb`, '/a%3Fb'],
      [`pods/p/proxy/a//b`, '/a/b'],
      ['services/s:web/proxy/x', '/x'],
      ['services/s:80/proxy/x', '/x'],
      ['services/http:s:web/proxy/', '/'],
    ];
    for (const [path, url] of urls) assert.equal((await call('GET', `${namespace}/${path}`)).body.url, url);
    assert.equal((await call('GET', `/api/v1/nodes/n1:${port}/proxy/x`)).body.url, '/x');
  });

  it("keeps the client's words for this server to itself", async () => {
    const { body } = await call('GET', `${namespace}/pods/p/proxy/h`, undefined, {
      'X-Remote-User': 'x',
      'Impersonate-User': 'admin',
      'Impersonate-Group': 'system:masters',
      Connection: 'X-Drop',
      'X-Drop': '1',
      Te: 'trailers',
      Accept: 'text/plain',
    });
    for (const name of ['authorization', 'x-remote-user', 'impersonate-user', 'impersonate-group', 'x-drop']) {
      assert.equal(body.headers[name], undefined, name);
    }
    assert.equal(body.headers.te, 'trailers');
    assert.equal(body.headers.accept, 'text/plain');
    assert.equal(body.headers.host, `127.0.0.1:${server.port}`);
    assert.equal(body.headers['x-forwarded-for'], '127.0.0.1');
  });

  it('leads links back through itself', async () => {
    const prefix = `${namespace}/pods/p/proxy`;
    const redirects: ReadonlyArray<readonly [to: string, location: string]> = [
      ['/z', `${prefix}/z`],
      [`http://${host}:${port}/z/`, `${prefix}/z/`],
      ['http://elsewhere/z', 'http://elsewhere/z'],
      ['rel', 'rel'],
    ];
    for (const [to, location] of redirects) {
      const { status, headers } = await call('GET', `${prefix}/redirect?to=${encodeURIComponent(to)}`);
      assert.equal(status, 302);
      assert.equal(headers.location, location);
    }
    const expected = page.replace('href="/x"', `href="${prefix}/x"`);
    assert.equal((await call('GET', `${prefix}/html`)).text, expected);
    assert.equal(gunzipSync((await call('GET', `${prefix}/gzip`)).bytes).toString(), expected);
  });

  it("passes the backend's answers on, but for what would open this server to others", async () => {
    const { headers } = await call('GET', `${namespace}/pods/p/proxy/cors`);
    assert.equal(headers['access-control-allow-origin'], undefined);
    assert.equal(headers['x-own'], '1');
    assert.deepEqual(headers['set-cookie'], ['a=1', 'b=2']);
    const { status, text } = await call('GET', `${namespace}/pods/p/proxy/teapot`);
    assert.equal(status, 418);
    assert.equal(text, 'teapot');
  });

  const unreachable = 'error trying to reach service: ';
  const refusals: ReadonlyArray<readonly [path: string, code: number, message: string]> = [
    ['pods/ftp:p:1/proxy/', 400, 'invalid pod request "ftp:p:1"'],
    ['pods/a:b:c:d/proxy/', 400, 'invalid pod request "a:b:c:d"'],
    ['pods/noip/proxy/', 400, 'address not allowed'],
    ['pods/loop/proxy/', 400, 'address not allowed'],
    ['pods/gone/proxy/', 404, 'pods "gone" not found'],
    ['pods/p:99999/proxy/', 503, `${unreachable}dial tcp: address 99999: invalid port`],
    ['pods/p/proxy/break', 503, `${unreachable}EOF`],
    [
      'pods/p/proxy/garbage',
      503,
      `${unreachable}net/http: HTTP/1.x transport connection broken: malformed HTTP response "nonsense"`,
    ],
    ['services/s/proxy/', 503, 'no endpoints available for service "s"'],
    ['services/s:81/proxy/', 503, 'no endpoints available for service "s:81"'],
    ['services/s:82/proxy/', 503, 'no service port 82 found for service "s"'],
    ['services/s:none/proxy/', 503, 'no endpoints available for service "s:none"'],
    ['services/nobody/proxy/', 503, 'no endpoints available for service "nobody"'],
    ['services/notpod:web/proxy/', 503, 'no endpoints available for service "notpod:web"'],
    ['services/without/proxy/', 404, 'services "without" not found'],
    ['services/gone/proxy/', 404, 'services "gone" not found'],
    ['services/gone:80/proxy/', 404, 'services "gone" not found'],
    ['services/::/proxy/', 400, 'invalid service request "::"'],
    ['/api/v1/nodes/unknown/proxy/', 500, 'no preferred addresses found; known addresses: []'],
    ['/api/v1/nodes/local/proxy/', 400, 'address not allowed'],
    ['/api/v1/nodes/gone/proxy/', 404, 'nodes "gone" not found'],
    ['/api/v1/nodes/ftp:n1:1/proxy/', 400, 'invalid node request "ftp:n1:1"'],
    ['pods/p/exec?command=x&stdout=true', 400, 'pod p does not have a host assigned'],
    ['pods/bound/exec?command=x&stdout=true', 400, 'Upgrade request required'],
    [
      'pods/bound/portforward?ports=abc',
      400,
      'cannot convert to []int32: strconv.ParseUint: parsing "abc": invalid syntax',
    ],
  ];
  for (const [path, code, message] of refusals) {
    it(`${path}: ${code} ${message}`, async () => {
      const { status, body } = await call('GET', path.startsWith('/') ? path : `${namespace}/${path}`);
      assert.equal(body.message, message);
      assert.equal(status, code);
      assert.equal(body.code, code);
    });
  }

  it('says what it could not reach', async () => {
    const refused = `dial tcp ${host}:${closedPort}: connect: connection refused`;
    assert.equal((await call('GET', `${namespace}/pods/dead/proxy/`)).body.message, `${unreachable}${refused}`);
    assert.equal((await call('GET', '/api/v1/nodes/n1/proxy/')).body.message, `${unreachable}${refused}`);
    const log = await call('GET', `${namespace}/pods/bound/log`);
    assert.equal(log.status, 500);
    assert.equal(log.body.message, `Get "https://${host}:${closedPort}/containerLogs/x/bound/c": ${refused}`);
    const https = await call('GET', `${namespace}/pods/https:p:${port}/proxy/`);
    assert.equal(https.body.message, `${unreachable}tls: first record does not look like a TLS handshake`);
  });

  it('asks for the right of the verb', async () => {
    const bob = { 'Impersonate-User': 'bob' };
    const verbs = { GET: 'get', POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete', OPTIONS: '' };
    for (const [method, verb] of Object.entries(verbs)) {
      const { status, body } = await call(method, `${namespace}/pods/p/proxy/x`, undefined, bob);
      assert.equal(status, 403);
      const what = `pods "p" is forbidden: User "bob" cannot ${verb} resource "pods/proxy" in API group "" in the namespace "x"`;
      assert.equal(body.message, what);
    }
  });

  it('tunnels upgrades, and passes on why there is none', async () => {
    assert.match(
      await upgradeAndPing(server, `${namespace}/pods/p/proxy/up`),
      /^HTTP\/1\.1 101 [\s\S]*\r\n\r\n\/up:ping$/,
    );
    assert.match(
      await upgradeAndPing(server, `${namespace}/pods/p/proxy/refuse`),
      /^HTTP\/1\.1 403 Forbidden\r\n[\s\S]*\r\n\r\nnot so$/,
    );
    const plain = await upgradeAndPing(server, `${namespace}/pods/p/proxy/plain`);
    assert.match(plain, /^HTTP\/1\.1 500 Internal Server Error\r\n[\s\S]*"invalid upgrade response: status code 200"/);
    assert.match(
      await upgradeAndPing(server, `${namespace}/pods/dead/proxy/`),
      /^HTTP\/1\.1 500 [\s\S]*"error dialing backend: dial tcp /,
    );
    const exec = await upgradeAndPing(server, `${namespace}/pods/bound/exec?command=x&stdout=true`);
    assert.match(exec, /^HTTP\/1\.1 500 [\s\S]*"error dialing backend: dial tcp /);
  });
});
