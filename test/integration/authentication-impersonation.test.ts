/**
 * Acting as somebody else: with the one right of old, and with the two rights of constrained impersonation, whose
 * texts and order were compared with a live v1.36.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { staticTokens, user } from '#apiserver';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { rawRequest, type Who, whoIs } from '../support/raw-request.ts';

type Headers = ReadonlyArray<readonly [string, string]>;

const as = (name: string, ...more: Headers): Headers => [['Impersonate-User', name], ...more];
const group = (name: string): readonly [string, string] => ['Impersonate-Group', name];
const authn = 'authentication.k8s.io';

const tokens = staticTokens(
  new Map([
    ['legacy', user('legacy')],
    ['constrained', user('constrained')],
    ['nobody', user('nobody')],
    [
      'agent',
      user('system:serviceaccount:kube-system:agent', ['system:serviceaccounts'], {
        extra: { 'authentication.kubernetes.io/node-name': ['n1'] },
      }),
    ],
  ]),
);

const rules: Readonly<
  Record<string, ReadonlyArray<{ group: string; resources: string[]; verbs: string[]; names?: string[] }>>
> = {
  legacy: [
    { group: '', resources: ['users', 'groups', 'serviceaccounts'], verbs: ['impersonate'] },
    { group: authn, resources: ['userextras/scopes', 'uids'], verbs: ['impersonate'] },
  ],
  constrained: [
    { group: authn, resources: ['users'], names: ['bob'], verbs: ['impersonate:user-info'] },
    { group: authn, resources: ['groups'], names: ['g1'], verbs: ['impersonate:user-info'] },
    { group: authn, resources: ['userextras/example.org/a'], verbs: ['impersonate:user-info'] },
    { group: authn, resources: ['serviceaccounts'], verbs: ['impersonate:serviceaccount'] },
    { group: authn, resources: ['nodes'], names: ['n1'], verbs: ['impersonate:arbitrary-node'] },
    {
      group: authn,
      resources: ['selfsubjectreviews'],
      verbs: ['user-info', 'serviceaccount', 'arbitrary-node'].map(mode => `impersonate-on:${mode}:create`),
    },
  ],
  'system:serviceaccount:kube-system:agent': [
    { group: authn, resources: ['nodes'], verbs: ['impersonate:associated-node'] },
    { group: authn, resources: ['selfsubjectreviews'], verbs: ['impersonate-on:associated-node:create'] },
  ],
};

let server: TestApiServer;
before(async () => {
  server = await startTestApiServer({ tokenAuthenticators: [tokens] });
  const client = server.transport();
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  for (const [name, all] of Object.entries(rules)) {
    const roleName = name.split(':').at(-1)!;
    const written = all.map(({ group: apiGroup, resources, verbs, names }) => ({
      apiGroups: [apiGroup],
      resources,
      verbs,
      ...(names && { resourceNames: names }),
    }));
    const subject = { apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name };
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: roleName };
    const post = (path: string, body: object): Promise<unknown> =>
      client.request({ method: 'POST', path: `${rbac}/${path}`, body });
    await post('clusterroles', { metadata: { name: roleName }, rules: written });
    await post('clusterrolebindings', { metadata: { name: roleName }, roleRef, subjects: [subject] });
  }
});
after(() => server[Symbol.asyncDispose]());

const who = (token: string, headers: Headers): Promise<Who | string> => whoIs(server, { token, headers });

describe('impersonation of old', () => {
  test('gives name, groups, uid and extra, each by its own right', async () => {
    const extra: Headers = [
      ['Impersonate-Extra-Scopes', 'a'],
      ['Impersonate-Extra-scopes', 'b, c'],
    ];
    const found = await who('legacy', as('bob', group('g1'), group('g2, g3'), ['Impersonate-Uid', 'u'], ...extra));
    assert.deepEqual(found, {
      username: 'bob',
      uid: 'u',
      groups: ['g1', 'g2, g3', 'system:authenticated'],
      extra: { scopes: ['a', 'b, c'] },
    });
  });

  test('gives groups to ServiceAccounts and standing to everybody', async () => {
    assert.deepEqual(await who('legacy', as('system:serviceaccount:default:x')), {
      username: 'system:serviceaccount:default:x',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
    });
    // Who is not authenticated may not even ask who they are.
    assert.match(String(await who('legacy', as('bob', group('system:unauthenticated')))), /User "bob" cannot create/);
  });

  test('may give system:masters, which no constrained mode does', async () => {
    const found = (await who('legacy', as('bob', group('system:masters')))) as Who;
    assert.deepEqual(found.groups, ['system:masters', 'system:authenticated']);
    assert.match(
      String(await who('constrained', as('bob', group('system:masters')))),
      /cannot impersonate:user-info resource "groups" in API group "authentication.k8s.io" at the cluster scope: impersonating the system:masters group is not allowed$/,
    );
  });

  test('headers without a name are a bad request, and others are none of them', async () => {
    const text =
      'requested &user.DefaultInfo{Name:"", UID:"", Groups:[]string{"g1"}, Extra:map[string][]string(nil)} without impersonating a user name';
    assert.equal(await who('legacy', [group('g1')]), text);
    assert.equal(((await who('legacy', [['Impersonate_User', 'bob']])) as Who).username, 'legacy');
    assert.equal(
      (
        (await who('legacy', [
          ['Impersonate-User', 'bob'],
          ['Impersonate-User', 'eve'],
        ])) as Who
      ).username,
      'bob',
    );
  });
});

describe('constrained impersonation', () => {
  test('needs a right on who is impersonated and one on what is done', async () => {
    const found = await who('constrained', as('bob', group('g1'), ['Impersonate-Extra-example.org%2fa', 'v']));
    assert.deepEqual(found, {
      username: 'bob',
      groups: ['g1', 'system:authenticated'],
      extra: { 'example.org/a': ['v'] },
    });
    const onOther = await rawRequest(server, {
      path: '/api/v1/namespaces/default',
      token: 'constrained',
      headers: as('bob'),
    });
    assert.equal(onOther.status, 403);
    assert.equal(
      (onOther.body as { message: string }).message,
      'namespaces "default" is forbidden: User "constrained" cannot impersonate-on:user-info:get resource "namespaces" in API group "" in the namespace "default"',
    );
    assert.equal(
      await who('constrained', as('eve')),
      'users.authentication.k8s.io "eve" is forbidden: User "constrained" cannot impersonate:user-info resource "users" in API group "authentication.k8s.io" at the cluster scope',
    );
  });

  test('nodes and ServiceAccounts have modes and groups of their own', async () => {
    assert.deepEqual(await who('constrained', as('system:node:n1')), {
      username: 'system:node:n1',
      groups: ['system:nodes', 'system:authenticated'],
    });
    assert.match(
      String(await who('constrained', as('system:node:n2'))),
      /cannot impersonate:arbitrary-node resource "nodes"/,
    );
    const account = (await who('constrained', as('system:serviceaccount:default:x'))) as Who;
    assert.equal(account.username, 'system:serviceaccount:default:x');
  });

  test('an agent acts as the node that its token is bound to, and as no other', async () => {
    assert.deepEqual(await who('agent', as('system:node:n1')), {
      username: 'system:node:n1',
      groups: ['system:nodes', 'system:authenticated'],
    });
    assert.match(String(await who('agent', as('system:node:n2'))), /cannot impersonate-on:arbitrary-node:create/);
  });

  test('refuses what cannot be meant', async () => {
    const message = async (...more: Headers): Promise<string> => String(await who('constrained', as('bob', ...more)));
    assert.match(await message(group('')), /impersonating the empty string group is not allowed$/);
    assert.match(
      await message(['Impersonate-Extra-Foo', 'a']),
      /impersonating an invalid key in extra is not allowed: extra.key: Invalid value: "foo": must be a domain-prefixed path \(such as "acme.io\/foo"\)$/,
    );
    assert.match(
      await message(['Impersonate-Extra-example.org%2fa', '']),
      /impersonating the empty string value in extra is not allowed$/,
    );
  });

  test('without any right, what is told is of the first mode that could have been', async () => {
    const { body } = await rawRequest(server, { path: '/healthz', token: 'nobody', headers: as('bob') });
    const text = 'forbidden: User "nobody" cannot impersonate-on:user-info:get path "/healthz"';
    assert.equal((body as { message: string }).message, text);
  });

  test('is counted by mode and decision', async () => {
    const answer = await server.transport().request({ method: 'GET', path: '/metrics' });
    const metrics = Buffer.concat(await Array.fromAsync(answer.bytes())).toString();
    for (const mode of ['legacy', 'user-info', 'serviceaccount', 'arbitrary-node', 'associated-node']) {
      assert.match(metrics, new RegExp(`apiserver_impersonation_attempts_total{mode="${mode}",decision="allowed"} `));
    }
    assert.match(metrics, /apiserver_impersonation_attempts_total{mode="",decision="denied"} /);
  });
});
