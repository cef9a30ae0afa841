import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeKubeconfig, whyUnusable } from './kubeconfig-document.ts';

const head = 'apiVersion: v1\nkind: Config\n';

test('files are refused in the words of client-go', () => {
  const rows: readonly (readonly [text: string, message: string])[] = [
    ['a: [b\n', "yaml: line 1: did not find expected ',' or ']'"],
    ['{"apiVersion":"v1"', "yaml: line 1: did not find expected ',' or '}'"],
    ['kind: Foo', 'no kind "Foo" is registered for version "v1" in scheme "pkg/runtime/scheme.go:111"'],
    ['apiVersion: v2', 'no kind "Config" is registered for version "v2" in scheme "pkg/runtime/scheme.go:111"'],
    [
      `${head}clusters: x`,
      'json: cannot unmarshal string into Go struct field Config.clusters of type []v1.NamedCluster',
    ],
    [
      `${head}clusters:\n- name: a\n  cluster: {certificate-authority-data: "%"}`,
      'illegal base64 data at input byte 0',
    ],
    [
      `${head}users: [{name: a, user: {token: s}}, {name: a, user: {token: t}}]`,
      'error converting *[]NamedAuthInfo into *map[string]*api.AuthInfo: duplicate name "a" in list',
    ],
  ];
  for (const [text, message] of rows) {
    assert.throws(() => decodeKubeconfig(text), { name: 'ConfigurationError', message }, text);
  }
});

test('a file that says nothing of itself is a kubeconfig; what is not known in it is passed over', () => {
  const { clusters, currentContext } = decodeKubeconfig(
    'foo: 1\nclusters:\n- {name: a, cluster: {server: https://x}}\ncurrent-context: c\n',
  );
  assert.deepEqual([...clusters], [['a', { server: 'https://x' }]]);
  assert.equal(currentContext, 'c');
});

test('why a context cannot be used', () => {
  const none = 'no configuration has been provided, try setting KUBERNETES_MASTER environment variable';
  const context = 'contexts: [{name: c, context: {cluster: k, user: u}}]\n';
  const cluster = 'clusters: [{name: k, cluster: {server: https://x}}]\n';
  const rows: readonly (readonly [text: string, context: string, why: string | undefined])[] = [
    ['', '', `invalid configuration: ${none}`],
    ['', 'd', 'invalid configuration: [context was not found for specified context: d, cluster has no server defined]'],
    [context, 'c', `invalid configuration: ${none}`],
    [`${context}clusters: [{name: k, cluster: {}}]`, 'c', 'invalid configuration: no server found for cluster "k"'],
    [context + cluster, 'c', undefined],
    [
      `${context}${cluster}users: [{name: u, user: {token: t, username: me}}]`,
      'c',
      'invalid configuration: more than one authentication method found for u; found [token basicAuth], only one is allowed',
    ],
    [
      `${context}${cluster}users: [{name: u, user: {client-certificate: nowhere}}]`,
      'c',
      'invalid configuration: [client-key-data or client-key must be specified for u to use the clientCert authentication method., unable to read client-cert /d/nowhere for u due to open /d/nowhere: no such file or directory]',
    ],
    [
      `${context}${cluster}users: [{name: u, user: {exec: {command: x}}}]`,
      'c',
      'invalid configuration: [apiVersion must be specified for u to use exec authentication plugin, interactiveMode must be specified for u to use exec authentication plugin]',
    ],
    [
      `${context}${cluster}users: [{name: u, user: {as-groups: [g]}}]`,
      'c',
      'invalid configuration: requesting uid, groups or user-extra for u without impersonating a user',
    ],
  ];
  for (const [text, name, why] of rows) assert.equal(whyUnusable(decodeKubeconfig(text), name, '/d'), why, text);
});
