import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FlowSchema, FlowSchemaSpec } from '#api/types';
import { user } from '../authentication/user.ts';
import { requestInfo } from '../filters/request-info.ts';
import { Query } from '../http/message.ts';
import { flowSchemas } from './defaults.ts';
import { comparePrecedence, compileMatcher } from './matching.ts';

const schema = (name: string, spec: FlowSchemaSpec): FlowSchema => ({
  apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
  kind: 'FlowSchema',
  metadata: { name },
  spec,
});
const defaults = flowSchemas.map(({ name, spec }) => schema(name, spec)).sort(comparePrecedence);
const matched = (who: string, groups: string[], method: string, url: string): string | undefined => {
  const [path = '', query = ''] = url.split('?');
  const digest = {
    info: requestInfo(method, path, Query.parse(query)),
    user: user(who, [...groups, 'system:authenticated']),
  };
  return defaults.find(each => compileMatcher(each)(digest))?.metadata.name;
};

describe('flow schemas', () => {
  const leases = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/x';
  const controller = 'system:serviceaccount:kube-system:job-controller';
  const cases: ReadonlyArray<readonly [who: string, groups: string[], method: string, url: string, name: string]> = [
    ['admin', ['system:masters'], 'GET', '/api/v1/pods', 'exempt'],
    ['bob', [], 'GET', '/healthz', 'probes'],
    ['bob', [], 'GET', '/livez/ping', 'probes'],
    ['bob', [], 'POST', '/healthz', 'global-default'],
    ['bob', [], 'GET', '/api/v1/pods', 'global-default'],
    ['system:kube-scheduler', [], 'PUT', leases, 'system-leader-election'],
    ['system:kube-scheduler', [], 'DELETE', leases, 'kube-scheduler'],
    [controller, ['system:serviceaccounts'], 'PUT', leases, 'system-leader-election'],
    [controller, ['system:serviceaccounts'], 'GET', '/api/v1/pods', 'kube-system-service-accounts'],
    ['system:serviceaccount:default:x', ['system:serviceaccounts'], 'GET', '/api/v1/pods', 'service-accounts'],
    ['system:serviceaccount:kube-system2:x', ['system:serviceaccounts'], 'GET', '/api/v1/pods', 'service-accounts'],
    ['system:node:n', ['system:nodes'], 'PATCH', '/api/v1/nodes/n/status', 'system-node-high'],
    [
      'system:node:n',
      ['system:nodes'],
      'PUT',
      '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n',
      'system-node-high',
    ],
    ['system:node:n', ['system:nodes'], 'GET', '/api/v1/nodes/n/proxy', 'system-nodes'],
    ['system:node:n', ['system:nodes'], 'GET', '/api/v1/pods?watch=1', 'system-nodes'],
  ];
  for (const [who, groups, method, url, name] of cases) {
    it(`send ${method} ${url} of ${who} by ${name}`, () => assert.equal(matched(who, groups, method, url), name));
  }

  it('of the same precedence go by name', () => {
    const spec = (matchingPrecedence: number): FlowSchemaSpec => ({
      matchingPrecedence,
      priorityLevelConfiguration: { name: 'x' },
    });
    const names = [schema('b', spec(5)), schema('a', spec(5)), schema('c', spec(4))].sort(comparePrecedence);
    assert.deepEqual(
      names.map(each => each.metadata.name),
      ['c', 'a', 'b'],
    );
  });

  it('do not reach other namespaces, nor the cluster unless told', () => {
    const rule = { verbs: ['get'], apiGroups: [''], resources: ['pods', 'pods/log'], namespaces: ['a'] };
    const subjects = [{ kind: 'User', user: { name: '*' } }];
    const test = compileMatcher(
      schema('x', {
        matchingPrecedence: 1,
        priorityLevelConfiguration: { name: 'x' },
        rules: [{ subjects, resourceRules: [rule] }],
      }),
    );
    const get = (path: string): boolean => test({ info: requestInfo('GET', path, Query.empty), user: user('u') });
    assert.equal(get('/api/v1/namespaces/a/pods/p'), true);
    assert.equal(get('/api/v1/namespaces/a/pods/p/log'), true);
    assert.equal(get('/api/v1/namespaces/a/pods/p/status'), false);
    assert.equal(get('/api/v1/namespaces/b/pods/p'), false);
    assert.equal(get('/apis/apps/v1/namespaces/a/pods/p'), false);
    assert.equal(get('/metrics'), false);
  });
});
