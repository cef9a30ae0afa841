/**
 * Aggregation with a real server over TLS behind an APIService: routing, identities, conditions, discovery, streams,
 * upgrades, and a backend that misbehaves in every way.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, request as httpsRequest, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '../../src/base/index.ts';
import { hostAddress } from '../../src/cluster/host-address.ts';
import { type Authority, createAuthority, type KeyPair } from '../../src/pki/index.ts';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { upgradeAndPing } from '../support/upgrade.ts';

const host = hostAddress();
const skip = host ? false : 'this host has no address but loopback, and endpoints may not hold that';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A backend that is what each test makes it. */
interface Backend extends AsyncDisposable {
  readonly port: number;
  readonly requests: IncomingMessage[];
  readonly server: Server;
  handle: Handler;
}

async function startBackend(pair: KeyPair, clientCaPem: string): Promise<Backend> {
  const backend: { handle: Handler; requests: IncomingMessage[] } = { handle: discovery, requests: [] };
  const server = createServer(
    { cert: pair.certPem, key: pair.keyPem, ca: clientCaPem, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      backend.requests.push(request);
      backend.handle(request, response);
    },
  );
  await new Promise<void>(resolve => server.listen(0, host, resolve));
  return Object.assign(backend, {
    server,
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  });
}

const resources = {
  kind: 'APIResourceList',
  apiVersion: 'v1',
  groupVersion: 'backend.test/v1',
  resources: [
    { name: 'things', singularName: 'thing', namespaced: true, kind: 'Thing', verbs: ['get', 'list', 'watch'] },
    { name: 'things/status', singularName: '', namespaced: true, kind: 'Thing', verbs: ['get'] },
  ],
};

