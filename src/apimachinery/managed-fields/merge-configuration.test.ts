import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { builtinTypes } from '#api/tables';
import { mergeConfiguration } from './merge-configuration.ts';

const pod = builtinTypes.struct('io.k8s.api.core.v1.Pod')!;

describe('a configuration is merged without owners', () => {
  it('by the keys of lists and members of maps', () => {
    const live = { metadata: { labels: { a: '1' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
    const configuration = {
      metadata: { labels: { b: '2' } },
      spec: {
        containers: [
          { name: 'c', imagePullPolicy: 'Never' },
          { name: 'side', image: 's' },
        ],
      },
    };
    assert.deepEqual(mergeConfiguration(pod, live, configuration), {
      metadata: { labels: { a: '1', b: '2' } },
      spec: {
        containers: [
          { name: 'c', image: 'i', imagePullPolicy: 'Never' },
          { name: 'side', image: 's' },
        ],
      },
    });
    assert.deepEqual(live.spec.containers, [{ name: 'c', image: 'i' }], 'the live object is left as it was');
  });

  it('refused where it would replace what is atomic, with the paths', () => {
    const configuration = {
      spec: { nodeSelector: { a: 'b' }, containers: [{ name: 'c', command: ['x'] }] },
    };
    assert.throws(() => mergeConfiguration(pod, {}, configuration), {
      message:
        'invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.nodeSelector, .spec.containers[0].command',
    });
  });

  it('refused where its type does not know it', () => {
    assert.throws(() => mergeConfiguration(pod, {}, { spec: { nope: 1 } }), {
      message: /^failed to convert patch object to typed object: .*nope/,
    });
  });
});
