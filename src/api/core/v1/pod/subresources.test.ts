import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Draft } from '#apimachinery';
import type { SubresourceRules } from '../../../kind.ts';
import type { Pod } from '../../../types.ts';
import { podDefaults } from './defaults.ts';
import { podEphemeralContainers } from './ephemeral-containers.ts';
import { podResize } from './resize.ts';

const config = { allowPrivileged: true, serviceCidrs: [], nodePortRange: [30000, 32767] };

function podOf(spec: object, labels: Record<string, string> = {}): Draft<Pod> {
  const pod = { metadata: { name: 'p', namespace: 'n', labels }, spec, status: { qosClass: 'Burstable' } };
  podDefaults(pod as never);
  return pod as never;
}

const container = (cpu: string, more: object = {}): object => ({
  name: 'c',
  image: 'i',
  resources: { requests: { cpu }, limits: { cpu: '4' } },
  ...more,
});

function write(rules: SubresourceRules<Pod>, draft: Draft<Pod>, old: Draft<Pod>): string[] {
  rules.prepare(draft, old as Pod, { config } as never);
  return rules.validate!(draft as Pod, old as Pod, { config } as never).map(error => `${error.field}: ${error.body}`);
}

test('a resize changes amounts and drops everything else', () => {
  const draft = podOf({ containers: [container('2', { image: 'other' })], nodeName: 'x' }, { a: 'b' });
  assert.deepEqual(write(podResize, draft, podOf({ containers: [container('1')] })), []);
  assert.equal(draft.spec.containers[0]!.resources!.requests!['cpu'], '2');
  assert.equal(draft.spec.containers[0]!.image, 'i');
  assert.deepEqual([draft.spec.nodeName, draft.metadata.labels], [undefined, {}]);
});

test('a resize refuses another class, taken amounts, other resources, other containers', () => {
  const old = podOf({ containers: [container('1')] });
  const refusals = (spec: object): string[] => write(podResize, podOf(spec), old);
  assert.deepEqual(refusals({ containers: [{ name: 'c', image: 'i', resources: {} }] }), [
    'spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing',
    'spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed',
    'spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed',
  ]);
  const requests = { cpu: '1', 'ephemeral-storage': '1Gi' };
  assert.deepEqual(refusals({ containers: [container('1', { resources: { requests, limits: { cpu: '4' } } })] }), [
    'spec: Forbidden: only cpu and memory resources are mutable',
  ]);
  assert.deepEqual(refusals({ containers: [container('1', { name: 'd' })] }), [
    'spec.containers[0].name: Forbidden: containers may not be renamed or reordered on resize',
  ]);
  assert.deepEqual(refusals({ containers: [container('1'), container('1', { name: 'd' })] }), [
    'spec.containers: Forbidden: containers may not be added or removed on resize',
  ]);
});

test('ephemeral containers are added, and then neither changed nor taken', () => {
  const common = { image: 'i', imagePullPolicy: 'Always', terminationMessagePolicy: 'File' };
  const first = { name: 'e', ...common };
  const old = podOf({ containers: [container('1')], ephemeralContainers: [first] });
  const written = (...ephemeralContainers: object[]): string[] =>
    write(podEphemeralContainers, podOf({ containers: [container('3')], ephemeralContainers }), old);
  assert.deepEqual(written(first, { name: 'f', ...common }), []);
  assert.deepEqual(written(), [
    'spec.ephemeralContainers: Forbidden: existing ephemeral containers "e" may not be removed\n',
  ]);
  const [changed] = written({ ...first, image: 'new' });
  assert.match(
    changed!,
    /"e" may not be changed\n@@ -1,6 \+1,6 @@\n \{\n {2}"Name": "e",\n- "Image": "i",\n\+ "Image": "new",/,
  );
});
