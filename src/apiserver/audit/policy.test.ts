import assert from 'node:assert/strict';
import { test } from 'node:test';
import { user } from '../authentication/user.ts';
import { requestInfo } from '../filters/request-info.ts';
import { Query } from '../http/message.ts';
import { type AuditPolicy, type PolicyRule, policyEvaluator } from './policy.ts';
import { PolicyError, readAuditPolicy } from './read-policy.ts';

function ask(policy: AuditPolicy, method: string, url: string, who = user('tom', ['devs', 'ops'])) {
  const [path = '', query = ''] = url.split('?');
  const parsed = Query.parse(query);
  return policyEvaluator(policy)({ ...requestInfo(method, path, parsed), user: who });
}

const matches = (rule: Omit<PolicyRule, 'level'>, method: string, url: string): boolean =>
  ask({ rules: [{ level: 'Metadata', ...rule }] }, method, url).level === 'Metadata';

const pods = '/api/v1/namespaces/default/pods';

test('what a rule names must match, what it does not name matches', () => {
  const table: ReadonlyArray<readonly [Omit<PolicyRule, 'level'>, string, string, boolean]> = [
    [{}, 'GET', '/healthz', true],
    [{ users: ['tom'] }, 'GET', pods, true],
    [{ users: ['ann'] }, 'GET', pods, false],
    [{ userGroups: ['other', 'ops'] }, 'GET', pods, true],
    [{ userGroups: ['other'] }, 'GET', pods, false],
    [{ verbs: ['list'] }, 'GET', pods, true],
    [{ verbs: ['watch'] }, 'GET', `${pods}?watch=1`, true],
    [{ verbs: ['get'] }, 'GET', pods, false],
    [{ namespaces: ['default'] }, 'GET', pods, true],
    [{ namespaces: [''] }, 'GET', '/api/v1/nodes', true],
    [{ namespaces: [''] }, 'GET', pods, false],
    [{ namespaces: [''] }, 'GET', '/healthz', false],
    [{ users: ['tom'], verbs: ['get'] }, 'GET', pods, false],
  ];
  for (const [rule, method, url, expected] of table) {
    assert.equal(matches(rule, method, url), expected, `${JSON.stringify(rule)} ${method} ${url}`);
  }
});

test('resources by group, subresource, wildcard and name', () => {
  const table: ReadonlyArray<readonly [NonNullable<PolicyRule['resources']>[number], string, boolean]> = [
    [{ group: '', resources: ['pods'] }, `${pods}/a`, true],
    [{ resources: ['pods'] }, `${pods}/a/log`, false],
    [{ resources: ['pods/log'] }, `${pods}/a/log`, true],
    [{ resources: ['pods/*'] }, `${pods}/a/log`, true],
    [{ resources: ['pods/*'] }, `${pods}/a`, true],
    [{ resources: ['*/log'] }, `${pods}/a/log`, true],
    [{ resources: ['*/log'] }, `${pods}/a`, false],
    [{ resources: ['*'] }, `${pods}/a/log`, true],
    [{ group: 'apps' }, '/apis/apps/v1/namespaces/default/deployments', true],
    [{ group: 'apps' }, pods, false],
    [{ group: '*', resources: ['deployments'] }, '/apis/apps/v1/namespaces/default/deployments', true],
    [{ resources: ['pods'], resourceNames: ['a'] }, `${pods}/a`, true],
    [{ resources: ['pods'], resourceNames: ['b'] }, `${pods}/a`, false],
    [{ resources: ['pods'], resourceNames: [''] }, pods, true],
  ];
  for (const [resources, url, expected] of table) {
    assert.equal(matches({ resources: [resources] }, 'GET', url), expected, `${JSON.stringify(resources)} ${url}`);
  }
});

test('paths that are no resources', () => {
  const table: ReadonlyArray<readonly [string, string, boolean]> = [
    ['*', '/anything', true],
    ['/healthz', '/healthz', true],
    ['/healthz', '/healthz/etcd', false],
    ['/healthz*', '/healthz/etcd', true],
    ['/api*', '/api/v1', true],
    ['/api*', pods, false],
  ];
  for (const [url, path, expected] of table) {
    assert.equal(matches({ nonResourceURLs: [url] }, 'GET', path), expected, `${url} ${path}`);
  }
});

test('the first rule that matches decides; without one nothing is recorded', () => {
  const rules: PolicyRule[] = [
    { level: 'None', users: ['tom'], verbs: ['list'] },
    { level: 'Request', omitStages: ['Panic'], omitManagedFields: false },
  ];
  const policy: AuditPolicy = { rules, omitStages: ['RequestReceived'], omitManagedFields: true };
  assert.equal(ask(policy, 'GET', pods).level, 'None');
  const got = ask(policy, 'GET', `${pods}/a`);
  assert.deepEqual(
    [got.level, [...got.omitStages], got.omitManagedFields],
    ['Request', ['RequestReceived', 'Panic'], false],
  );
  const none = ask({ rules: [{ level: 'Metadata', users: ['ann'] }] }, 'GET', pods);
  assert.equal(none.level, 'None');
});

test('who is not known is no user and in no group', () => {
  const evaluate = policyEvaluator({ rules: [{ level: 'Request', userGroups: [''] }, { level: 'Metadata' }] });
  assert.equal(evaluate({ ...requestInfo('GET', pods, Query.empty), user: undefined }).level, 'Metadata');
});

const head = 'apiVersion: audit.k8s.io/v1\nkind: Policy\n';

