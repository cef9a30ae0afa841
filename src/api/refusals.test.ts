import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KubeObject, readJson } from '#apimachinery';
import type { RuleContext } from './kind.ts';
import { kindRecord } from './rules.ts';
import { builtinTypes } from './tables.ts';

const context = {
  nowMs: 0,
  namespace: 'ns',
  subresource: '',
  config: { allowPrivileged: true },
} as unknown as RuleContext;

/** What is read from a body, with defaults. */
function read(apiVersion: string, kind: string, rest: object): KubeObject {
  const [version, group = ''] = apiVersion.split('/').reverse();
  const record = kindRecord(group, version!, kind)!;
  const body = JSON.stringify({ apiVersion, kind, metadata: { name: 'x' }, ...rest });
  const object = readJson(body, builtinTypes.struct(record.typeName)).value as KubeObject;
  record.rules.defaults?.(object as never);
  return object;
}

function refusals(object: KubeObject, old: KubeObject | null = null): string[] {
  const [version, group = ''] = object.apiVersion!.split('/').reverse();
  const { rules } = kindRecord(group, version!, object.kind!)!;
  return rules.validate!(object as never, old as never, context).map(each => `${each.field}: ${each.body}`);
}

const container = { name: 'a', image: 'i' };
const pod = (spec: object): KubeObject => read('v1', 'Pod', { spec: { containers: [container], ...spec } });

test('the empty string is a port by name, not none', () => {
  const probed = pod({ containers: [{ ...container, livenessProbe: { tcpSocket: { port: '' } } }] });
  assert.deepEqual(refusals(probed), [
    'spec.containers[0].livenessProbe.tcpSocket.port: Invalid value: "": ' +
      'must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
    'spec.containers[0].livenessProbe.tcpSocket.port: Invalid value: "": must contain at least one letter (a-z)',
  ]);
  const service = read('v1', 'Service', { spec: { ports: [{ port: 80, targetPort: '' }] } });
  assert.deepEqual((service as { spec?: { ports?: unknown } }).spec?.ports, [
    { port: 80, targetPort: 80, protocol: 'TCP' },
  ]);
});

test('of a host path without a path nothing else is refused', () => {
  const object = pod({ volumes: [{ name: 'v', hostPath: { type: 'no' } }] });
  assert.deepEqual(refusals(object), ['spec.volumes[0].hostPath.path: Required value']);
});

test('spread constraints repeat each other though they say nothing', () => {
  const object = pod({ topologySpreadConstraints: [{ maxSkew: 1 }, { maxSkew: 1 }] });
  assert.equal(
    refusals(object)[2],
    'spec.topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}: Duplicate value: "{, }"',
  );
});

test('a grace period in the metadata of a template is refused, be it zero', () => {
  const spec = { metadata: { deletionGracePeriodSeconds: 0, generation: 0 }, spec: {} };
  const object = read('resource.k8s.io/v1', 'ResourceClaimTemplate', { spec });
  assert.deepEqual(refusals(object), ['spec.metadata.deletionGracePeriodSeconds: Forbidden: cannot be set']);
});

test('a rolling update of another strategy has zeros', () => {
  const spec = {
    selector: { matchLabels: { a: 'b' } },
    template: { metadata: { labels: { a: 'b' } }, spec: { containers: [container] } },
    updateStrategy: { type: 'OnDelete', rollingUpdate: {} },
  };
  const object = read('apps/v1', 'DaemonSet', { spec });
  assert.deepEqual((object as { spec?: { updateStrategy?: unknown } }).spec?.updateStrategy, {
    type: 'OnDelete',
    rollingUpdate: { maxUnavailable: 0, maxSurge: 0 },
  });
});

test('the volume of an attachment is named well when it is changed, too', () => {
  const attachment = (persistentVolumeName: string): KubeObject =>
    read('storage.k8s.io/v1', 'VolumeAttachment', {
      spec: { attacher: 'a.example', nodeName: 'n', source: { persistentVolumeName } },
    });
  const fields = refusals(attachment('No'), attachment('yes')).map(each => each.split(':')[0]);
  assert.deepEqual(fields, ['spec.source.persistentVolumeName', 'spec']);
});

test('conditions on which binding fails are told by their own name', () => {
  const spec = {
    driver: 'd.example',
    nodeName: 'n',
    pool: { name: 'p', generation: 1, resourceSliceCount: 1 },
    devices: [{ name: 'a', bindingConditions: ['ok'], bindingFailureConditions: ['no', 'no'] }],
  };
  assert.deepEqual(refusals(read('resource.k8s.io/v1', 'ResourceSlice', { spec })), [
    'spec.devices[0].bindingFailureConditions[1]: Duplicate value: "no"',
  ]);
});
