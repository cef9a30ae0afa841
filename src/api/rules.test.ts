/** Rules joined with facts; a few defaults and refusals end to end. The oracle's rows are replayed by test/oracle. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Draft, KubeObject } from '#apimachinery';
import type { RuleContext } from './kind.ts';
import { kindRecord, kindRecords } from './rules.ts';

const context: RuleContext = {
  nowMs: 0,
  namespace: 'default',
  subresource: '',
  random: { uuid: () => 'u', suffix: () => 's' },
  user: { name: 'a', uid: '', groups: [], extra: {} },
  config: { allowPrivileged: false, serviceCidrs: ['10.96.0.0/16'], nodePortRange: [30000, 32767] },
};

test('every served kind has a record, once', () => {
  const keys = kindRecords().map(({ group, version, resource }) => `${group}/${version}/${resource}`);
  assert.equal(new Set(keys).size, keys.length);
  assert.ok(keys.length > 60);
});

function pod(): Draft<KubeObject> {
  const object = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'x', namespace: 'default' },
    spec: { containers: [{ name: 'a', image: 'registry.example/app:1' }] },
  };
  return object as unknown as Draft<KubeObject>;
}

test('defaults are idempotent', () => {
  const { rules } = kindRecord('', 'v1', 'Pod')!;
  const once = pod();
  rules.defaults?.(once);
  const twice = structuredClone(once);
  rules.defaults?.(twice);
  assert.deepEqual(twice, once);
});

test('a pod is refused in upstream’s words', () => {
  const { rules } = kindRecord('', 'v1', 'Pod')!;
  const object = pod();
  (object['spec'] as any).containers[0].securityContext = { privileged: true };
  (object['spec'] as any).containers[0].ports = [{ containerPort: 70000 }];
  rules.defaults?.(object);
  const errors = rules.validate?.(object as KubeObject, null, context).map(({ field, body }) => `${field}: ${body}`);
  assert.deepEqual(errors, [
    'spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
    'spec.containers[0].securityContext.privileged: Forbidden: disallowed by cluster policy',
  ]);
});

test('an update of a pod shows what it changed', () => {
  const { rules } = kindRecord('', 'v1', 'Pod')!;
  const old = pod();
  rules.defaults?.(old);
  const now = structuredClone(old);
  (now['spec'] as any).hostname = 'h';
  const [error] = rules.validate?.(now as KubeObject, old as KubeObject, context) ?? [];
  assert.equal(error?.field, 'spec');
  assert.match(error?.body ?? '', /\n- "Hostname": "",\n\+ "Hostname": "h",\n/);
});
