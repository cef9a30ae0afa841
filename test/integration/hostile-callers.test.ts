/**
 * Callers that may not: every resource, verb and subresource of a server with custom resources, tried anonymously, by a
 * user with no rights and by users with exactly one. Each is refused in upstream's words before anything is read or
 * looked up, so that no answer depends on what there is.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '#base';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { eventually } from '../support/eventually.ts';
import {
  discoveryRequests,
  type Endpoint,
  endpoints,
  type HostileRequest,
  oddPaths,
  type Question,
  refusalOf,
  requestsOf,
} from '../support/hostile-requests.ts';
import { openConnections, type Received, type Sent, send } from '../support/http.ts';

const anonymous = 'system:anonymous';
const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

let server: TestApiServer;
let all: Endpoint[];
const connections = openConnections();

const ask = (sent: Sent): Promise<Received> => send(server, { ...sent, connections });

before(async () => {
  server = await startTestApiServer();
  for (const [path, body] of objects) {
    const { code, text } = await ask({ method: 'POST', path, body });
    assert.equal(code, 201, text);
  }
  all = await eventually('the custom resources are discovered', async () => {
    const answers = await Promise.all(discoveryRequests.map(ask));
    const found = endpoints(answers.map(({ text }) => text));
    return found.some(({ resource, subresource }) => resource === 'widgets' && subresource === 'scale') && found;
  });
  const widget = { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'seen' } };
  const { code } = await ask({ method: 'POST', path: '/apis/example.com/v1/namespaces/a/widgets', body: widget });
  assert.equal(code, 201);
});

after(async () => {
  connections.destroy();
  await server?.[Symbol.asyncDispose]();
});

const within = '/api/v1/namespaces/a';
const schema = {
  type: 'object',
  properties: {
    spec: { type: 'object', properties: { replicas: { type: 'integer' } } },
    status: { type: 'object', properties: { replicas: { type: 'integer' } } },
  },
};
/** Something of many kinds that is there, called `seen`; `unseen` is not. */
const objects: ReadonlyArray<readonly [path: string, body: object]> = [
  ['/api/v1/namespaces', { metadata: { name: 'a' } }],
  [`${within}/configmaps`, { metadata: { name: 'seen' } }],
  [`${within}/secrets`, { metadata: { name: 'seen' } }],
  [`${within}/serviceaccounts`, { metadata: { name: 'default' } }],
  [`${within}/serviceaccounts`, { metadata: { name: 'seen' } }],
  [`${within}/pods`, { metadata: { name: 'seen' }, spec: { containers: [{ name: 'c', image: 'i' }] } }],
  [`${within}/services`, { metadata: { name: 'seen' }, spec: { ports: [{ port: 80 }] } }],
  ['/api/v1/nodes', { metadata: { name: 'seen' } }],
  ['/apis/rbac.authorization.k8s.io/v1/clusterroles', { metadata: { name: 'seen' }, rules: [] }],
  [
    '/apis/apps/v1/namespaces/a/deployments',
    {
      metadata: { name: 'seen' },
      spec: {
        replicas: 0,
        selector: { matchLabels: { a: 'b' } },
        template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      },
    },
  ],
  [
    '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
    {
      metadata: { name: 'widgets.example.com' },
      spec: {
        group: 'example.com',
        names: { plural: 'widgets', singular: 'widget', kind: 'Widget' },
        scope: 'Namespaced',
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: schema },
            subresources: {
              status: {},
              scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
            },
          },
        ],
      },
    },
  ],
];

/** What every authenticated user may do, by upstream's role system:basic-user. */
const basics = new Set(['selfsubjectaccessreviews', 'selfsubjectrulesreviews', 'selfsubjectreviews']);

/** Of what is asked with parameters and forms, every endpoint gets some in turn; samples and `whole` get all. */
function* everything(namespaces: readonly string[], names: readonly string[], whole = ''): Generator<HostileRequest> {
  let turn = 0;
  for (const endpoint of all) {
    if (basics.has(endpoint.resource)) continue;
    for (const namespace of endpoint.namespaced ? namespaces : ['']) {
      for (const name of names) {
        for (const request of requestsOf(endpoint, namespace, name)) {
          const { path, headers } = request.sent;
          const isPlain = !path.includes('?') && !headers?.['accept'];
          const isWhole = samples.has(endpoint.resource) || endpoint.resource === whole;
          if (isPlain || isWhole || turn++ % 8 === 0) yield request;
        }
      }
    }
  }
}

/** Resources of which something is there, whose answers could show it. */
const samples = new Set(['configmaps', 'nodes', 'namespaces', 'widgets']);

/** What stands in the store, by key and revision. */
async function contents(): Promise<string[]> {
  const { kvs } = await server.store.range({ start: '/', end: '0', keysOnly: true });
  return kvs.filter(({ key }) => !key.includes('/leases/')).map(({ key, modRevision }) => `${key} ${modRevision}`);
}

