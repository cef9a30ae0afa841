import assert from 'node:assert/strict';
import { test } from 'node:test';
import { internalEqual, internalText } from './internal-value.ts';

test('values are the same as Go sees them: empty lists and maps are none, a pointer to nothing is something', () => {
  const spec = { containers: [] };
  const same: [unknown, unknown, boolean][] = [
    [{ ...spec, overhead: {} }, spec, true],
    [{ ...spec, tolerations: [] }, spec, true],
    [{ ...spec, hostname: '' }, spec, true],
    [{ ...spec, nodeSelector: { a: 'b' } }, spec, false],
    [{ ...spec, affinity: {} }, spec, false],
    [{ ...spec, preemptionPolicy: '' }, spec, false],
    [{ ...spec, hostNetwork: true }, { ...spec, hostNetwork: true }, true],
    [{ ...spec, hostNetwork: true }, spec, false],
  ];
  for (const [a, b, expected] of same) {
    assert.equal(internalEqual('core.PodSpec', a, b), expected, JSON.stringify(a));
    assert.equal(internalEqual('core.PodSpec', b, a), expected);
  }
});

test('an empty selector is not an absent one', () => {
  assert.equal(internalEqual('core.PersistentVolumeClaimSpec', { selector: {} }, {}), false);
  assert.equal(
    internalEqual('core.PersistentVolumeClaimSpec', { selector: { matchLabels: {} } }, { selector: {} }),
    true,
  );
});

test('whole objects embed their metadata', () => {
  const claim = (metadata: object): object => ({ metadata, spec: { resources: {} } });
  assert.equal(
    internalEqual('core.PersistentVolumeClaim', claim({ name: 'a', annotations: {} }), claim({ name: 'a' })),
    true,
  );
  assert.equal(internalEqual('core.PersistentVolumeClaim', claim({ name: 'a' }), claim({ name: 'b' })), false);
});

test('integers beyond 2^53 are printed exactly', () => {
  const text = internalText('core.SleepAction', { seconds: 9223372036854775807n });
  assert.match(text, /"Seconds": 9223372036854775807/);
});
