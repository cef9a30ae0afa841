import assert from 'node:assert/strict';
import { test } from 'node:test';
import protobuf from 'protobufjs';
import type { CustomResourceDefinition } from '../types.ts';
import {
  customOpenapiV3,
  encodeOpenapiV2,
  encodeOpenapiV3,
  openapiDefinitions,
  openapiV2,
  openapiV3,
  openapiV3Names,
} from './index.ts';

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

test('the build keeps the descriptions of all that documents define', () => {
  const kept = new Set(openapiDefinitions());
  for (const name of openapiV3Names()) {
    const defined = Object.keys(openapiV3(name)!.components.schemas ?? {});
    assert.deepEqual(
      defined.filter(each => !kept.has(each)),
      [],
      name,
    );
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

const crd: CustomResourceDefinition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'boats.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'boats', kind: 'Boat', listKind: 'BoatList' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                required: ['sail', 'port'],
                properties: {
                  port: { 'x-kubernetes-int-or-string': true },
                  sail: { type: 'string', nullable: true, default: 'red' },
                },
              },
            },
          },
        },
      },
    ],
  },
};

test('custom resources: version 3 says all, version 2 what it can', () => {
  assert.equal(customOpenapiV3('example.com', 'v2', [crd]), undefined);
  const document = customOpenapiV3('example.com', 'v1', [crd]) as unknown as Tree;
  const item = document['paths']!['/apis/example.com/v1/namespaces/{namespace}/boats/{name}']!;
  assert.deepEqual(Object.keys(item['patch']!['requestBody']!['content']!), [
    ...['application/apply-patch+yaml', 'application/json-patch+json', 'application/merge-patch+json'],
  ]);
  const [parameter] = item['get']!['parameters'] as unknown as ReadonlyArray<{ name: string; description: string }>;
  assert.equal(parameter!.name, 'resourceVersion');
  assert.match(
    parameter!.description,
    /^resourceVersion sets a constraint on what resource versions .*\n\nDefaults to/,
  );
  const schema = document['components']!['schemas']!['com.example.v1.Boat']!;
  assert.deepEqual(Object.keys(schema['properties']!), ['apiVersion', 'kind', 'metadata', 'spec']);
  assert.deepEqual(schema['properties']!['spec'], {
    type: 'object',
    required: ['sail', 'port'],
    properties: {
      port: { anyOf: [{ type: 'integer' }, { type: 'string' }], 'x-kubernetes-int-or-string': true },
      sail: { type: 'string', nullable: true, default: 'red' },
    },
  });
  const old = openapiV2({ crds: [crd] }).definitions['com.example.v1.Boat'] as unknown as Tree;
  assert.deepEqual(old['properties']!['spec'], {
    type: 'object',
    required: ['port'],
    properties: { port: { 'x-kubernetes-int-or-string': true }, sail: {} },
  });
});

const v2 = openapiV2();

test('version 2 has the same definitions, with references beside descriptions', () => {
  const definition = (v2.definitions as unknown as Tree)['io.k8s.api.core.v1.Container']!['properties']!;
  assert.equal(definition['securityContext']!['$ref'] as unknown, '#/definitions/io.k8s.api.core.v1.SecurityContext');
  assert.equal(definition['ports']!['x-kubernetes-patch-strategy'] as unknown, 'merge');
  const text = JSON.stringify(v2);
  for (const [, name] of text.matchAll(/"#\/definitions\/([^"]+)"/g)) assert.ok(v2.definitions[name!], name!);
  for (const [, name] of text.matchAll(/"#\/parameters\/([^"]+)"/g)) assert.ok(v2.parameters[name!], name!);
});

/** The messages of gnostic that the test reads. */
const gnostic = protobuf.parse(`
  syntax = "proto3";
  message Document { string swagger = 1; Info info = 2; Paths paths = 8; Definitions definitions = 9; }
  message Info { string title = 1; string version = 2; }
  message Paths { repeated NamedPathItem path = 2; }
  message NamedPathItem { string name = 1; PathItem value = 2; }
  message PathItem { Operation get = 2; }
  message Operation { string operation_id = 5; repeated string produces = 6; }
  message Definitions { repeated NamedSchema additional_properties = 1; }
  message NamedSchema { string name = 1; Schema value = 2; }
  message NamedAny { string name = 1; Any value = 2; }
  message Any { string yaml = 2; }
  message TypeItem { repeated string value = 1; }
  message Properties { repeated NamedSchema additional_properties = 1; }
  message Schema {
    string _ref = 1; repeated string required = 19; TypeItem type = 22; Properties properties = 25;
    repeated NamedAny vendor_extension = 31;
  }
`).root;

test('version 2 in protobuf is read by its own schema', () => {
  const type = gnostic.lookupType('Document');
  const document = type.toObject(type.decode(encodeOpenapiV2(v2))) as any;
  assert.equal(document.swagger, '2.0');
  assert.equal(document.paths.path.length, Object.keys(v2.paths).length);
  const found = document.definitions.additionalProperties.find((each: any) => each.name === 'io.k8s.api.core.v1.Pod');
  assert.deepEqual(found.value.type.value, ['object']);
  assert.deepEqual(
    found.value.properties.additionalProperties.map((each: any) => each.name),
    ['apiVersion', 'kind', 'metadata', 'spec', 'status'],
  );
  const extension = found.value.vendorExtension[0];
  assert.equal(extension.value.yaml, '- group: ""\n  kind: Pod\n  version: v1\n');
});

/** As much of gnostic's schema as the test reads. */
const gnosticV3 = `syntax = "proto3"; package openapi.v3;
message Document { string openapi = 1; Paths paths = 4; Components components = 5; }
message Paths { repeated NamedPath path = 1; }
message NamedPath { string name = 1; }
message Components { Schemas schemas = 1; }
message Schemas { repeated NamedSchema additional_properties = 1; }
message NamedSchema { string name = 1; SchemaOrReference value = 2; }
message SchemaOrReference { Schema schema = 1; }
message Schema { string type = 25; repeated NamedAny specification_extension = 36; }
message NamedAny { string name = 1; Any value = 2; }
message Any { string yaml = 2; }`;

test('version 3 as protobuf holds what the JSON holds', () => {
  interface Named<T> {
    readonly name: string;
    readonly value: T;
  }
  interface Read {
    readonly openapi: string;
    readonly paths: { readonly path: readonly Named<unknown>[] };
    readonly components: {
      readonly schemas: {
        readonly additionalProperties: readonly Named<{
          readonly schema: {
            readonly type: string;
            readonly specificationExtension: readonly Named<{ readonly yaml: string }>[];
          };
        }>[];
      };
    };
  }
  const document = openapiV3('apis/policy/v1')!;
  const type = protobuf.parse(gnosticV3).root.lookupType('openapi.v3.Document');
  const read = type.toObject(type.decode(encodeOpenapiV3(document))) as Read;
  assert.equal(read.openapi, '3.0.0');
  const schemas = read.components.schemas.additionalProperties;
  assert.deepEqual(
    schemas.map(each => each.name),
    Object.keys(document.components.schemas!),
  );
  assert.deepEqual(
    read.paths.path.map(each => each.name),
    Object.keys(document.paths),
  );
  const { schema } = schemas.find(each => each.name === 'io.k8s.api.policy.v1.PodDisruptionBudget')!.value;
  assert.equal(schema.type, 'object');
  const kinds = schema.specificationExtension.find(each => each.name === 'x-kubernetes-group-version-kind')!;
  assert.match(kinds.value.yaml, /^- group: policy\n {2}kind: PodDisruptionBudget\n {2}version: v1\n/);
});
