/** What writes to `/status` keep and refuse of metadata, kind by kind, as the strategies of upstream's registries do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RuleContext } from '#api/kind';
import { rulesOf } from '#api/rules';
import type { Draft, KubeObject, ObjectMeta } from '#apimachinery';
import { Scheme } from '../scheme/scheme.ts';
import { beforeUpdate } from './strategy.ts';

const scheme = new Scheme('/registry', rulesOf);
const context: RuleContext = {
  nowMs: 0,
  namespace: 'ns',
  subresource: 'status',
  random: { uuid: () => 'u', suffix: () => 's' },
  user: { name: 'a', uid: '', groups: [], extra: {} },
  config: { allowPrivileged: false, serviceCidrs: ['10.96.0.0/16'], nodePortRange: [30000, 32767] },
};

/** The metadata after a status write that sends `changes` of it. */
function write(
  [group, version, plural]: readonly [string, string, string],
  changes: object,
  rest: object = { spec: {} },
  sent: object = rest,
): Partial<ObjectMeta> {
  const resource = scheme.find(group, version, plural)!;
  const name = { name: 'x', resourceVersion: '1', ...(resource.namespaced && { namespace: 'ns' }) };
  const facts = { apiVersion: group ? `${group}/${version}` : version, kind: resource.kind };
  const old = { ...facts, metadata: { ...name, annotations: { kept: 'y' } }, ...rest } as unknown as KubeObject;
  const object = { ...facts, metadata: { ...name, ...changes }, ...structuredClone(sent) } as unknown;
  beforeUpdate(resource, object as Draft<KubeObject>, old, context, () => {});
  const { resourceVersion: _, ...metadata } = (object as KubeObject).metadata;
  return metadata;
}

/** How often the status write is refused for a grace period that nobody may set. */
function complaints(plural: readonly [string, string, string], rest?: object): number {
  try {
    write(plural, { deletionGracePeriodSeconds: 5 }, rest);
    return 0;
  } catch (error) {
    return (error as { status: { details: { causes: unknown[] } } }).status.details.causes.length;
  }
}

test('a status write to a flow schema or a priority level leaves all metadata as it was', () => {
  for (const plural of ['flowschemas', 'prioritylevelconfigurations']) {
    const kind = ['flowcontrol.apiserver.k8s.io', 'v1', plural] as const;
    const managedFields = [{ manager: 'm', operation: 'Update' }];
    assert.deepEqual(
      write(kind, { generateName: 'Bad/', selfLink: '/x', deletionGracePeriodSeconds: 5, managedFields }),
      {
        name: 'x',
        annotations: { kept: 'y' },
        managedFields,
      },
    );
  }
});

test('where a status write keeps metadata it keeps the self link', () => {
  const metadata = write(['networking.k8s.io', 'v1', 'servicecidrs'], { selfLink: '/x', labels: { a: 'b' } });
  assert.deepEqual(metadata, { name: 'x', annotations: { kept: 'y' } });
});

test('metadata is looked at as often as by the strategy of the kind', () => {
  assert.equal(complaints(['batch', 'v1', 'cronjobs']), 1);
  assert.equal(complaints(['policy', 'v1', 'poddisruptionbudgets']), 1);
  assert.equal(complaints(['admissionregistration.k8s.io', 'v1', 'validatingadmissionpolicies']), 1);
  const spec = { attacher: 'a', nodeName: 'n', source: { persistentVolumeName: 'v' } };
  const attachments = ['storage.k8s.io', 'v1', 'volumeattachments'] as const;
  assert.equal(complaints(attachments, { spec }), 1);
  assert.throws(
    () => write(attachments, { generateName: 'Bad' }, { spec }),
    /metadata.generateName: Invalid value: "Bad"/,
  );
});

test('the generation of the template of a daemon set is that of its kept spec', () => {
  const key = 'deprecated.daemonset.template.generation';
  const kind = ['apps', 'v1', 'daemonsets'] as const;
  assert.deepEqual(write(kind, { annotations: { [key]: '7' } }).annotations, { [key]: '0' });
});

test('the labels of a replication controller are those of the template that is kept', () => {
  const spec = { template: { metadata: { labels: { app: 'x' } } } };
  const kind = ['', 'v1', 'replicationcontrollers'] as const;
  assert.deepEqual(write(kind, {}, { spec }, { spec: {} }).labels, { app: 'x' });
  assert.deepEqual(write(kind, { labels: { a: 'b' } }, { spec }, { spec: {} }).labels, { a: 'b' });
});
