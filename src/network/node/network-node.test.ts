import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAddressPool, nodeAddressOf } from './addresses.ts';
import { answerClusterName } from './dns-records.ts';
import { elementChanges } from './element-sets.ts';
import { createStickyIds, type ProxyEndpointSlice, type ProxyService, serviceElements } from './service-elements.ts';
import { hostPortElements, staleUdpTargets } from './service-proxy.ts';
import { createServiceView } from './service-view.ts';

const service = (name: string, spec: object, more: object = {}): ProxyService =>
  ({
    metadata: { name, namespace: 'ns' },
    spec: { clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9'], ...spec },
    ...more,
  }) as ProxyService;

const slice = (
  name: string,
  addresses: readonly (string | object)[],
  port: object = { port: 8080 },
): ProxyEndpointSlice => ({
  metadata: { name: `${name}-1`, namespace: 'ns', labels: { 'kubernetes.io/service-name': name } },
  addressType: 'IPv4',
  ports: [port],
  endpoints: addresses.map(each => (typeof each === 'string' ? { addresses: [each] } : (each as never))),
});

function elements(services: ProxyService[], slices: ProxyEndpointSlice[]): Record<string, Record<string, string>> {
  const bySlice = new Map(slices.map(each => [`ns/${each.metadata.labels!['kubernetes.io/service-name']}`, [each]]));
  const { sets } = serviceElements({
    services,
    slices: bySlice,
    nodeName: 'n1',
    markBase: 100,
    stickyId: createStickyIds(5000),
  });
  return Object.fromEntries([...sets].map(([name, map]) => [name, Object.fromEntries(map)]));
}

test('addresses: the node has the first, pods the rest, each rests before it is used again', () => {
  assert.equal(nodeAddressOf('10.64.3.0/24'), '10.64.3.1');
  const pool = createAddressPool('10.64.3.0/29');
  assert.deepEqual([pool.take(), pool.take()], ['10.64.3.2', '10.64.3.3']);
  pool.free('10.64.3.2');
  assert.equal(pool.take(), '10.64.3.4');
  pool.keep('10.64.3.6');
  assert.deepEqual([pool.take(), pool.take()], ['10.64.3.2', '10.64.3.5']);
  assert.throws(() => pool.take(), /in use/);
});

test('a Service leads to its ready endpoints, by address and by node port', () => {
  const got = elements(
    [service('web', { ports: [{ port: 80, nodePort: 30080 }] })],
    [slice('web', ['10.64.0.2', { addresses: ['10.64.0.3'], conditions: { ready: false } }, '10.64.0.4'])],
  );
  assert.deepEqual(got['services'], { '10.96.0.9 . tcp . 80': 'goto n2' });
  assert.deepEqual(got['endpoints'], {
    '10.96.0.9 . tcp . 80 . 100': '10.64.0.2 . 8080',
    '10.96.0.9 . tcp . 80 . 101': '10.64.0.4 . 8080',
  });
  assert.deepEqual(got['node_ports'], { 'tcp . 30080': 'goto n2p' });
  assert.deepEqual(got['no_endpoints'], {});
});

test('no ready endpoint: terminating ones that serve, else refusal; headless and ExternalName have no rules', () => {
  const draining = { addresses: ['10.64.0.3'], conditions: { ready: false, serving: true, terminating: true } };
  assert.deepEqual(elements([service('web', { ports: [{ port: 80 }] })], [slice('web', [draining])])['endpoints'], {
    '10.96.0.9 . tcp . 80 . 100': '10.64.0.3 . 8080',
  });
  assert.deepEqual(elements([service('web', { ports: [{ port: 53, protocol: 'UDP' }] })], [])['no_endpoints'], {
    '10.96.0.9 . udp . 53': '',
  });
  const none = elements(
    [service('a', { clusterIP: 'None', ports: [{ port: 1 }] }), service('b', { type: 'ExternalName', clusterIP: '' })],
    [],
  );
  assert.ok(Object.values(none).every(map => Object.keys(map).length === 0));
});

test('clients stay: picks turn into lasting numbers; local policy keeps to this node', () => {
  const got = elements(
    [service('web', { sessionAffinity: 'ClientIP', ports: [{ port: 80 }] })],
    [slice('web', ['10.64.0.2', '10.64.0.4'])],
  );
  assert.deepEqual(got['services'], { '10.96.0.9 . tcp . 80': 'goto s2x10800' });
  assert.deepEqual(got['sticky_ids'], { '10.96.0.9 . tcp . 80 . 100': '5000', '10.96.0.9 . tcp . 80 . 101': '5001' });
  assert.deepEqual(got['sticky_targets'], { 'tcp . 5000': '10.64.0.2 . 8080', 'tcp . 5001': '10.64.0.4 . 8080' });
  const near = elements(
    [service('web', { internalTrafficPolicy: 'Local', ports: [{ port: 80 }] })],
    [
      slice('web', [
        { addresses: ['10.64.0.2'], nodeName: 'n1' },
        { addresses: ['10.65.0.2'], nodeName: 'n2' },
      ]),
    ],
  );
  assert.deepEqual(Object.values(near['endpoints']!), ['10.64.0.2 . 8080']);
});

test('one change of one element is one delete and one add, deletes first', () => {
  const before = new Map([
    [
      'services',
      new Map([
        ['k', 'goto n1'],
        ['same', 'x'],
      ]),
    ],
  ]);
  const after = new Map([
    [
      'services',
      new Map([
        ['k', 'goto n2'],
        ['same', 'x'],
      ]),
    ],
  ]);
  assert.equal(
    elementChanges('ip t', before, after),
    'delete element ip t services { k }\nadd element ip t services { k : goto n2 }\n',
  );
  assert.equal(elementChanges('ip t', after, after), '');
});

test('host ports by any address or one; only vanished UDP endpoints are stale', () => {
  const ports = hostPortElements([
    { hostPort: 80, containerPort: 8080, protocol: 'TCP', address: '10.64.0.2' },
    { hostPort: 53, containerPort: 5353, protocol: 'UDP', hostIp: '127.0.0.1', address: '10.64.0.3' },
  ]);
  assert.deepEqual([...ports.get('host_ports')!], [['tcp . 80', '10.64.0.2 . 8080']]);
  assert.deepEqual([...ports.get('host_address_ports')!], [['127.0.0.1 . udp . 53', '10.64.0.3 . 5353']]);
  const with2 = new Map([
    [
      'endpoints',
      new Map([
        ['a . udp . 53 . 1', '10.64.0.2 . 53'],
        ['a . tcp . 53 . 1', '10.64.0.5 . 53'],
      ]),
    ],
  ]);
  assert.deepEqual([...staleUdpTargets(with2, new Map())], ['10.64.0.2']);
});

test('cluster DNS: A, headless, hostnames, SRV, PTR, CNAME, pods, absent names', () => {
  const view = createServiceView();
  view.setNamespace('ns');
  view.setService(service('web', { ports: [{ name: 'http', port: 80 }] }));
  view.setService(service('db', { clusterIP: 'None', clusterIPs: ['None'], ports: [{ name: 'sql', port: 5432 }] }));
  view.setService(service('ext', { type: 'ExternalName', clusterIP: '', clusterIPs: [], externalName: 'example.com' }));
  view.setSlice(
    slice('db', [{ addresses: ['10.64.0.2'], hostname: 'db-0' }, '10.64.0.3'], { name: 'sql', port: 5432 }),
  );
  const ask = (name: string, type = 'A'): unknown => {
    const { records, exists } = answerClusterName(view, 'cluster.local', name, type);
    return records === undefined ? 'upstream' : exists ? records.map(record => record.data) : 'NXDOMAIN';
  };
  assert.deepEqual(ask('web.ns.svc.cluster.local'), ['10.96.0.9']);
  assert.deepEqual(ask('web.ns.svc.cluster.local', 'AAAA'), []);
  assert.deepEqual(ask('db.ns.svc.cluster.local'), ['10.64.0.2', '10.64.0.3']);
  assert.deepEqual(ask('db-0.db.ns.svc.cluster.local'), ['10.64.0.2']);
  assert.deepEqual(ask('10-64-0-3.db.ns.svc.cluster.local'), ['10.64.0.3']);
  assert.deepEqual(ask('_http._tcp.web.ns.svc.cluster.local', 'SRV'), [
    { target: 'web.ns.svc.cluster.local', port: 80, priority: 0, weight: 100 },
  ]);
  assert.deepEqual(
    (ask('_sql._tcp.db.ns.svc.cluster.local', 'SRV') as { target: string }[]).map(each => each.target),
    ['db-0.db.ns.svc.cluster.local', '10-64-0-3.db.ns.svc.cluster.local'],
  );
  assert.deepEqual(ask('9.0.96.10.in-addr.arpa', 'PTR'), ['web.ns.svc.cluster.local']);
  assert.deepEqual(ask('2.0.64.10.in-addr.arpa', 'PTR'), ['db-0.db.ns.svc.cluster.local']);
  assert.deepEqual(ask('ext.ns.svc.cluster.local'), ['example.com']);
  assert.deepEqual(ask('10-64-0-9.ns.pod.cluster.local'), ['10.64.0.9']);
  assert.equal(ask('nothing.ns.svc.cluster.local'), 'NXDOMAIN');
  assert.equal(ask('web.other.svc.cluster.local'), 'NXDOMAIN');
  assert.equal(ask('example.com'), 'upstream');
  view.removeSlice(slice('db', []));
  assert.equal(ask('db.ns.svc.cluster.local'), 'NXDOMAIN');
});