function read(text: string): { policy?: AuditPolicy; error?: string; warnings: string[] } {
  const warnings: string[] = [];
  try {
    return { policy: readAuditPolicy(Buffer.from(text), each => warnings.push(each)), warnings };
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    return { error: error.message, warnings };
  }
}

test('a policy in YAML and in JSON', () => {
  const { policy } = read(`${head}rules:\n- level: Metadata\n  resources:\n  - group: ""\n    resources: [pods]\n`);
  assert.deepEqual(policy!.rules, [{ level: 'Metadata', resources: [{ resources: ['pods'] }] }]);
  const json = { apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules: [{ level: 'None' }] };
  assert.deepEqual(read(JSON.stringify(json)).policy!.rules, [{ level: 'None' }]);
});

test('what strict reading refuses is warned about and read all the same', () => {
  const { policy, warnings } = read(`${head}rules:\n- level: Metadata\n  level: Request\n  verb: [get]\n`);
  assert.deepEqual(policy!.rules, [{ level: 'Request' }]);
  assert.match(warnings[0]!, /^Audit policy contains errors, falling back to lenient decoding: strict decoding error/);
  assert.match(warnings[0]!, /key "level" already set in map/);
  assert.match(warnings[0]!, /unknown field "rules\[0\]\.verb"/);
});

test('what is invalid is refused with upstream texts', () => {
  const stages = 'RequestReceived,ResponseStarted,ResponseComplete,Panic';
  const table: ReadonlyArray<readonly [string, string]> = [
    ['rules: []', 'loaded illegal policy with 0 rules'],
    ['rules:\n- users: [a]', 'rules[0].level: Required value'],
    [
      'rules:\n- level: All',
      'rules[0].level: Unsupported value: "All": supported values: "None", "Metadata", "Request", "RequestResponse"',
    ],
    [
      'rules:\n- level: None\nomitStages: [Never]',
      `omitStages[0]: Invalid value: "Never": allowed stages are ${stages}`,
    ],
    [
      'rules:\n- level: None\n  nonResourceURLs: [api, /a*b]',
      '[rules[0].nonResourceURLs[0]: Invalid value: "api": non-resource URL rules must begin with a \'/\' character, rules[0].nonResourceURLs[1]: Invalid value: "/a*b": non-resource URL wildcards \'*\' must be the final character of the rule]',
    ],
    [
      'rules:\n- level: None\n  nonResourceURLs: [/api]\n  namespaces: [a]',
      'rules[0].nonResourceURLs: Invalid value: ["/api"]: rules cannot apply to both regular resources and non-resource URLs',
    ],
    [
      'rules:\n- level: None\n  resources:\n  - group: apps\n    resourceNames: [a]',
      'rules[0].resources.resourceNames: Invalid value: ["a"]: using resourceNames requires at least one resource',
    ],
  ];
  for (const [text, expected] of table) assert.equal(read(head + text).error, expected);
  assert.match(
    read(`${head}rules:\n- level: None\n  resources:\n  - group: apps/v1`).error!,
    /resources\.group: Invalid value: "apps\/v1": a lowercase RFC 1123 subdomain/,
  );
});

test('other kinds and versions are refused', () => {
  const unversioned = 'unknown group version field audit.k8s.io/__internal, Kind=Policy in policy';
  for (const text of ['rules: []', '', 'kind: Policy\nrules:\n- level: None'])
    assert.equal(read(text).error, unversioned);
  assert.deepEqual(read('apiVersion: audit.k8s.io/v1\nrules:\n- level: None').policy!.rules, [{ level: 'None' }]);
  assert.equal(
    read('apiVersion: audit.k8s.io/v1\nkind: Event').error,
    'failed decoding: converting (v1.Event) to (audit.Policy): unknown conversion',
  );
  assert.equal(
    read(`${head}rules:\n- level: 5`).error,
    'failed decoding: json: cannot unmarshal number into Go struct field PolicyRule.rules.level of type v1.Level',
  );
  assert.equal(
    read('apiVersion: audit.k8s.io/v1beta1\nkind: Policy\nrules:\n- level: None').error,
    'failed decoding: no kind "Policy" is registered for version "audit.k8s.io/v1beta1" in scheme "pkg/runtime/scheme.go:111"',
  );
});

/** The ways in which distributions and benchmarks write theirs. */
const publishedForms: readonly string[] = [
  `---\n# comment\n${head}metadata:\n  name: cis\n  namespace: kube-system\nrules:\n- level: Metadata # all\n---\n# nothing more\n`,
  `${head.replaceAll(/^/gm, '    ').trimEnd()}\n    rules:\n    - level: None\n      namespaces: [""]\n      resources: [{ group: a.io, resources: ["xs/*"] }]\n`,
  `${head}omitManagedFields: true\nrules:\n- level: Request\n  verbs: ["*"]\n- level: None\n  nonResourceURLs: ["/healthz*", /version]\n`,
  `\ufeff${head}rules:\n- {level: Metadata, resources: [{group: "*", resources: ["*/scale"]}, {group: apps}]}\n`.replaceAll(
    '\n',
    '\r\n',
  ),
  `${head}rules:\n- &first\n  level: None\n  users: [a]\n- *first\n`,
  '{"kind":"Policy","apiVersion":"audit.k8s.io/v1","omitStages":["RequestReceived"],"rules":[{"level":"Metadata"}]}',
];

test('policies in the forms in which they are published load without a warning', () => {
  for (const text of publishedForms) {
    const { error, warnings, policy } = read(text);
    assert.deepEqual([error, warnings], [undefined, []], text);
    assert.ok(policy!.rules.length > 0);
  }
});