function assertRefused(user: string, { sent, question }: HostileRequest, { code, headers, text }: Received): void {
  const where = `${sent.method ?? 'GET'} ${sent.path} ${JSON.stringify(sent.headers ?? {})}`;
  assert.equal(code, 403, `${where}: ${text.slice(0, 300)}`);
  if (sent.method === 'HEAD') return;
  assert.equal(headers['x-content-type-options'], 'nosniff', where);
  const { group, resource, name } = question;
  assert.deepEqual(
    JSON.parse(text),
    {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: refusalOf(user, question),
      reason: 'Forbidden',
      details: { ...(name !== '' && { name }), ...(group !== '' && { group }), kind: resource },
      code: 403,
    },
    where,
  );
}

/** Sends the requests, some at a time, and checks each answer. */
async function tryAll(
  requests: Iterable<HostileRequest>,
  who: Partial<Sent>,
  check: (request: HostileRequest, received: Received) => void,
): Promise<number> {
  let count = 0;
  const iterator = requests[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = iterator.next(); !next.done; next = iterator.next()) {
      count++;
      check(next.value, await ask({ ...next.value.sent, ...who }));
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return count;
}

describe('who may do nothing', () => {
  for (const [what, name, who] of [
    ['an anonymous caller', anonymous, { anonymous: true }],
    ['a user without rights', 'nobody', { as: 'nobody' }],
  ] as const) {
    it(`${what} is refused everything in upstream’s words, and nothing happens`, async t => {
      const stood = await contents();
      const refused = (request: HostileRequest, received: Received): void => assertRefused(name, request, received);
      const count = await tryAll(everything(['a'], ['seen']), who, refused);
      t.diagnostic(`${count} requests to ${all.length} endpoints`);
      assert.ok(count > 2000);
      assert.deepEqual(await contents(), stood);
    });

    it(`${what} is told the same of what is there and what is not`, async () => {
      const shown = ({ code, headers, text }: Received): string => {
        const {
          date: _,
          'audit-id': __,
          'content-length': ___,
          connection: ____,
          'keep-alive': _____,
          ...kept
        } = headers;
        return JSON.stringify([code, kept, text.replaceAll('unseen', 'seen').replaceAll('\\"zzz\\"', '\\"a\\"')]);
      };
      const there = [...everything(['a'], ['seen'])].filter(each => isSample(each.question));
      const absent = [...everything(['zzz'], ['unseen'])].filter(each => isSample(each.question));
      assert.equal(there.length, absent.length);
      const seen = new Map<Sent, string>();
      await tryAll([...there, ...absent], who, ({ sent }, received) => void seen.set(sent, shown(received)));
      for (const [index, { sent }] of there.entries()) {
        assert.equal(seen.get(sent), seen.get(absent[index]!.sent), `${sent.method ?? 'GET'} ${sent.path}`);
      }
    });

    it(`${what} finds no way around by odd paths`, async () => {
      for (const path of oddPaths) {
        for (const method of methods) {
          const received = await ask({ method, path, ...who, ...(method === 'GET' ? {} : { body: '{}' }) });
          assert.equal(received.code, 403, `${method} ${path}: ${received.text.slice(0, 200)}`);
        }
      }
    });
  }

  it('reads the health and the version of a server anonymously, and nothing else of what is public to users', async () => {
    for (const path of ['/healthz', '/livez', '/readyz', '/version']) {
      assert.equal((await ask({ path, anonymous: true })).code, 200, path);
    }
    for (const path of ['/', '/api', '/apis', '/apis/apps/v1', '/openapi/v2', '/openapi/v3', '/metrics']) {
      assert.equal((await ask({ path, anonymous: true })).code, 403, path);
    }
  });
});

const isSample = ({ resource }: Question): boolean => samples.has(resource);

interface Right extends Question {
  /** Requests that the right covers have these codes: found, or wrong in themselves. */
  readonly codes: readonly number[];
}

const right = (verb: string, resource: string, more: Partial<Right>): Right => ({
  verb,
  group: '',
  resource,
  subresource: '',
  namespace: 'a',
  name: '',
  codes: [],
  ...more,
});

/** One right a user; an empty name or namespace is any. */
const rights: readonly Right[] = [
  right('get', 'configmaps', { name: 'seen', codes: [200, 405, 406, 500] }),
  right('list', 'secrets', { codes: [200, 400, 405, 406, 410, 422, 500, 504] }),
  right('create', 'pods', { codes: [400, 405, 422] }),
  right('patch', 'deployments', { group: 'apps', subresource: 'scale', codes: [400, 404, 415, 422] }),
  right('deletecollection', 'services', { codes: [200, 405] }),
  right('get', 'widgets', { group: 'example.com', subresource: 'status', codes: [200, 404, 405, 406, 500] }),
  right('get', 'nodes', { namespace: '', subresource: 'proxy', codes: [400, 404, 500, 502, 503] }),
];

const covers = (own: Right, question: Question): boolean =>
  (['verb', 'group', 'resource', 'subresource'] as const).every(key => own[key] === question[key]) &&
  (own.namespace === '' || own.namespace === question.namespace) &&
  (own.name === '' || own.name === question.name);

describe('who may do one thing', () => {
  for (const [index, own] of rights.entries()) {
    const full = own.subresource === '' ? own.resource : `${own.resource}/${own.subresource}`;
    it(`may ${own.verb} ${full} and is refused everything else`, async () => {
      const name = `one-${index}`;
      await grant(name, own, full);
      await eventually('the right holds', async () => {
        const attributes = { ...own, codes: undefined, name: own.name || 'seen' };
        const spec = { user: name, resourceAttributes: attributes };
        const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec };
        const path = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
        return JSON.parse((await ask({ method: 'POST', path, body })).text).status.allowed as boolean;
      });
      let allowed = 0;
      const check = (request: HostileRequest, received: Received): void => {
        if (!covers(own, request.question)) {
          assertRefused(name, request, received);
          return;
        }
        allowed++;
        const { method = 'GET', path } = request.sent;
        assert.ok(
          own.codes.includes(received.code),
          `${method} ${path}: ${received.code} ${received.text.slice(0, 300)}`,
        );
      };
      // Everywhere what is close to the right, and of the rest what does not repeat itself.
      const near = [...everything(['a', 'default', ''], ['seen', 'unseen'], own.resource)].filter(
        ({ question }) => question.resource === own.resource,
      );
      const far = [...everything(['a'], ['seen'])].filter(
        ({ question }, at) => question.resource !== own.resource && at % 28 === index,
      );
      await tryAll([...near, ...far], { as: name }, check);
      assert.ok(allowed > 0);
    });
  }

  async function grant(user: string, own: Right, full: string): Promise<void> {
    const rules = [
      {
        verbs: [own.verb],
        apiGroups: [own.group],
        resources: [full],
        ...(own.name !== '' && { resourceNames: [own.name] }),
      },
    ];
    const group = '/apis/rbac.authorization.k8s.io/v1';
    const at = own.namespace === '' ? group : `${group}/namespaces/${own.namespace}`;
    const [roles, kind] = own.namespace === '' ? ['clusterroles', 'ClusterRole'] : ['roles', 'Role'];
    const bindings = own.namespace === '' ? 'clusterrolebindings' : 'rolebindings';
    const metadata = { name: user };
    const subjects = [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: user }];
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind, name: user };
    for (const [path, body] of [
      [`${at}/${roles}`, { metadata, rules }],
      [`${at}/${bindings}`, { metadata, roleRef, subjects }],
    ] as const) {
      assert.equal((await ask({ method: 'POST', path, body })).code, 201);
    }
  }

  it('runs no command and opens no port by a right to read, though a WebSocket begins with a GET', async () => {
    for (const subresource of ['exec', 'attach', 'portforward']) {
      const user = `reader-${subresource}`;
      const own = right('get', 'pods', { subresource });
      await grant(user, own, `pods/${subresource}`);
      const path = `${within}/pods/seen/${subresource}?command=x&stdout=true&ports=80`;
      await eventually('the right to read holds, and is not enough', async () => {
        const { message, details } = JSON.parse((await ask({ path, as: user })).text);
        return message === 'pods "seen" is forbidden: ' && details.name === 'seen';
      });
      await grant(`${user}-too`, right('create', 'pods', { subresource }), `pods/${subresource}`);
      const subjects = [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: user }];
      const bindings = '/apis/rbac.authorization.k8s.io/v1/namespaces/a/rolebindings';
      const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: `${user}-too` };
      const body = { metadata: { name: `${user}-both` }, roleRef, subjects };
      assert.equal((await ask({ method: 'POST', path: bindings, body })).code, 201);
      await eventually('who may create may', async () => (await ask({ path, as: user })).code === 400);
    }
  });

  it('is refused from when the binding is gone; a watch that had begun goes on, as upstream’s', async () => {
    const own = right('watch', 'configmaps', {});
    await grant('watcher', own, 'configmaps');
    const path = `${within}/configmaps?watch=true`;
    const sent: Sent = { path, as: 'watcher' };
    const stop = new AbortController();
    await eventually('the right holds', async () => {
      const { code } = await send(server, { ...sent, withinMs: 50 });
      return code === 200;
    });
    const events: string[] = [];
    const watching = send(server, { ...sent, signal: stop.signal, received: text => events.push(text) });
    await eventually('the watch begins', () => events.join('').includes('"seen"'));
    const bindings = '/apis/rbac.authorization.k8s.io/v1/namespaces/a/rolebindings';
    assert.equal((await ask({ method: 'DELETE', path: `${bindings}/watcher` })).code, 200);
    await eventually(
      'new requests are refused',
      async () => (await send(server, { ...sent, withinMs: 50 })).code === 403,
    );
    const late = { metadata: { name: 'late' } };
    assert.equal((await ask({ method: 'POST', path: `${within}/configmaps`, body: late })).code, 201);
    await eventually('the watch goes on', () => events.join('').includes('"late"'));
    stop.abort();
    assert.equal((await watching).code, 200);
    await systemClock.sleep(0);
  });
});
