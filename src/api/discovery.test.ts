import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  aggregatedDiscovery,
  apiGroupList,
  apiResourceList,
  builtinGroups,
  compareVersions,
  customGroups,
} from './discovery.ts';
import type { CustomResourceDefinition } from './types.ts';

test('versions are sorted by stability, then by number', () => {
  const versions = ['v1alpha1', 'foo', 'v11', 'v2', 'v3beta1', 'v1beta2', 'v12alpha1', 'bar', 'v10'];
  assert.deepEqual(versions.sort(compareVersions), [
    ...['v11', 'v10', 'v2', 'v3beta1', 'v1beta2', 'v12alpha1', 'v1alpha1', 'bar', 'foo'],
  ]);
});

test('the preferred version stands first', () => {
  const scaling = apiGroupList(builtinGroups()).groups.find(group => group.name === 'autoscaling')!;
  assert.equal(scaling.preferredVersion?.groupVersion, 'autoscaling/v2');
});

const crd = (established: boolean): CustomResourceDefinition => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'boats.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'boats', singular: 'boat', kind: 'Boat', shortNames: ['bt'] },
    versions: [
      { name: 'v1beta1', served: true, storage: false },
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {}, scale: { specReplicasPath: '', statusReplicasPath: '' } },
      },
    ],
  },
  status: {
    acceptedNames: { plural: 'boats', singular: 'boat', kind: 'Boat', shortNames: ['bt'] },
    conditions: [{ type: 'Established', status: established ? 'True' : 'False' }],
  },
});

test('custom resources appear once they are established', () => {
  assert.deepEqual(customGroups([crd(false)]), []);
  const [group] = customGroups([crd(true)]);
  assert.deepEqual(
    group!.versions.map(each => each.version),
    ['v1', 'v1beta1'],
  );
  const list = apiResourceList(group!.name, group!.versions[0]!);
  assert.deepEqual(
    list.resources.map(each => each.name),
    ['boats', 'boats/status', 'boats/scale'],
  );
  assert.equal(list.resources[2]!.group, 'autoscaling');
  const [item] = aggregatedDiscovery([group!]).items;
  assert.deepEqual(item!.versions![0]!.resources![0]!.responseKind, {
    group: 'example.com',
    version: 'v1',
    kind: 'Boat',
  });
});
