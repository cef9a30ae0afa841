import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { kindRecord } from '../rules.ts';
import { keyPairError } from './key-pair.ts';

function warningsOf(group: string, version: string, kind: string, object: object): readonly string[] {
  return kindRecord(group, version, kind)!.rules.warnings!({ metadata: {}, ...object } as never, null, {} as never);
}

const podOf = (spec: object, name = 'p'): readonly string[] =>
  warningsOf('', 'v1', 'Pod', { metadata: { name }, spec });

test('a pod is told of names, labels, volumes, variables and ports that do not do what they seem to', () => {
  assert.deepEqual(podOf({ nodeSelector: { 'beta.kubernetes.io/os': 'linux' } }), [
    'spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead',
  ]);
  assert.match(
    podOf({}, 'a.b')[0]!,
    /^metadata\.name: this is used in the Pod's hostname, .*recommended: \[must not contain dots\]$/,
  );
  assert.deepEqual(podOf({ volumes: [{ name: 'v', storageos: {} }] }), [
    'spec.volumes[0].storageOS: deprecated in v1.22, non-functional in v1.25+',
  ]);
  const env = [
    { name: 'A', value: '1' },
    { name: 'A', value: '$(A)2' },
    { name: 'A', value: '3' },
  ];
  assert.deepEqual(podOf({ containers: [{ name: 'c', env }] }), [
    'spec.containers[0].env[2]: hides previous definition of "A", which may be dropped when using apply',
  ]);
  const ports = [
    { name: 'x', containerPort: 80, protocol: 'TCP', hostIP: '1.2.3.4' },
    { name: 'x', containerPort: 80, protocol: 'TCP' },
  ];
  assert.deepEqual(podOf({ containers: [{ name: 'c', ports }] }), [
    'spec.containers[0].ports[0]: hostIP set without hostPort: {Name:x HostPort:0 ContainerPort:80 Protocol:TCP HostIP:1.2.3.4}',
    'spec.containers[0].ports[1]: overlapping port definition with spec.containers[0].ports[0]',
    'spec.containers[0].ports[1]: duplicate port name "x" with spec.containers[0].ports[0], services and probes that select ports by name will use spec.containers[0].ports[0]',
  ]);
});

test('files of a volume that hide each other', () => {
  const items = [
    { key: 'a', path: 'dir/' },
    { key: 'b', path: 'dir/file' },
  ];
  assert.deepEqual(podOf({ volumes: [{ name: 'v', configMap: { name: 'm', items } }] }), [
    'volume "v" (ConfigMap "m"): overlapping paths: "dir/file" with "dir"',
  ]);
  const sources = [{ serviceAccountToken: { path: 'a' } }, { secret: { name: 's', items: [{ path: 'a' }] } }, {}];
  assert.deepEqual(podOf({ volumes: [{ name: 'v', projected: { sources } }] }), [
    'volume "v" (Projected): overlapping paths: "a" (Secret "s") with "a" (ServiceAccountToken)',
    'volume "v" (Projected) has no sources provided',
  ]);
});

test('quotas whose requests exceed their limits', () => {
  assert.deepEqual(warningsOf('', 'v1', 'ResourceQuota', { spec: { hard: { cpu: '2', 'limits.cpu': '1' } } }), [
    'ResourceQuota cpu (2) should be less than limits.cpu (1)',
  ]);
});

test('a headless service says which fields nobody reads', () => {
  const spec = { type: 'ClusterIP', clusterIP: 'None', clusterIPs: ['None'], externalIPs: ['1.2.3.4'] };
  assert.deepEqual(warningsOf('', 'v1', 'Service', { spec: { ...spec, sessionAffinity: 'None' } }), [
    'spec.externalIPs is ignored for headless services',
  ]);
});

test('key pairs in the words of crypto/tls', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  assert.equal(keyPairError('', key), 'tls: failed to find any PEM data in certificate input');
  assert.match(keyPairError(key, key)!, /did find a private key; PEM inputs may have been switched$/);
  const bad = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  assert.equal(keyPairError(bad, key), 'x509: malformed certificate');
  assert.equal(keyPairError(bad, bad), 'tls: found a certificate rather than a key in the PEM for the private key');
});
