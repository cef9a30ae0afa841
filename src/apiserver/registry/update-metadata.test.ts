/** What an update is told of its metadata, and how often, as the strategies of upstream's registries tell it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RuleContext } from '#api/kind';
import { rulesOf } from '#api/rules';
import type { Draft, KubeObject, StatusError } from '#apimachinery';
import { Scheme } from '../scheme/scheme.ts';
import { beforeUpdate } from './strategy.ts';

const scheme = new Scheme('/registry', rulesOf);
const context: RuleContext = {
  nowMs: 0,
  namespace: 'ns',
  subresource: '',
  random: { uuid: () => 'u', suffix: () => 's' },
  user: { name: 'a', uid: '', groups: [], extra: {} },
  config: { allowPrivileged: false, serviceCidrs: ['10.96.0.0/16'], nodePortRange: [30000, 32767] },
};

/** The fields that an update with a finalizer of no domain is refused for. */
function refused(group: string, version: string, plural: string, spec: object): readonly string[] {
  const resource = scheme.find(group, version, plural)!;
  const metadata = { name: 'x', resourceVersion: '1', ...(resource.namespaced && { namespace: 'ns' }) };
  const old = { apiVersion: `${group}/${version}`, kind: resource.kind, metadata, spec } as unknown as KubeObject;
  const object = { ...structuredClone(old), metadata: { ...metadata, finalizers: ['plain'] } } as Draft<KubeObject>;
  try {
    beforeUpdate(resource, object, old, context, () => {});
    return [];
  } catch (error) {
    const { causes = [] } = (error as StatusError).status.details ?? {};
    return causes.map(({ field }) => field ?? '');
  }
}

test('a finalizer of no domain is told as often as upstream asks for it', () => {
  assert.deepEqual(refused('networking.k8s.io', 'v1', 'servicecidrs', { cidrs: ['10.1.0.0/16'] }), [
    'metadata.finalizers[0]',
  ]);
  assert.deepEqual(refused('networking.k8s.io', 'v1', 'ingressclasses', { controller: 'a.b/c' }), [
    'metadata.finalizers[0]',
    'metadata.finalizers[0]',
  ]);
});
