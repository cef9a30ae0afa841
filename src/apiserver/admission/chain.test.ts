import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Draft, KubeObject, ManagedFieldsEntry } from '#apimachinery';
import { MetricsRegistry, systemClock } from '#base';
import { type AdmissionAttributes, AdmissionChain, type AdmissionPlugin, Reinvocation } from './chain.ts';
import { AdmissionMetrics } from './metrics.ts';

test('owners that a plugin makes unreadable are put back, with a warning', async () => {
  const owner: ManagedFieldsEntry = { manager: 'm', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1' };
  const metadata = { name: 'x', managedFields: [owner] };
  const draft = { apiVersion: 'v1', kind: 'ConfigMap', metadata } as unknown as Draft<KubeObject>;
  const plugin: AdmissionPlugin = {
    name: 'Careless',
    handles: () => true,
    admit: (_, object) => void Object.assign(object!.metadata, { managedFields: [{ ...owner, apiVersion: '' }] }),
  };
  const warnings: string[] = [];
  const warn = (text: string): void => void warnings.push(text);
  const attributes = { operation: 'UPDATE', reinvocation: new Reinvocation(), warn } as unknown as AdmissionAttributes;
  const chain = new AdmissionChain([plugin], new AdmissionMetrics(new MetricsRegistry(), systemClock));
  await chain.admit(attributes, draft);
  assert.deepEqual(draft.metadata.managedFields, [owner]);
  assert.match(
    warnings.join(),
    /^\.metadata\.managedFields was in an invalid state after admission.*: apiVersion must not/,
  );
});
