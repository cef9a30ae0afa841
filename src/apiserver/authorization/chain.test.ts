import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { user } from '../authentication/user.ts';
import { readAbacPolicy } from './abac.ts';
import { type AuthorizationAttributes, alwaysAllow, alwaysDeny, type Decision, unionAuthorizer } from './authorizer.ts';
import { loadConfiguration } from './chain.ts';
import { evaluateConditions, MatchConditionCompiler } from './webhook/match-conditions.ts';
import { reviewObject, reviewSpec } from './webhook/review.ts';

const question: AuthorizationAttributes = {
  user: user('jane', ['dev']),
  verb: 'list',
  isResourceRequest: true,
  path: '/api/v1/namespaces/a/pods',
  group: '',
  version: 'v1',
  namespace: 'a',
  resource: 'pods',
  subresource: '',
  name: '',
  fieldSelector: 'spec.nodeName=n1,status.phase!=Failed',
  labelSelector: 'app in (x,y),!old,size>3',
};

describe('authorizers in a row', () => {
  const fixed = (decided: Decision) => ({ authorize: () => decided });

  it('stop at the first opinion and join what the others said', async () => {
    const silent = fixed({ decision: 'noOpinion', reason: 'a', error: 'x' });
    const all = await unionAuthorizer([silent, fixed({ decision: 'noOpinion', reason: 'b' })]).authorize(question);
    assert.deepEqual(all, { decision: 'noOpinion', reason: 'a\nb', error: 'x' });
    const denied = await unionAuthorizer([silent, fixed({ decision: 'deny', reason: 'c' }), alwaysAllow]).authorize(
      question,
    );
    assert.deepEqual(denied, { decision: 'deny', reason: 'c' });
  });

  it('AlwaysDeny leaves the last word to those after it', async () => {
    assert.equal((await unionAuthorizer([alwaysDeny, alwaysAllow]).authorize(question)).decision, 'allow');
  });
});

describe('AuthorizationConfiguration', () => {
  const document = (authorizers: string, version = 'v1'): string =>
    `apiVersion: apiserver.config.k8s.io/${version}\nkind: AuthorizationConfiguration\nauthorizers:\n${authorizers}`;
  const webhook = (more: string): string =>
    document(`- type: Webhook\n  name: w\n  webhook:\n    timeout: 3s\n    subjectAccessReviewVersion: v1
    failurePolicy: Deny\n    connectionInfo: {type: InClusterConfig}\n${more}`);

  it('fills in what is left open', () => {
    const [first] = loadConfiguration(webhook('')).authorizers;
    assert.equal(first?.webhook?.authorizedTtlMs, 300_000);
    assert.equal(first?.webhook?.unauthorizedTtlMs, 30_000);
    assert.equal(first?.webhook?.cacheAuthorizedRequests, true);
    assert.equal(first?.webhook?.timeoutMs, 3000);
  });

  it('is refused in upstream’s words', () => {
    const loading = 'failed to load AuthorizationConfiguration from file: ';
    const rows: readonly [text: string, message: string | RegExp][] = [
      ['', 'authorizers: Required value: at least one authorization mode must be defined'],
      [
        document('- {type: RBAC, name: rbac}\n- {type: RBAC, name: x}'),
        /authorizers\[1\].type: Duplicate value: "RBAC"/,
      ],
      [document('- {type: RBAC, name: other}'), 'expected name rbac for authorizer RBAC instead of other'],
      [
        document('- {type: Bla, name: x}'),
        'authorizers[0].type: Unsupported value: "Bla": supported values: "ABAC", "AlwaysAllow", "AlwaysDeny", "Node", "RBAC", "Webhook"',
      ],
      [document('- {type: Webhook, name: x}'), 'authorizers[0].webhook: Required value: required when type=Webhook'],
      [document('- {type: RBAC, nam: x}'), `${loading}strict decoding error: unknown field "authorizers[0].nam"`],
      [webhook('    authorizedTTL: -1s'), 'authorizers[0].authorizedTTL: Invalid value: "-1s": must be > 0s'],
      [
        webhook('    matchConditions: [{expression: "true"}]'),
        'authorizers[0].matchConditionSubjectAccessReviewVersion: Required value: required if match conditions are specified',
      ],
      [
        webhook(
          '    matchConditionSubjectAccessReviewVersion: v1\n    matchConditions: [{expression: "request.user"}]',
        ),
        'authorizers[0].matchConditions[0].expression: Invalid value: "request.user": must evaluate to bool but got string',
      ],
      [
        document('', 'v9').replace('authorizers:', ''),
        /no kind "AuthorizationConfiguration" is registered for version "apiserver.config.k8s.io\/v9"/,
      ],
    ];
    for (const [text, message] of rows) {
      assert.throws(() => loadConfiguration(text), { message }, text);
    }
  });

  it('keeps the types that a server began with', () => {
    const load = () => loadConfiguration(document('- {type: RBAC, name: rbac}'), undefined, ['RBAC', 'Node']);
    assert.throws(load, { message: 'missing required types: [Node]' });
  });
});