function json(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** What every test starts from: discovery, and everything else echoed. */
function discovery(request: IncomingMessage, response: ServerResponse): void {
  const path = request.url!.split('?')[0];
  if (path === '/apis/backend.test/v1') return void json(response, resources);
  if (path === '/apis' || path!.startsWith('/openapi')) return void json(response, { message: 'not here' }, 404);
  const { headers, method, url } = request;
  json(response, { kind: 'Echo', apiVersion: 'backend.test/v1', metadata: {}, headers, method, url });
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

describe('aggregation', { skip }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'kobune-aggregation-'));
  let server: TestApiServer;
  let front: Authority;
  let authority: Authority;
  let backend: Backend;
  const names = ['backend.apps.svc'];

  const serving = (signer: Authority, dnsNames = names, nowMs = systemClock.now()): Promise<KeyPair> =>
    signer.issue({ commonName: dnsNames[0]!, dnsNames, usages: ['server auth'], nowMs });

  before(async () => {
    const nowMs = systemClock.now();
    [front, authority] = await Promise.all([
      createAuthority('front-proxy-ca', nowMs),
      createAuthority('backend-ca', nowMs),
    ]);
    const client = await front.issue({ commonName: 'front-proxy-client', usages: ['client auth'], nowMs });
    const certFile = join(directory, 'client.crt');
    const keyFile = join(directory, 'client.key');
    writeFileSync(certFile, client.certPem);
    writeFileSync(keyFile, client.keyPem);
    const caFile = join(directory, 'front.crt');
    writeFileSync(caFile, front.certPem);
    const proxyClient = { certFile, keyFile };
    server = await startTestApiServer({
      config: {
        aggregation: { enableAggregatorRouting: false, aggregatorRejectForwardingRedirect: true, proxyClient },
        authentication: {
          requestHeader: {
            clientCaFile: caFile,
            allowedNames: ['front-proxy-client'],
            usernameHeaders: ['X-Remote-User'],
            uidHeaders: [],
            groupHeaders: ['X-Remote-Group'],
            extraHeaderPrefixes: ['X-Remote-Extra-'],
          },
        },
      },
    });
    backend = await startBackend(await serving(authority), front.certPem);
    await call('POST', '/api/v1/namespaces', { metadata: { name: 'apps' } });
    await call('POST', '/api/v1/namespaces/apps/serviceaccounts', { metadata: { name: 'default' } });
    await makeService(backend.port);
    await call('POST', '/apis/apiregistration.k8s.io/v1/apiservices', apiService());
    await until('Passed');
  });

  after(async () => {
    await backend?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });

  function apiService(spec: object = {}): object {
    return {
      metadata: { name: 'v1.backend.test' },
      spec: {
        group: 'backend.test',
        version: 'v1',
        groupPriorityMinimum: 2000,
        versionPriority: 10,
        service: { namespace: 'apps', name: 'backend' },
        caBundle: Buffer.from(authority.certPem).toString('base64'),
        ...spec,
      },
    };
  }

  async function makeService(port: number): Promise<void> {
    await call('POST', '/api/v1/namespaces/apps/services', {
      metadata: { name: 'backend' },
      spec: { ports: [{ name: 'https', port: 443, targetPort: port }] },
    });
    await call('POST', '/apis/discovery.k8s.io/v1/namespaces/apps/endpointslices', slice(port));
  }

  function slice(port: number, ready = true): object {
    return {
      metadata: { name: 'backend-1', labels: { 'kubernetes.io/service-name': 'backend' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: [host], conditions: { ready } }],
      ports: [{ name: 'https', port, protocol: 'TCP' }],
    };
  }

  interface Reply {
    readonly status: number;
    readonly headers: IncomingMessage['headers'];
    readonly text: string;
    readonly body: any;
  }

  function call(
    method: string,
    path: string,
    body?: object,
    headers: Record<string, string | string[]> = {},
  ): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const sent = httpsRequest(
        `${server.url}${path}`,
        {
          method,
          ca: server.authority.certPem,
          agent: false,
          headers: { authorization: `Bearer ${server.adminToken}`, 'content-type': 'application/json', ...headers },
        },
        response => {
          const parts: Buffer[] = [];
          response.on('data', part => parts.push(part));
          response.on('error', reject);
          response.on('end', () => {
            const text = Buffer.concat(parts).toString();
            let parsed: unknown;
            try {
              parsed = JSON.parse(text);
            } catch {
              parsed = undefined;
            }
            resolve({ status: response.statusCode!, headers: response.headers, text, body: parsed });
          });
        },
      );
      sent.on('error', reject);
      sent.end(body && JSON.stringify(body));
    });
  }

  const path = '/apis/apiregistration.k8s.io/v1/apiservices/v1.backend.test';

  async function condition(): Promise<Condition | undefined> {
    const { body } = await call('GET', path);
    return body.status?.conditions?.find((each: Condition) => each.type === 'Available');
  }

  async function until(reason: string): Promise<Condition> {
    for (let i = 0; i < 400; i++) {
      const now = await condition();
      if (now?.reason === reason) return now;
      await systemClock.sleep(25);
    }
    throw new Error(`the condition is ${JSON.stringify(await condition())}, not ${reason}`);
  }

  const patch = (to: string, body: object): Promise<Reply> =>
    call('PATCH', to, body, { 'content-type': 'application/merge-patch+json' });
  const things = '/apis/backend.test/v1/namespaces/apps/things';

  it('shows a certificate and says who asks; the client cannot', async () => {
    const { status, body } = await call('GET', `${things}/a?b=c&d=%2F`, undefined, {
      'X-Remote-User': 'somebody',
      'X-Remote-Group': 'system:masters',
      'X-Remote-Extra-Scope': 'all',
      'Impersonate-User': 'alice',
      'Impersonate-Uid': '42',
      'Impersonate-Group': ['one', 'system:masters'],
      'Impersonate-Extra-Example.com%2Fscope': 'some',
    });
    assert.equal(status, 200);
    assert.equal(body.headers['x-remote-user'], 'alice');
    assert.equal(body.headers['x-remote-uid'], '42');
    assert.equal(body.headers['x-remote-group'], 'one, system:masters, system:authenticated');
    assert.equal(body.headers['x-remote-extra-example.com%2fscope'], 'some');
    assert.equal(body.headers['x-remote-extra-scope'], undefined);
    assert.equal(body.headers['authorization'], undefined);
    assert.equal(body.headers['impersonate-user'], undefined);
    assert.equal(body.url, `${things}/a?b=c&d=%2F`);
    const { socket } = backend.requests.at(-1)!;
    const shown = socket as typeof socket & { authorized: boolean; getPeerCertificate(): { subject: { CN: string } } };
    assert.equal(shown.authorized, true);
    assert.equal(shown.getPeerCertificate().subject.CN, 'front-proxy-client');
  });

  it('tells other servers how it recognises its callers', async () => {
    const at = '/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication';
    const { body } = await call('GET', at);
    assert.equal(body.data['client-ca-file'], server.authority.certPem);
    assert.equal(body.data['requestheader-client-ca-file'], front.certPem);
    assert.equal(body.data['requestheader-allowed-names'], '["front-proxy-client"]');
    assert.equal(body.data['requestheader-username-headers'], '["X-Remote-User"]');
    assert.equal(body.data['requestheader-group-headers'], '["X-Remote-Group"]');
    assert.equal(body.data['requestheader-extra-headers-prefix'], '["X-Remote-Extra-"]');
    assert.equal(body.data['requestheader-uid-headers'], undefined);
    await call('DELETE', at);
    for (let i = 0; (await call('GET', at)).status !== 200; i++) {
      assert.ok(i < 200, 'the ConfigMap never came back');
      await systemClock.sleep(25);
    }
  });

  it('asks RBAC first', async () => {
    const { status, body } = await call('GET', things, undefined, { 'Impersonate-User': 'bob' });
    assert.equal(status, 403);
    assert.match(body.message, /^things\.backend\.test is forbidden: User "bob" cannot list resource "things"/);
  });

  it('is in the legacy documents, in the aggregated one and in kubectl', async () => {
    const { body: list } = await call('GET', '/apis');
    const at = list.groups.findIndex((each: { name: string }) => each.name === 'backend.test');
    assert.ok(at > 0 && list.groups[at].preferredVersion.groupVersion === 'backend.test/v1');
    assert.equal((await call('GET', '/apis/backend.test')).body.versions[0].version, 'v1');
    assert.deepEqual((await call('GET', '/apis/backend.test/v1')).body, resources);
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    for (let i = 0; ; i++) {
      const { body } = await call('GET', '/apis', undefined, { accept });
      const group = body.items.find((each: { metadata: { name: string } }) => each.metadata.name === 'backend.test');
      if (group?.versions[0].freshness === 'Current') {
        assert.equal(group.versions[0].resources[0].resource, 'things');
        assert.equal(group.versions[0].resources[0].subresources[0].subresource, 'status');
        break;
      }
      assert.ok(i < 200, 'the aggregated document never showed the group');
      await systemClock.sleep(25);
    }
  });

  it('says why the server cannot be asked, and answers 503', async () => {
    await patch('/apis/discovery.k8s.io/v1/namespaces/apps/endpointslices/backend-1', slice(backend.port, false));
    const missing = await until('MissingEndpoints');
    assert.equal(
      missing.message,
      'endpointslices for service/backend in "apps" have no addresses with port name "https"',
    );
    const { status, text, headers } = await call('GET', things);
    assert.equal(status, 503);
    assert.equal(text, 'service unavailable\n');
    assert.equal(headers['content-type'], 'text/plain; charset=utf-8');
    await call('DELETE', '/apis/discovery.k8s.io/v1/namespaces/apps/endpointslices/backend-1');
    const none = await until('EndpointsNotFound');
    assert.equal(none.message, 'cannot find endpointslices for service/backend in "apps"');
    await patch(path, { spec: { service: { port: 444 } } });
    assert.equal((await until('ServicePortError')).message, 'service/backend in "apps" is not listening on port 444');
    await patch(path, { spec: { service: { port: 443 } } });
    await call('DELETE', '/api/v1/namespaces/apps/services/backend');
    assert.equal((await until('ServiceNotFound')).message, 'service/backend in "apps" is not present');
    await makeService(backend.port);
    assert.equal((await until('Passed')).message, 'all checks passed');
    const { text: metrics } = await call('GET', '/metrics');
    assert.match(metrics, /aggregator_unavailable_apiservice\{name="v1\.backend\.test"\} 0/);
    assert.match(
      metrics,
      /aggregator_unavailable_apiservice_total\{name="v1\.backend\.test",reason="MissingEndpoints"\} 1/,
    );
  });

  it('hands on events as they come, and hears when the client goes', async () => {
    const gone = Promise.withResolvers<void>();
    let send: (line: string) => void = () => {};
    backend.handle = (request, response) => {
      if (!request.url!.includes('watch=')) return discovery(request, response);
      response.writeHead(200, { 'content-type': 'application/json' });
      send = line => response.write(`${line}\n`);
      send('{"type":"ADDED","object":{}}');
      response.on('close', () => gone.resolve());
    };
    const lines: string[] = [];
    const stop = new AbortController();
    const watch = new Promise<void>((resolve, reject) => {
      const options = {
        ca: server.authority.certPem,
        headers: { authorization: `Bearer ${server.adminToken}` },
        signal: stop.signal,
      };
      const sent = httpsRequest(`${server.url}${things}?watch=1`, options, response => {
        response.on('data', (part: Buffer) => {
          lines.push(part.toString().trim());
          if (lines.length === 1) send('{"type":"MODIFIED","object":{}}');
          if (lines.length === 2) resolve();
        });
        response.on('error', () => {});
      });
      sent.on('error', reject);
      sent.end();
    });
    await watch;
    assert.deepEqual(lines, ['{"type":"ADDED","object":{}}', '{"type":"MODIFIED","object":{}}']);
    stop.abort();
    await gone.promise;
    backend.handle = discovery;
  });

  it('gives events to clients in this process, too', async () => {
    backend.handle = (request, response) => {
      if (!request.url!.includes('watch=')) return discovery(request, response);
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end('{"type":"ADDED","object":{"a":1}}\n{"type":"DELETED","object":{"a":2}}\n');
    };
    await using transport = server.transport();
    const answer = await transport.request({ method: 'GET', path: things, query: [['watch', '1']] });
    const types: string[] = [];
    for await (const { type } of answer.events()) types.push(type);
    assert.deepEqual(types, ['ADDED', 'DELETED']);
    backend.handle = discovery;
  });

  it('tunnels upgrades, and passes on why there is none', async () => {
    backend.server.on('upgrade', (request, socket) => {
      if (request.url!.includes('refuse')) {
        socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 6\r\n\r\nnot so');
        return;
      }
      const { 'x-remote-user': name } = request.headers;
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n${name}:`);
      socket.pipe(socket);
    });
    assert.match(await upgradeAndPing(server, `${things}/a/exec`), /^HTTP\/1\.1 101 [\s\S]*\r\n\r\nadmin:ping$/);
    assert.match(await upgradeAndPing(server, `${things}/a/refuse`), /^HTTP\/1\.1 403 [\s\S]*\r\n\r\nnot so$/);
  });

  it('streams bodies of 10 MB either way', async () => {
    let received = 0;
    backend.handle = (request, response) => {
      if (request.method !== 'POST') return discovery(request, response);
      request.on('data', part => (received += part.length));
      request.on('end', () => response.writeHead(201).end(Buffer.alloc(10 * 1024 * 1024, 'x')));
    };
    const body = { data: 'y'.repeat(10 * 1024 * 1024) };
    const { status, text } = await call('POST', things, body);
    assert.equal(status, 201);
    assert.equal(received, JSON.stringify(body).length);
    assert.equal(text.length, 10 * 1024 * 1024);
    backend.handle = discovery;
  });

  it('does not pass redirects on', async () => {
    backend.handle = (request, response) => {
      if (!request.url!.includes('/things')) return discovery(request, response);
      response.writeHead(302, { location: 'https://elsewhere.example/' }).end();
    };
    const { status, text, headers } = await call('GET', things);
    assert.equal(status, 502);
    assert.equal(text, 'the backend attempted to redirect this request, which is not permitted');
    assert.equal(headers.location, undefined);
    backend.handle = discovery;
  });

  it('says 503 for garbage and for connections that break', async () => {
    backend.handle = (request, response) => {
      if (!request.url!.includes('/things')) return discovery(request, response);
      if (request.url!.includes('break')) return void response.socket!.destroy();
      response.socket!.end('this is not HTTP\r\n\r\n');
    };
    const { status, text } = await call('GET', things);
    assert.equal(status, 503);
    assert.equal(
      text,
      'error trying to reach service: net/http: HTTP/1.x transport connection broken: malformed HTTP response "this is not HTTP"\n',
    );
    const broken = await call('GET', `${things}?break=1`);
    assert.equal(broken.status, 503);
    assert.equal(broken.text, 'error trying to reach service: EOF\n');
    backend.handle = discovery;
  });

  it('takes no answer of the wrong authority, nor for another name', async () => {
    const other = await createAuthority('other-ca', systemClock.now());
    await patch(path, { spec: { caBundle: Buffer.from(other.certPem).toString('base64') } });
    const { message } = await until('FailedDiscoveryCheck');
    const clusterIP = (await call('GET', '/api/v1/namespaces/apps/services/backend')).body.spec.clusterIP;
    const url = `https://${clusterIP}:443/apis/backend.test/v1`;
    const why = 'tls: failed to verify certificate: x509: certificate signed by unknown authority';
    assert.equal(message, `failing or missing response from ${url}: Get "${url}": ${why}`);
    await patch(path, { spec: { caBundle: null, insecureSkipTLSVerify: true } });
    await until('Passed');
    await patch(path, {
      spec: { caBundle: (apiService() as { spec: { caBundle: string } }).spec.caBundle, insecureSkipTLSVerify: null },
    });
    await until('Passed');
  });

  it('says that the server is down', async () => {
    const slicePath = '/apis/discovery.k8s.io/v1/namespaces/apps/endpointslices/backend-1';
    await patch(slicePath, slice(1));
    const { message } = await until('FailedDiscoveryCheck');
    assert.match(message, new RegExp(`: dial tcp ${host}:1: connect: connection refused$`));
    assert.equal((await call('GET', things)).text, 'service unavailable\n');
    await patch(slicePath, slice(backend.port));
    await until('Passed');
  });

  it('gives a server that hangs five seconds for discovery, and the time of the request for the rest', async () => {
    backend.handle = () => {};
    const [late, slow] = await Promise.all([call('GET', '/apis/backend.test/v1'), call('GET', `${things}?timeout=1s`)]);
    assert.equal(late.status, 503);
    assert.equal(late.text, 'error trying to reach service: context deadline exceeded\n');
    assert.equal(slow.status, 504);
    assert.match(slow.text, /Timeout: request did not complete within the allotted timeout/);
    backend.handle = discovery;
    await until('Passed');
  });

  it('says which answer of its discovery was bad', async () => {
    backend.handle = (_request, response) => json(response, {}, 500);
    await patch(path, { metadata: { annotations: { look: 'again' } } });
    const { message } = await until('FailedDiscoveryCheck');
    assert.match(message, /^failing or missing response from (\S+): bad status from \1: 500$/);
    backend.handle = discovery;
    await until('Passed');
  });

  it('keeps what definitions need registered, and leaves what it does not manage', async () => {
    const crd = {
      metadata: { name: 'gadgets.made.test' },
      spec: {
        group: 'made.test',
        scope: 'Cluster',
        names: { plural: 'gadgets', singular: 'gadget', kind: 'Gadget', listKind: 'GadgetList' },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
      },
    };
    const registered = async (): Promise<Reply> =>
      call('GET', '/apis/apiregistration.k8s.io/v1/apiservices/v1.made.test');
    const settled = async (status: number): Promise<Reply> => {
      for (let i = 0; i < 200; i++) {
        const reply = await registered();
        if (reply.status === status) return reply;
        await systemClock.sleep(25);
      }
      throw new Error(`v1.made.test never answered ${status}`);
    };
    await call('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', crd);
    const { body } = await settled(200);
    assert.deepEqual(body.spec, {
      group: 'made.test',
      version: 'v1',
      groupPriorityMinimum: 1000,
      versionPriority: 100,
    });
    assert.deepEqual(body.metadata.labels, { 'kube-aggregator.kubernetes.io/automanaged': 'true' });
    assert.equal(body.status.conditions[0].reason, 'Local');
    await call('DELETE', '/apis/apiregistration.k8s.io/v1/apiservices/v1.made.test');
    assert.notEqual((await settled(200)).body.metadata.uid, body.metadata.uid);
    await call('DELETE', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.made.test');
    await settled(404);
  });

  it('merges OpenAPI of version 2 and leaves that of version 3 to its server', async () => {
    const gvk = [{ group: 'backend.test', kind: 'Thing', version: 'v2' }];
    const ref = (name: string) => ({ $ref: `#/definitions/${name}` });
    const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
    const spec = {
      swagger: '2.0',
      info: { title: 'backend', version: '1' },
      paths: {
        '/apis/backend.test/v2/things': { get: { responses: { 200: { description: 'OK', schema: ref('Thing') } } } },
        '/apis/backend.test/v3/things': { get: { responses: { 200: { description: 'OK', schema: ref('Else') } } } },
        '/version/': { get: { responses: { 200: { description: 'not ours' } } } },
      },
      definitions: {
        Thing: { type: 'object', properties: { metadata: ref(meta) }, 'x-kubernetes-group-version-kind': gvk },
        Else: { type: 'object' },
        [meta]: { type: 'object', description: 'another thing under the same name' },
      },
    };
    const v3 = '/openapi/v3/apis/backend.test/v2';
    backend.handle = (request, response) => {
      if (request.url === '/openapi/v2') return void json(response, spec);
      if (request.url === '/openapi/v3') {
        return void json(response, {
          paths: {
            'apis/backend.test/v2': { serverRelativeURL: `${v3}?hash=H` },
            version: { serverRelativeURL: '/no' },
          },
        });
      }
      if (request.url?.startsWith(v3)) {
        return void json(response, { openapi: '3.0.0', user: request.headers['x-remote-user'] });
      }
      if (request.url === '/apis/backend.test/v2') return void json(response, resources);
      discovery(request, response);
    };
    const service = apiService({ version: 'v2' });
    await call('POST', '/apis/apiregistration.k8s.io/v1/apiservices', {
      ...service,
      metadata: { name: 'v2.backend.test' },
    });
    for (let i = 0; ; i++) {
      const { body } = await call('GET', '/openapi/v3');
      if (body.paths['apis/backend.test/v2']) {
        assert.equal(body.paths['apis/backend.test/v2'].serverRelativeURL, `${v3}?hash=H`);
        assert.match(body.paths.version.serverRelativeURL, /^\/openapi\/v3\/version\?hash=/);
        break;
      }
      assert.ok(i < 400, 'the index never showed the document');
      await systemClock.sleep(25);
    }
    assert.equal((await call('GET', `${v3}?hash=H`)).body.user, 'admin');
    const { body: merged } = await call('GET', '/openapi/v2', undefined, { accept: 'application/json' });
    assert.equal(merged.info.title, 'Kubernetes');
    assert.ok(merged.paths['/apis/backend.test/v2/things'] && merged.paths['/api/v1/pods']);
    assert.equal(merged.paths['/apis/backend.test/v3/things'], undefined);
    assert.equal(merged.definitions.Else, undefined);
    assert.deepEqual(merged.definitions.Thing.properties.metadata, ref(`${meta}_v2`));
    assert.equal(merged.definitions[`${meta}_v2`].description, spec.definitions[meta]!.description);
    assert.notEqual(merged.definitions[meta].description, spec.definitions[meta]!.description);
    const accept = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
    assert.equal((await call('GET', '/openapi/v2', undefined, { accept })).status, 200);
    await call('DELETE', '/apis/apiregistration.k8s.io/v1/apiservices/v2.backend.test');
    for (let i = 0; (await call('GET', '/openapi/v3')).body.paths['apis/backend.test/v2']; i++) {
      assert.ok(i < 200, 'the document never went');
      await systemClock.sleep(25);
    }
    const { body: own } = await call('GET', '/openapi/v2', undefined, { accept: 'application/json' });
    assert.equal(own.definitions.Thing, undefined);
    backend.handle = discovery;
  });

  it('is gone with its APIService', async () => {
    await call('DELETE', path);
    for (let i = 0; (await call('GET', '/apis/backend.test/v1')).status !== 404; i++) {
      assert.ok(i < 200);
      await systemClock.sleep(25);
    }
    const { status, text } = await call('GET', things);
    assert.equal(status, 404);
    assert.equal(text, '404 page not found\n');
  });
});
