import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CustomResourceDefinition } from '../../../types.ts';
import { validateDefinition } from './validation.ts';

const definition = (schema: object): CustomResourceDefinition =>
  ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'as.a.example.com' },
    spec: {
      group: 'a.example.com',
      scope: 'Namespaced',
      names: { plural: 'as', singular: 'a', kind: 'A', listKind: 'AList' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
      preserveUnknownFields: true,
      conversion: { strategy: 'None' },
    },
    status: { storedVersions: ['v1'], conditions: [], acceptedNames: { plural: '', kind: '' } },
  }) as unknown as CustomResourceDefinition;

const unstructured = { type: 'object', properties: { foo: {} } };

test('a stored schema that is not structural may stay so, but not with rules', () => {
  const old = definition(unstructured);
  assert.deepEqual(validateDefinition(definition({ ...unstructured, description: 'a' }), old), []);
  const rules = [{ rule: 'has(self.foo)' }];
  const errors = validateDefinition(definition({ ...unstructured, 'x-kubernetes-validations': rules }), old);
  assert.ok(
    errors.some(({ field }) => field.endsWith('.properties[foo].type')),
    JSON.stringify(errors),
  );
});
