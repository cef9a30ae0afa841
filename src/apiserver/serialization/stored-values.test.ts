import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rulesOf } from '#api/rules';
import type { ValueTransformer } from '#storage';
import { Scheme } from '../scheme/scheme.ts';
import { storedValues } from './stored-values.ts';

type Opened = Awaited<ReturnType<ValueTransformer['open']>>;

const transformer = storedValues(new Scheme('/registry', rulesOf), false);

const open = (bytes: Uint8Array): Opened => transformer.open('/a', bytes) as Opened;

function opened(value: object): { readonly text: string; readonly object: any } {
  const { value: bytes } = open(Buffer.from(JSON.stringify(value)));
  const text = Buffer.from(bytes).toString();
  return { text, object: JSON.parse(text) };
}

test('what others wrote by hand is read: in another order, and without what of its metadata cannot be', () => {
  const { text } = opened({
    apiVersion: 'a.example.com/v1',
    content: { metadata: { name: 1 } },
    kind: 'A',
    metadata: { annotations: { a: 1 }, labels: { invalid: 'x y' }, name: 'a', unknown: 1 },
  });
  assert.equal(
    text,
    '{"apiVersion":"a.example.com/v1","kind":"A","metadata":{"name":"a","labels":{"invalid":"x y"}},"content":{"metadata":{"name":1}}}',
  );
});

test('what this server wrote is taken as it stands', () => {
  const own = { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'a', uid: 'u' }, data: { b: 'c' } };
  const bytes = Buffer.from(JSON.stringify(own));
  assert.equal(open(bytes).value, bytes);
});

test('a definition in v1beta1 is read as one of v1, however it was written', () => {
  const { object } = opened({
    kind: 'CustomResourceDefinition',
    apiVersion: 'apiextensions.k8s.io/v1beta1',
    metadata: { name: 'as.a.example.com' },
    spec: { group: 'a.example.com', version: 'v1', names: { plural: 'as', kind: 'A' }, scope: 'Namespaced' },
  });
  assert.equal(object.apiVersion, 'apiextensions.k8s.io/v1');
  assert.deepEqual(object.spec.versions, [{ name: 'v1', served: true, storage: true }]);
  assert.equal(object.spec.preserveUnknownFields, true);
});
