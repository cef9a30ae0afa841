import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '#apimachinery';
import type { AuthorizationAttributes } from '../../authorization/authorizer.ts';
import type { WriteContext } from '../context.ts';
import { claimHook } from './resource-claim.ts';

const device = { driver: 'd.example', pool: 'p', device: 'a' };
const allocation = {
  devices: { results: [{ request: 'r', ...device }] },
  nodeSelector: { nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n1'] }] }] },
};

function claim(status: object): KubeObject {
  return { apiVersion: 'resource.k8s.io/v1', kind: 'ResourceClaim', metadata: { name: 'c' }, spec: {}, status };
}

function context(node?: string): WriteContext {
  const extra: Record<string, string[]> = node ? { 'authentication.kubernetes.io/node-name': [node] } : {};
  return {
    user: { name: 'system:serviceaccount:ns:driver', uid: '', groups: [], extra },
    namespace: 'ns',
    name: 'c',
    subresource: 'status',
    verb: 'patch',
    dryRun: false,
    warn: () => {},
    requestResource: { group: 'resource.k8s.io', resource: 'resourceclaims' },
  };
}

async function asked(now: object, old: object, allowed: readonly string[], node?: string) {
  const questions: string[] = [];
  const hook = claimHook({
    lookup: {
      get: async () => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'ns', labels: { a: 'b' } } }),
      list: async () => [],
    },
    authorizer: {
      authorize({ verb, subresource, namespace, name }: AuthorizationAttributes) {
        const question = [verb, subresource, namespace, name].join(' ').trimEnd();
        questions.push(question);
        return { decision: allowed.includes(question) ? 'allow' : 'noOpinion', reason: '' };
      },
    },
  });
  const facts = await hook.facts!(claim(now), claim(old), context(node));
  assert.deepEqual(facts.namespaceLabels, { a: 'b' });
  return { questions, refusals: (facts.refusals ?? []).map(each => `${each.field}: ${each.body}`) };
}

test('who changes the allocation must be allowed to bind', async () => {
  const { refusals } = await asked({ allocation }, {}, []);
  assert.deepEqual(refusals, [
    'status.allocation: Forbidden: changing status.allocation or status.reservedFor requires ' +
      'resource="resourceclaims/binding", verb="patch" permission: resourceclaims.resource.k8s.io is forbidden: ' +
      'User "system:serviceaccount:ns:driver" cannot patch resource "resourceclaims/binding" in API group ' +
      '"resource.k8s.io" at the cluster scope',
  ]);
  assert.deepEqual(await asked({ allocation }, { allocation }, []), { questions: [], refusals: [] });
});

test('drivers speak for their own devices, on their node or on all', async () => {
  const now = { allocation, devices: [device] };
  const rows: readonly [readonly string[], string | undefined, readonly string[], number][] = [
    [['arbitrary-node:patch driver ns d.example'], undefined, ['arbitrary-node:patch driver ns d.example'], 0],
    [['associated-node:patch driver ns d.example'], 'n1', ['associated-node:patch driver ns d.example'], 0],
    [['associated-node:patch driver ns d.example'], 'n2', ['arbitrary-node:patch driver ns d.example'], 1],
  ];
  for (const [allowed, node, questions, count] of rows) {
    const found = await asked(now, { allocation }, allowed, node);
    assert.deepEqual(found.questions, questions);
    assert.equal(found.refusals.length, count);
  }
});
