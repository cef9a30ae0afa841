import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '#apimachinery';
import { onlyCollectorFields } from './escalation.ts';

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
