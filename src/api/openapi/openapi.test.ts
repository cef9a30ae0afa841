import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupVersionDocument, openapiV3, openapiV3Names } from './index.ts';

type Tree = { readonly [name: string]: Tree };
const apps = openapiV3('apis/apps/v1') as unknown as Tree;
const pod = (openapiV3('api/v1') as unknown as Tree)['components']!['schemas']!['io.k8s.api.core.v1.Pod']!;

test('the documents are named as the index names them', () => {
  const names = openapiV3Names();
  for (const name of ['api', 'api/v1', 'apis', 'apis/apps', 'apis/apps/v1', 'version']) assert.ok(names.includes(name));
  assert.equal(openapiV3('apis/none.example.com/v1'), undefined);
});

test('every reference of a document is answered in it', () => {
  for (const name of openapiV3Names()) {
    const document = openapiV3(name)!;
    const text = JSON.stringify(document);
    for (const [, definition] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      assert.ok(document.components.schemas?.[definition!], `${name}: ${definition}`);
    }
  }
});

test('a patch takes fieldValidation, which tells kubectl that the server validates', () => {
  const item = apps['paths']!['/apis/apps/v1/namespaces/{namespace}/deployments/{name}']!;
  const parameters = item['patch']!['parameters'] as unknown as { name: string }[];
  assert.deepEqual(
    parameters.map(each => each.name),
    ['dryRun', 'fieldManager', 'fieldValidation', 'force'],
  );
  assert.deepEqual(item['patch']!['x-kubernetes-group-version-kind'], {
    group: 'apps',
    version: 'v1',
    kind: 'Deployment',
  });
});

test('schemas carry kinds, list keys, merge keys, defaults and choices', () => {
  assert.deepEqual(pod['x-kubernetes-group-version-kind'], [{ group: '', kind: 'Pod', version: 'v1' }]);
  const schemas = apps['components']!['schemas']!;
  const ports = schemas['io.k8s.api.core.v1.Container']!['properties']!['ports']!;
  assert.deepEqual(ports['x-kubernetes-list-map-keys'], ['containerPort', 'protocol']);
  assert.equal(ports['x-kubernetes-patch-merge-key'] as unknown, 'containerPort');
  const protocol = schemas['io.k8s.api.core.v1.ContainerPort']!['properties']!['protocol']!;
  assert.equal(protocol['default'] as unknown, 'TCP');
  assert.deepEqual(protocol['enum'], ['SCTP', 'TCP', 'UDP']);
});

test('custom resources have documents of the same form', () => {
  const resource = {
    group: 'example.com',
    version: 'v1',
    kind: 'Boat',
    resource: 'boats',
    namespaced: true,
    verbs: ['get', 'list', 'patch', 'update', 'watch'],
    typeName: 'com.example.v1.Boat',
    subresources: [],
    custom: true,
  };
  const schema = (name: string): object | undefined =>
    name.startsWith('com.example.') ? { type: 'object' } : undefined;
  const document = groupVersionDocument('example.com', 'v1', [resource], {
    extra: { schema: name => schema(name) as never },
  }) as unknown as Tree;
  const item = document['paths']!['/apis/example.com/v1/namespaces/{namespace}/boats/{name}']!;
  assert.deepEqual(Object.keys(item['patch']!['requestBody']!['content']!), [
    ...['application/apply-patch+yaml', 'application/json-patch+json', 'application/merge-patch+json'],
  ]);
  assert.ok(document['components']!['schemas']!['com.example.v1.BoatList']);
});
