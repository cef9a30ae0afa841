import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ListNode, StructNode } from '#apimachinery';
import { builtinTypes, findResource, groups, resources, typeNameOf } from './tables.ts';

const core = 'io.k8s.api.core.v1.';

test('every definition can be read and refers to definitions that exist', () => {
  const names = builtinTypes.names();
  assert.ok(names.length > 1200, `${names.length} definitions`);
  for (const name of names) {
    for (const field of builtinTypes.struct(name).fields.values()) assert.ok(field.node.kind, `${name}.${field.name}`);
  }
});

test('a list of structs has its number, its keys and its merge key', () => {
  const ports = builtinTypes.struct(`${core}Container`).fields.get('ports')!;
  assert.equal(ports.number, 6);
  assert.deepEqual(ports.merge, { strategy: 'merge', key: 'containerPort' });
  const node = ports.node as ListNode;
  assert.equal(node.listType, 'map');
  assert.deepEqual(node.listKeys, ['containerPort', 'protocol']);
  const port = node.element as StructNode;
  assert.equal(port.name, `${core}ContainerPort`);
  assert.equal(port.fields.get('protocol')!.default, 'TCP');
  assert.equal(port.fields.get('containerPort')!.omitEmpty, false);
});

test('fields stand in the order in which Go writes them, those of embedded structs in their place', () => {
  const volume = builtinTypes.struct(`${core}Volume`);
  const names = [...volume.fields.keys()];
  assert.deepEqual(names.slice(0, 3), ['name', 'hostPath', 'emptyDir']);
  assert.equal(volume.fields.get('hostPath')!.embedded, true);
  assert.deepEqual(
    volume.embedded!.map(each => [each.number, each.struct.name]),
    [[2, `${core}VolumeSource`]],
  );
  assert.deepEqual(
    [...builtinTypes.struct(`${core}Pod`).fields.keys()],
    ['kind', 'apiVersion', 'metadata', 'spec', 'status'],
  );
});

test('pointers, and structs that Go always writes', () => {
  const spec = builtinTypes.struct('io.k8s.api.apps.v1.DeploymentSpec').fields;
  assert.deepEqual([spec.get('replicas')!.nullable, spec.get('replicas')!.omitEmpty], [true, true]);
  assert.deepEqual([spec.get('strategy')!.nullable, spec.get('strategy')!.omitEmpty], [false, false]);
  const meta = builtinTypes.struct('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta').fields;
  assert.equal(meta.get('creationTimestamp')!.omitEmpty, true);
});

test('a property may have another map type than its definition', () => {
  const claimRef = builtinTypes.struct(`${core}PersistentVolumeSpec`).fields.get('claimRef')!.node as StructNode;
  assert.equal(claimRef.mapType, 'granular');
  assert.equal(builtinTypes.struct(`${core}ObjectReference`).mapType, 'atomic');
});

test('kinds have their definitions', () => {
  assert.equal(typeNameOf({ group: '', version: 'v1', kind: 'PodList' }), `${core}PodList`);
  assert.equal(
    typeNameOf({ group: 'rbac.authorization.k8s.io', version: 'v1', kind: 'Role' }),
    'io.k8s.api.rbac.v1.Role',
  );
  assert.equal(
    typeNameOf({ group: 'apps', version: 'v1', kind: 'DeleteOptions' }),
    'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions',
  );
  assert.equal(typeNameOf({ group: 'none.example.com', version: 'v1', kind: 'None' }), undefined);
  for (const each of resources) assert.ok(builtinTypes.has(each.typeName), each.typeName);
  assert.throws(() => builtinTypes.struct('io.k8s.api.core.v1.None'), RangeError);
});

test('resources stand by group and version, with their hub', () => {
  assert.equal(groups[0]!.name, '');
  assert.deepEqual(groups.find(group => group.name === 'autoscaling')!.versions, ['v2', 'v1']);
  const events = findResource('events.k8s.io', 'v1', 'events')!;
  assert.deepEqual([events.storageGroup, events.storageVersion], ['', 'v1']);
  const scaler = findResource('autoscaling', 'v1', 'horizontalpodautoscalers')!;
  assert.equal(scaler.storageVersion, 'v2');
  const pods = findResource('', 'v1', 'pods')!;
  assert.equal(pods.storageVersionHash, 'xPOwRZ+Yhw8=');
  const eviction = pods.subresources.find(each => each.name === 'eviction')!;
  assert.equal(eviction.typeName, 'io.k8s.api.policy.v1.Eviction');
});

test('Go names of named types, for the texts of decoding errors', () => {
  const spec = builtinTypes.struct(`${core}PodSpec`).fields;
  assert.deepEqual(spec.get('restartPolicy')!.node, { kind: 'scalar', type: 'string', goType: 'v1.RestartPolicy' });
  const requests = builtinTypes.struct(`${core}ResourceRequirements`).fields.get('requests')!.node;
  assert.equal((requests as { goType?: string }).goType, 'v1.ResourceList');
});
