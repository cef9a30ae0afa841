import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PersistentVolume, Pod } from '#api/types';
import type { KubeObject } from '#apimachinery';
import type { Lookup } from '../admission/lookup.ts';
import { user } from '../authentication/user.ts';
import type { AuthorizationAttributes, Decision } from './authorizer.ts';
import { nodeAuthorizer } from './node.ts';

const webPod = {
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    nodeName: 'a',
    serviceAccountName: 'builder',
    containers: [{ name: 'c', envFrom: [{ secretRef: { name: 'env' } }, { configMapRef: { name: 'settings' } }] }],
    volumes: [
      { name: 'data', persistentVolumeClaim: { claimName: 'data' } },
      { name: 'scratch', ephemeral: {} },
    ],
    resourceClaims: [{ name: 'gpu', resourceClaimTemplateName: 'gpus' }],
  },
  status: { resourceClaimStatuses: [{ name: 'gpu', resourceClaimName: 'web-gpu-x' }] },
} as unknown as Pod;

const mirrorPod = {
  metadata: { name: 'static', namespace: 'default', annotations: { 'kubernetes.io/config.mirror': 'x' } },
  spec: { nodeName: 'a', containers: [], volumes: [{ name: 's', secret: { secretName: 'stolen' } }] },
} as unknown as Pod;

const volume = {
  metadata: { name: 'pv' },
  spec: {
    claimRef: { namespace: 'default', name: 'data' },
    csi: { nodeStageSecretRef: { namespace: 'storage', name: 'stage' } },
  },
} as unknown as PersistentVolume;

const lookup: Lookup = {
  get: (_group, _resource, _namespace, name) =>
    Promise.resolve(
      name.startsWith('of-') ? ({ spec: { nodeName: name.slice(3) } } as unknown as KubeObject) : undefined,
    ),
  list: () => Promise.resolve([volume as unknown as KubeObject]),
};

const authorizer = nodeAuthorizer(lookup, node => Promise.resolve(node === 'a' ? [webPod, mirrorPod] : []));

type Question = Partial<AuthorizationAttributes> & { readonly verb: string; readonly resource: string };

async function ask(question: Question, node = 'a', groups: readonly string[] = ['system:nodes']): Promise<Decision> {
  return authorizer.authorize({
    user: user(`system:node:${node}`, groups),
    isResourceRequest: true,
    path: '',
    group: '',
    version: 'v1',
    namespace: '',
    subresource: '',
    name: '',
    fieldSelector: '',
    labelSelector: '',
    ...question,
  });
}

const inDefault = (verb: string, resource: string, name: string, more: Partial<Question> = {}): Question => ({
  verb,
  resource,
  name,
  namespace: 'default',
  ...more,
});

const allowed = async (question: Question, node?: string): Promise<boolean> =>
  (await ask(question, node)).decision === 'allow';

describe('The Node authorizer', () => {
  it('lets a node read what its pods refer to, and no other node', async () => {
    for (const [resource, name, group = ''] of [
      ['secrets', 'env'],
      ['configmaps', 'settings'],
      ['persistentvolumeclaims', 'data'],
      ['persistentvolumeclaims', 'web-scratch'],
      ['resourceclaims', 'web-gpu-x', 'resource.k8s.io'],
      ['serviceaccounts', 'builder'],
      ['pods', 'web'],
    ] as const) {
      assert.equal(await allowed(inDefault('get', resource, name, { group })), true, `${resource} ${name}`);
      assert.equal(await allowed(inDefault('get', resource, name, { group }), 'b'), false, `${resource} ${name} on b`);
      assert.equal(await allowed(inDefault('get', resource, name, { group, namespace: 'other' })), false);
    }
  });

  it('follows a claim to its volume and the secrets of that', async () => {
    assert.equal(await allowed({ verb: 'get', resource: 'persistentvolumes', name: 'pv' }), true);
    assert.equal(await allowed(inDefault('get', 'secrets', 'stage', { namespace: 'storage' })), true);
    assert.equal(await allowed({ verb: 'get', resource: 'persistentvolumes', name: 'pv' }, 'b'), false);
  });

  it('grants nothing by a mirror pod, which the node could have made itself', async () => {
    const { decision, reason } = await ask(inDefault('get', 'secrets', 'stolen'));
    assert.deepEqual([decision, reason], ['noOpinion', "no relationship found between node 'a' and this object"]);
  });

  it('never lists or writes secrets', async () => {
    assert.equal((await ask(inDefault('list', 'secrets', ''))).reason, 'No Object name found');
    assert.equal((await ask(inDefault('update', 'secrets', 'env'))).reason, 'can only read resources of this type');
  });

  it('lists pods only of its own node', async () => {
    const list = (fieldSelector: string) => ask({ verb: 'list', resource: 'pods', fieldSelector });
    assert.equal((await list('spec.nodeName=a')).decision, 'allow');
    assert.equal((await list('spec.nodeName!=a')).decision, 'noOpinion');
    assert.equal((await list('')).reason, 'can only list/watch pods with spec.nodeName field selector');
  });

  it('knows its own Node, lease, CSINode, attachments and slices', async () => {
    assert.equal(await allowed({ verb: 'get', resource: 'nodes', name: 'a' }), true);
    assert.equal(
      (await ask({ verb: 'get', resource: 'nodes', name: 'b' })).reason,
      "node 'a' cannot read 'b', only its own Node object",
    );
    const lease = { group: 'coordination.k8s.io', namespace: 'kube-node-lease' };
    assert.equal(await allowed({ verb: 'update', resource: 'leases', name: 'a', ...lease }), true);
    assert.equal(await allowed({ verb: 'update', resource: 'leases', name: 'b', ...lease }), false);
    assert.equal(await allowed({ verb: 'update', resource: 'leases', name: 'a', ...lease, namespace: 'x' }), false);
    const storage = { group: 'storage.k8s.io' };
    assert.equal(await allowed({ verb: 'patch', resource: 'csinodes', name: 'a', ...storage }), true);
    assert.equal(await allowed({ verb: 'get', resource: 'volumeattachments', name: 'of-a', ...storage }), true);
    assert.equal(await allowed({ verb: 'get', resource: 'volumeattachments', name: 'of-b', ...storage }), false);
    const slices = { resource: 'resourceslices', group: 'resource.k8s.io' };
    assert.equal(await allowed({ verb: 'delete', name: 'of-a', ...slices }), true);
    assert.equal(await allowed({ verb: 'watch', fieldSelector: 'spec.nodeName=a', ...slices }), true);
    assert.equal(await allowed({ verb: 'watch', ...slices }), false);
  });

  it('makes tokens only of accounts that its pods run as', async () => {
    const token = { subresource: 'token' };
    assert.equal(await allowed(inDefault('create', 'serviceaccounts', 'builder', token)), true);
    assert.equal(await allowed(inDefault('create', 'serviceaccounts', 'default', token)), false);
  });

  it('takes the rest from the role, and has no opinion on others', async () => {
    assert.equal(await allowed({ verb: 'list', resource: 'services' }), true);
    assert.equal(await allowed({ verb: 'delete', resource: 'services', name: 'x' }), false);
    assert.equal((await ask({ verb: 'list', resource: 'services' }, 'a', [])).decision, 'noOpinion');
    assert.equal(
      (await ask({ verb: 'list', resource: 'services' }, '')).reason,
      'unknown node for user "system:node:"',
    );
  });
});
