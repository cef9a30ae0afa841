import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RuleContext } from '../../kind.ts';
import { kindRecord } from '../../rules.ts';

const context = { nowMs: 0, namespace: 'ns', subresource: '', namespaceLabels: undefined } as unknown as RuleContext;

function refusals(kind: string, spec: object, more: Partial<RuleContext> = {}): string[] {
  const { rules } = kindRecord('resource.k8s.io', 'v1', kind)!;
  const object = { apiVersion: 'resource.k8s.io/v1', kind, metadata: { name: 'x' }, spec };
  rules.defaults?.(object as never);
  rules.prepareCreate?.(object as never, context);
  const errors = rules.validate!(object as never, null, { ...context, ...more });
  return errors.map(each => `${each.field}: ${each.body}`);
}

const request = { name: 'r', exactly: { deviceClassName: 'gpu' } };

test('claims ask for one of two things by request, in names that exist', () => {
  const rows: readonly [object, readonly string[]][] = [
    [{ requests: [request] }, []],
    [
      { requests: [{ name: 'r' }] },
      ['spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required'],
    ],
    [{ requests: [request, request] }, ['spec.devices.requests[1]: Duplicate value: "r"']],
    [
      { requests: [request], constraints: [{ requests: ['other'], matchAttribute: 'a.example/model' }] },
      [
        'spec.devices.constraints[0].requests[0]: Invalid value: "other": must be the name of a request in the claim or ' +
          "the name of a request and a subrequest separated by '/'",
      ],
    ],
  ];
  for (const [devices, wanted] of rows) assert.deepEqual(refusals('ResourceClaim', { devices }), wanted);
});

test('access to devices in use is for labelled namespaces', () => {
  const spec = { devices: { requests: [{ ...request, exactly: { ...request.exactly, adminAccess: true } }] } };
  assert.equal(refusals('ResourceClaim', spec).length, 1);
  const namespaceLabels = { 'resource.kubernetes.io/admin-access': 'true' };
  assert.deepEqual(refusals('ResourceClaim', spec, { namespaceLabels }), []);
});

test('slices say where their devices are, and what each has', () => {
  const pool = { name: 'p', generation: 1, resourceSliceCount: 1 };
  const slice = (more: object) => refusals('ResourceSlice', { driver: 'd.example', pool, ...more });
  assert.deepEqual(slice({ nodeName: 'n', devices: [{ name: 'a', attributes: { model: { string: 'x' } } }] }), []);
  assert.match(slice({})[0]!, /^spec: Required value: exactly one of `nodeName`/);
  assert.deepEqual(slice({ nodeName: 'n', devices: [{ name: 'a', attributes: { v: { version: '1' } } }] }), [
    'spec.devices[0].attributes[v].version: Invalid value: "1": must be a string compatible with semver.org spec 2.0.0',
  ]);
  const policy = { default: '1', validRange: { min: '1', step: '2', max: '6' } };
  const device = { name: 'a', allowMultipleAllocations: true, capacity: { c: { value: '8', requestPolicy: policy } } };
  assert.deepEqual(slice({ nodeName: 'n', devices: [device] }), [
    'spec.devices[0].capacity[c].requestPolicy.validRange.step: Invalid value: "6": ' +
      'value is not a multiple of a given step (2) from (1)',
  ]);
});

test('taints without a time get one', () => {
  const { rules } = kindRecord('resource.k8s.io', 'v1', 'ResourceSlice')!;
  const slice = { metadata: {}, spec: { devices: [{ name: 'a', taints: [{ key: 'k', effect: 'NoSchedule' }] }] } };
  rules.prepareCreate!(slice as never, context);
  assert.deepEqual(slice.spec.devices[0]!.taints, [
    { key: 'k', effect: 'NoSchedule', timeAdded: '1970-01-01T00:00:00Z' },
  ]);
});

test('a slice has changed when a taint without a time comes in another second, or with what is dropped', () => {
  const { rules } = kindRecord('resource.k8s.io', 'v1', 'ResourceSlice')!;
  const { generation } = rules;
  assert.ok(typeof generation === 'object' && generation.early);
  const slice = (taint: object, more: object = {}): never =>
    ({
      metadata: {},
      spec: { driver: 'd', devices: [{ name: 'a', taints: [{ key: 'k', ...taint }], ...more }] },
    }) as never;
  const old = slice({ timeAdded: '1970-01-01T00:00:00Z' });
  const changed = (now: never, nowMs = 0): boolean => generation.changed(now, old, { ...context, nowMs });
  assert.deepEqual([changed(slice({})), changed(slice({}), 1000)], [false, true]);
  assert.equal(
    changed(slice({ timeAdded: '1970-01-01T00:00:00Z' }, { nodeAllocatableResourceMappings: { a: {} } })),
    true,
  );
});
