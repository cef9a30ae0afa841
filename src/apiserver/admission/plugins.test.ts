import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import type { Draft, KubeObject } from '#apimachinery';
import { requestSubject } from '#pki';
import { user } from '../authentication/user.ts';
import { type AdmissionAttributes, type AdmissionPlugin, Reinvocation } from './chain.ts';
import type { Lookup } from './lookup.ts';
import { nodeRestriction } from './node-restriction.ts';
import { enabledPlugins } from './plugins.ts';
import { covers, mergeTolerations } from './runtime-class.ts';

/** A cluster of these objects, by `resource/namespace/name`. */
function cluster(objects: Readonly<Record<string, object>>): Lookup {
  return {
    get: async (_group, resource, namespace, name) => objects[`${resource}/${namespace}/${name}`] as KubeObject,
    list: async () => [],
  };
}

function attributes(resource: string, more: Partial<AdmissionAttributes>): AdmissionAttributes {
  const served = { group: '', version: 'v1', resource, kind: '' };
  return {
    operation: 'CREATE',
    resource: served,
    requested: served,
    kind: served,
    ownKind: true,
    subresource: '',
    namespace: 'ns',
    name: 'x',
    user: user('system:node:n', ['system:nodes']),
    dryRun: false,
    options: {},
    old: null,
    warn: () => {},
    annotate: () => {},
    reinvocation: new Reinvocation(),
    ...more,
  } as unknown as AdmissionAttributes;
}

async function refusal(plugin: AdmissionPlugin, at: AdmissionAttributes, object: object | null): Promise<string> {
  try {
    await plugin.admit!(at, object as Draft<KubeObject> | null);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

test('what a node may not do', async () => {
  const pods = {
    'pods/ns/x': { metadata: { name: 'x', uid: 'u' }, spec: { nodeName: 'other' } },
    'pods/ns/mine': { metadata: { name: 'mine', uid: 'u' }, spec: { nodeName: 'n' } },
  };
  const noOpinion = { authorize: () => ({ decision: 'noOpinion' as const, reason: '' }) };
  const plugin = nodeRestriction(cluster(pods), noOpinion);
  const pod = (fields: object): object => ({ metadata: { name: 'x', ...fields }, spec: { nodeName: 'n' } });
  const node = (labels: object): object => ({ metadata: { name: 'n', labels } });
  const token = (fields: object): object => ({ metadata: {}, spec: { audiences: ['a'], ...fields } });
  const cases: Array<[why: string, at: AdmissionAttributes, object: object | null]> = [
    ['', attributes('pods', { user: user('somebody') }), pod({})],
    [
      'pods "x" is forbidden: pod does not have "kubernetes.io/config.mirror" annotation, node "n" can only create mirror pods',
      attributes('pods', {}),
      pod({}),
    ],
    [
      'pods "x" is forbidden: node "n" can only delete pods with spec.nodeName set to itself',
      attributes('pods', { operation: 'DELETE' }),
      null,
    ],
    ['', attributes('pods', { operation: 'DELETE', name: 'mine' }), null],
    [
      'nodes "m" is forbidden: node "n" is not allowed to modify node "m"',
      attributes('nodes', { operation: 'DELETE', name: 'm' }),
      null,
    ],
    ['', attributes('nodes', { name: 'n' }), node({ 'kubernetes.io/os': 'linux', 'example.com/a': 'b' })],
    [
      'nodes "n" is forbidden: node "n" is not allowed to set the following labels: a.k8s.io/x, node-restriction.kubernetes.io/y',
      attributes('nodes', { name: 'n' }),
      node({ 'node-restriction.kubernetes.io/y': '', 'a.k8s.io/x': '', 'node.kubernetes.io/fine': '' }),
    ],
    [
      'serviceaccounts "x" is forbidden: node requested token not bound to a pod',
      attributes('serviceaccounts', { subresource: 'token' }),
      token({}),
    ],
    [
      'serviceaccounts "x" is forbidden: audience "a" not found in pod spec volume, system:node:n is not authorized to request tokens for this audience',
      attributes('serviceaccounts', { subresource: 'token' }),
      token({ boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'mine', uid: 'u' } }),
    ],
  ];
  for (const [why, at, object] of cases) assert.equal(await refusal(plugin, at, object), why);
});

test('which plugins are on', () => {
  const standard = enabledPlugins({ enable: [], disable: [] });
  assert.equal(standard[0], 'NamespaceLifecycle');
  assert.equal(standard.at(-1), 'ResourceQuota');
  assert.ok(!standard.includes('NodeRestriction'));
  const switched = enabledPlugins({ enable: ['NodeRestriction', 'AlwaysPullImages'], disable: ['PodSecurity'] });
  assert.deepEqual(
    switched.slice(3, 6),
    ['NodeRestriction', 'TaintNodesByCondition', 'AlwaysPullImages'],
    'in order, whatever the flags say',
  );
  assert.ok(!switched.includes('PodSecurity'));
  assert.throws(() => enabledPlugins({ enable: ['Nope'], disable: [] }), /plugin "Nope" is unknown/);
  assert.throws(
    () => enabledPlugins({ enable: ['AlwaysDeny'], disable: ['AlwaysDeny'] }),
    /\[AlwaysDeny\] .* overlapped/,
  );
});

test('tolerations that others cover are left out', () => {
  const exists = { key: 'a', operator: 'Exists' as const };
  assert.deepEqual(mergeTolerations([{ key: 'a', operator: 'Equal', value: 'b' }], [exists]), [exists]);
  assert.equal(covers({ operator: 'Exists' } as never, { key: 'a', operator: 'Exists', effect: 'NoSchedule' }), true);
  assert.equal(covers({ key: 'a', operator: 'Equal', value: 'b' }, { key: 'a', operator: 'Exists' }), false);
});

test('the subject of a certificate request', context => {
  let pem: string;
  try {
    pem = execFileSync(
      'openssl',
      ['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', '/dev/null'].concat([
        '-subj',
        '/O=system:masters/O=b/CN=Zoë',
        '-utf8',
      ]),
      { stdio: ['ignore', 'pipe', 'ignore'] },
    ).toString();
  } catch {
    context.skip('openssl is not here');
    return;
  }
  assert.deepEqual(requestSubject(pem), { commonName: 'Zoë', organizations: ['system:masters', 'b'] });
  assert.throws(() => requestSubject('nothing'), /PEM block type/);
});
