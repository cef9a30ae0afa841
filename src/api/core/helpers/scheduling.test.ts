import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, NodeSelectorRequirement, PodSpec } from '../../types.ts';
import { matchesNodeTerm, matchesRequiredNodeAffinity } from './scheduling.ts';

const node = { metadata: { name: 'one', labels: { zone: 'a', cores: '12' } } } as unknown as Node;

test('what a requirement asks of a label', () => {
  const rows: readonly [NodeSelectorRequirement, boolean][] = [
    [{ key: 'zone', operator: 'In', values: ['a', 'b'] }, true],
    [{ key: 'zone', operator: 'NotIn', values: ['a'] }, false],
    [{ key: 'missing', operator: 'NotIn', values: ['a'] }, true],
    [{ key: 'zone', operator: 'Exists' }, true],
    [{ key: 'missing', operator: 'DoesNotExist' }, true],
    [{ key: 'cores', operator: 'Gt', values: ['8'] }, true],
    [{ key: 'cores', operator: 'Lt', values: ['8'] }, false],
    [{ key: 'zone', operator: 'Gt', values: ['8'] }, false],
    [{ key: 'missing', operator: 'Lt', values: ['8'] }, false],
    // No integer of 64 bits.
    [{ key: 'cores', operator: 'Lt', values: ['9223372036854775808'] }, false],
    // Not labels, but members that every object of JavaScript has.
    [{ key: 'constructor', operator: 'Exists' }, false],
    [{ key: 'constructor', operator: 'DoesNotExist' }, true],
  ];
  for (const [requirement, want] of rows) {
    assert.equal(matchesNodeTerm({ matchExpressions: [requirement] }, node), want, JSON.stringify(requirement));
  }
});

test('a term that asks nothing matches nothing', () => {
  assert.equal(matchesNodeTerm({}, node), false);
});

test('a node selector and required affinity are both asked', () => {
  const affinity = (name: string): PodSpec['affinity'] => ({
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [name] }] }],
      },
    },
  });
  const spec = (zone: string, name: string): PodSpec => ({
    containers: [],
    nodeSelector: { zone },
    affinity: affinity(name),
  });
  assert.equal(matchesRequiredNodeAffinity(spec('a', 'one'), node), true);
  assert.equal(matchesRequiredNodeAffinity(spec('b', 'one'), node), false);
  assert.equal(matchesRequiredNodeAffinity(spec('a', 'two'), node), false);
});
