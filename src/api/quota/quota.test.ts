import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '#apimachinery';
import type { ResourceQuota } from '../types.ts';
import { amountsText, quotaEvaluatorOf, usageOf } from './helpers.ts';

const pod = (spec: object, status: object = {}): KubeObject =>
  ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec, status }) as unknown as KubeObject;
const container = (requests: object, limits: object = {}, more: object = {}): object => ({
  name: 'c',
  resources: { requests, limits },
  ...more,
});
const pods = quotaEvaluatorOf('', 'pods')!;

test('what a pod uses', () => {
  const cases: Array<[what: string, object: KubeObject, usage: string]> = [
    ['nothing asked', pod({ containers: [container({})] }), 'count/pods=1,pods=1'],
    [
      'requests and limits, and init containers that ask for more',
      pod({
        containers: [container({ cpu: '1' }, { memory: '2Gi' }), container({ cpu: '500m' })],
        initContainers: [container({ cpu: '2' })],
      }),
      'count/pods=1,cpu=2,limits.memory=2Gi,pods=1,requests.cpu=2',
    ],
    [
      'what pods ask for themselves, and overhead',
      pod({ containers: [container({ cpu: '1' })], resources: { requests: { cpu: '3' } }, overhead: { cpu: '250m' } }),
      'count/pods=1,cpu=3250m,pods=1,requests.cpu=3250m',
    ],
    [
      'extended resources by request alone, huge pages by both names',
      pod({ containers: [container({ 'example.com/gpu': '2', 'hugepages-2Mi': '4Mi' })] }),
      'count/pods=1,hugepages-2Mi=4Mi,pods=1,requests.example.com/gpu=2,requests.hugepages-2Mi=4Mi',
    ],
    ['a pod that has ended', pod({ containers: [container({ cpu: '1' })] }, { phase: 'Succeeded' }), 'count/pods=1'],
    [
      'a resize that the node has not carried out',
      pod(
        { containers: [container({ cpu: '1' })] },
        { containerStatuses: [{ name: 'c', resources: { requests: { cpu: '3' } } }] },
      ),
      'count/pods=1,cpu=3,pods=1,requests.cpu=3',
    ],
  ];
  for (const [what, object, usage] of cases) assert.equal(amountsText(pods.usage(object, 0)), usage, what);
});

test('what must be said is told by resource and container', () => {
  const object = pod({ containers: [container({ cpu: '1' }), { name: 'b' }] });
  assert.equal(
    pods.constraints!(['requests.cpu', 'limits.memory', 'pods'], object),
    'must specify limits.memory for: b,c; requests.cpu for: b',
  );
  const whole = pod({ containers: [{ name: 'b' }], resources: { requests: { cpu: '1' } } });
  assert.equal(pods.constraints!(['requests.cpu'], whole), undefined);
});

test('scopes of pods', () => {
  const cases: Array<[scope: object, spec: object, holds: boolean]> = [
    [{ scopeName: 'BestEffort', operator: 'Exists' }, { containers: [{ name: 'c' }] }, true],
    [{ scopeName: 'NotBestEffort', operator: 'Exists' }, { containers: [container({ cpu: '1' })] }, true],
    [{ scopeName: 'Terminating', operator: 'Exists' }, { activeDeadlineSeconds: 0 }, true],
    [{ scopeName: 'NotTerminating', operator: 'Exists' }, { activeDeadlineSeconds: 5 }, false],
    [{ scopeName: 'PriorityClass', operator: 'Exists' }, {}, false],
    [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }, { priorityClassName: 'high' }, true],
    [{ scopeName: 'PriorityClass', operator: 'NotIn', values: ['high'] }, { priorityClassName: 'high' }, false],
    [{ scopeName: 'PriorityClass', operator: 'DoesNotExist' }, {}, true],
    [
      { scopeName: 'CrossNamespacePodAffinity', operator: 'Exists' },
      { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ namespaces: ['x'] }] } } },
      true,
    ],
  ];
  for (const [scope, spec, holds] of cases) {
    assert.equal(pods.matchesScope(scope as never, pod(spec)), holds, JSON.stringify(scope));
  }
});

test('services, claims and counts', () => {
  const object = (fields: object): KubeObject => ({ metadata: { name: 'x' }, ...fields }) as unknown as KubeObject;
  const text = (group: string, resource: string, fields: object): string =>
    amountsText(quotaEvaluatorOf(group, resource)!.usage(object(fields), 0));
  assert.equal(
    text('', 'services', { spec: { type: 'LoadBalancer', ports: [{ port: 1 }, { port: 2, nodePort: 3 }] } }),
    'count/services=1,services=1,services.loadbalancers=1,services.nodeports=2',
  );
  assert.equal(
    text('', 'persistentvolumeclaims', {
      spec: { storageClassName: 'gold', resources: { requests: { storage: '1Gi' } } },
    }),
    [
      'count/persistentvolumeclaims=1',
      'gold.storageclass.storage.k8s.io/persistentvolumeclaims=1',
      'gold.storageclass.storage.k8s.io/requests.storage=1Gi',
      'persistentvolumeclaims=1',
      'requests.storage=1Gi',
    ].join(),
  );
  assert.equal(
    text('resource.k8s.io', 'resourceclaims', {
      spec: {
        devices: {
          requests: [
            { exactly: { deviceClassName: 'a', allocationMode: 'ExactCount', count: 2 } },
            {
              firstAvailable: [
                { deviceClassName: 'a', allocationMode: 'All' },
                { deviceClassName: 'a', count: 1 },
              ],
            },
          ],
        },
      },
    }),
    'a.deviceclass.resource.k8s.io/devices=34,count/resourceclaims.resource.k8s.io=1',
  );
  assert.equal(text('', 'configmaps', {}), 'configmaps=1,count/configmaps=1');
  assert.equal(text('apps', 'deployments', {}), 'count/deployments.apps=1');
  assert.equal(quotaEvaluatorOf('', 'events'), undefined);
});

test('a recount adds up what is in scope and begins at zero', () => {
  const quota = {
    spec: { hard: { pods: '5', 'requests.cpu': '4' }, scopes: ['NotBestEffort'] },
  } as unknown as ResourceQuota;
  assert.equal(amountsText(usageOf(pods, quota, [], 0)), 'pods=0,requests.cpu=0');
  const objects = [pod({ containers: [container({ cpu: '1' })] }), pod({ containers: [container({})] })];
  assert.equal(amountsText(usageOf(pods, quota, objects, 0)), 'pods=1,requests.cpu=1');
});
