import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtinTypes } from '#api/tables';
import { writeProtobufObject } from '#apimachinery';
import { wireObject } from './wire-object.ts';

const head = { name: 'a', namespace: 'default', uid: '0b0e3c5e-0000-4000-8000-000000000000' };
const entry = (manager: string, fieldsV1: object, more: object = {}): object => ({
  manager,
  operation: 'Update',
  apiVersion: 'v1',
  time: '2026-01-02T03:04:05Z',
  fieldsType: 'FieldsV1',
  fieldsV1,
  ...more,
});
const owned = { 'f:data': { '.': {}, 'f:a}]}"': {}, 'k:{"name":"\\"}': {}, 'v:"é\\"': {} } };
const odd = entry('x"}]}', { 'f:metadata': {} }, { subresource: 'a}]}b' });
const configMap = (metadata: object, data: object = {}): object => ({
  kind: 'ConfigMap',
  apiVersion: 'v1',
  metadata,
  data,
});
const template = { metadata: { managedFields: [entry('inner', owned)] }, spec: { containers: [] } };

const objects: ReadonlyArray<readonly [name: string, type: string, object: object]> = [
  ['without managers', 'ConfigMap', configMap(head)],
  ['of several managers', 'ConfigMap', configMap({ ...head, managedFields: [entry('a', owned), odd, entry('b', {})] })],
  [
    'whose last entry owns nothing',
    'ConfigMap',
    configMap({ ...head, managedFields: [entry('a', owned), { manager: '}]}' }] }),
  ],
  [
    'with data that looks like it',
    'ConfigMap',
    configMap({ ...head, managedFields: [odd] }, { fieldsV1: '"fieldsV1":{' }),
  ],
  [
    'with managers in its template alone',
    'PodTemplate',
    { kind: 'PodTemplate', apiVersion: 'v1', metadata: head, template },
  ],
  [
    'with raw data that looks like it',
    'ControllerRevision',
    {
      kind: 'ControllerRevision',
      apiVersion: 'apps/v1',
      metadata: { ...head, managedFields: [entry('a', owned)] },
      data: { managedFields: [entry('inner', owned)] },
      revision: 1,
    },
  ],
];

for (const [name, kind, object] of objects) {
  const group = kind === 'ControllerRevision' ? 'apps' : 'core';
  const struct = builtinTypes.struct(`io.k8s.api.${group}.v1.${kind}`);
  const bytes = Buffer.from(JSON.stringify(object));

  test(`an object ${name} is written as its decoded form is`, () => {
    const decoded = structuredClone(object) as { metadata: { resourceVersion?: string } };
    decoded.metadata.resourceVersion = '7';
    const whole = wireObject(bytes, 7, false);
    assert.ok(Buffer.from(writeProtobufObject(whole, struct)).equals(writeProtobufObject(decoded, struct)));
  });

  test(`the metadata of an object ${name} is that of its decoded form`, () => {
    const partial = builtinTypes.struct('io.k8s.apimachinery.pkg.apis.meta.v1.PartialObjectMetadata');
    const { metadata } = wireObject(bytes, 7, true);
    const expected = { ...(object as { metadata: object }).metadata, resourceVersion: '7' };
    assert.ok(
      Buffer.from(writeProtobufObject({ metadata }, partial)).equals(
        writeProtobufObject({ metadata: expected }, partial),
      ),
    );
  });
}

test('of an object whose metadata is asked for nothing else is read', () => {
  const bytes = Buffer.from(JSON.stringify(configMap({ ...head, managedFields: [entry('a', owned)] }, { text: 'x' })));
  assert.equal('data' in wireObject(bytes, 7, true), false);
});
