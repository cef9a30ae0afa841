import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Draft, KubeObject } from '#apimachinery';
import type { AdmissionAttributes } from '../admission/chain.ts';
import { onlyCollectorFields, rbacEscalation } from './escalation.ts';
import type { Rbac } from './rbac.ts';

const role = (metadata: object, verbs: readonly string[] = ['get']): KubeObject =>
  ({ kind: 'Role', metadata: { name: 'r', ...metadata }, rules: [{ verbs }] }) as unknown as KubeObject;

test('owners, finalizers and maps without an entry are no change beyond what a collector does', () => {
  assert.ok(onlyCollectorFields(role({ labels: {} }), role({})));
  assert.ok(onlyCollectorFields(role({}), role({ annotations: {} })));
  assert.ok(onlyCollectorFields(role({ finalizers: ['a/b'], managedFields: [{}] }), role({ ownerReferences: [{}] })));
});

test('labels and rules are', () => {
  assert.ok(!onlyCollectorFields(role({ labels: { a: 'b' } }), role({})));
  assert.ok(!onlyCollectorFields(role({}, ['list']), role({})));
});

test('a right to escalate that names roles does not hold for one that is posted to the collection', async () => {
  const rbac = { rulesFor: () => ({ rules: [], errors: [] }) } as unknown as Rbac;
  const plugin = rbacEscalation(rbac, {
    authorize: async ({ verb, name }) => ({
      decision: verb === 'escalate' && name === 'r' ? 'allow' : 'noOpinion',
      reason: '',
    }),
  });
  const attributes = (pathName: string): AdmissionAttributes =>
    ({
      operation: 'CREATE',
      resource: { group: 'rbac.authorization.k8s.io', resource: 'roles' },
      namespace: 'ns',
      name: 'r',
      pathName,
      user: { name: 'u', groups: [] },
      old: null,
    }) as unknown as AdmissionAttributes;
  const rules = [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }];
  const wanted = { ...role({}), rules } as unknown as Draft<KubeObject>;
  await plugin.admit?.(attributes('r'), wanted);
  await assert.rejects(async () => plugin.admit?.(attributes(''), wanted), /attempting to grant RBAC permissions/);
});