describe('questions to a webhook', () => {
  it('carry selectors as requirements, without what a review has no form for', () => {
    assert.deepEqual(reviewSpec(question).resourceAttributes, {
      namespace: 'a',
      verb: 'list',
      version: 'v1',
      resource: 'pods',
      fieldSelector: {
        requirements: [
          { key: 'spec.nodeName', operator: 'In', values: ['n1'] },
          { key: 'status.phase', operator: 'NotIn', values: ['Failed'] },
        ],
      },
      labelSelector: {
        requirements: [
          { key: 'app', operator: 'In', values: ['x', 'y'] },
          { key: 'old', operator: 'DoesNotExist' },
        ],
      },
    });
  });

  it('are the broader one where a selector does not parse', () => {
    const { resourceAttributes } = reviewSpec({ ...question, fieldSelector: 'a', labelSelector: 'a in' });
    assert.deepEqual(Object.keys(resourceAttributes!), ['namespace', 'verb', 'version', 'resource']);
  });

  it('name groups as the version does', () => {
    const spec = reviewSpec({ ...question, isResourceRequest: false, path: '/x', verb: 'get' });
    assert.deepEqual(reviewObject(spec, 'v1beta1'), {
      kind: 'SubjectAccessReview',
      apiVersion: 'authorization.k8s.io/v1beta1',
      metadata: {},
      spec: { nonResourceAttributes: { path: '/x', verb: 'get' }, user: 'jane', group: ['dev'] },
      status: { allowed: false },
    });
  });

  it('are asked when all conditions hold; a no outweighs an error', () => {
    const compiler = new MatchConditionCompiler();
    const outcome = (...texts: string[]) => {
      const conditions = texts.map(text => {
        const compiled = compiler.compile(text);
        assert.ok('condition' in compiled, text);
        return compiled.condition;
      });
      return evaluateConditions(conditions, reviewSpec(question));
    };
    assert.deepEqual(outcome('has(request.resourceAttributes)', 'request.resourceAttributes.group == ""'), {
      matches: true,
    });
    assert.deepEqual(outcome("request.resourceAttributes.fieldSelector.requirements[0].values.exists(v, v == 'n1')"), {
      matches: true,
    });
    assert.deepEqual(outcome('request.nonResourceAttributes.path == "/"', '"dev" in request.groups == false'), {
      matches: false,
    });
    assert.deepEqual(outcome('request.nonResourceAttributes.path == "/"', 'true'), {
      matches: false,
      error:
        'cel evaluation error: expression \'request.nonResourceAttributes.path == "/"\' resulted in error: no such key: nonResourceAttributes',
    });
  });
});

describe('ABAC', () => {
  it('allows what a line of the file says', () => {
    const directory = mkdtempSync(join(tmpdir(), 'kobune-abac-'));
    const path = join(directory, 'policy.jsonl');
    const policy = (spec: object): string =>
      JSON.stringify({ apiVersion: 'abac.authorization.kubernetes.io/v1beta1', kind: 'Policy', spec });
    writeFileSync(
      path,
      [
        '# who reads pods',
        policy({ user: 'jane', namespace: 'a', resource: 'pods', readonly: true }),
        policy({ group: 'ops', nonResourcePath: '/logs/*' }),
        policy({ user: '*', namespace: 'open', resource: '*', apiGroup: '*' }),
        '{"user":"old","namespace":"a"}',
      ].join('\n'),
    );
    try {
      const abac = readAbacPolicy(path);
      const may = (more: Partial<AuthorizationAttributes>): boolean =>
        abac.authorize({ ...question, ...more }).decision === 'allow';
      assert.equal(may({}), true);
      assert.equal(may({ verb: 'create' }), false);
      assert.equal(may({ namespace: 'b' }), false);
      assert.equal(may({ group: 'apps' }), false);
      assert.equal(may({ user: user('other', ['dev']) }), false);
      assert.equal(may({ user: user('old'), group: 'apps', verb: 'delete' }), true);
      assert.equal(may({ user: user('x', ['ops']), isResourceRequest: false, path: '/logs/a' }), true);
      assert.equal(may({ user: user('x', ['system:authenticated']), namespace: 'open', verb: 'delete' }), true);
      assert.equal(may({ user: user('x', ['system:unauthenticated']), namespace: 'open' }), false);
      assert.deepEqual(abac.rulesFor(user('jane'), 'a').rules, [
        { verbs: ['get', 'list', 'watch'], apiGroups: [''], resources: ['pods'] },
      ]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('tells the line of what it cannot read', () => {
    assert.throws(() => readAbacPolicy('/nowhere/policy'), {
      message: 'open /nowhere/policy: no such file or directory',
    });
  });
});
