import assert from 'node:assert/strict';
import { it } from 'node:test';
import { MetricsRegistry } from './metrics.ts';

const linesOf = (metrics: MetricsRegistry): string[] =>
  metrics
    .render()
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'));

it('writes numbers as Go does, whose texts are the labels of buckets', () => {
  const metrics = new MetricsRegistry();
  metrics
    .histogram('h', 'h', [1e-8, 9.999999999999999e-5, 1e-4, 0.025, 1, 999_999, 1e6, 1.05e6, 1e20])
    .observe(1500000);
  assert.deepEqual(linesOf(metrics), [
    'h_bucket{le="1e-08"} 0',
    'h_bucket{le="9.999999999999999e-05"} 0',
    'h_bucket{le="0.0001"} 0',
    'h_bucket{le="0.025"} 0',
    'h_bucket{le="1"} 0',
    'h_bucket{le="999999"} 0',
    'h_bucket{le="1e+06"} 0',
    'h_bucket{le="1.05e+06"} 0',
    'h_bucket{le="1e+20"} 1',
    'h_bucket{le="+Inf"} 1',
    'h_sum 1.5e+06',
    'h_count 1',
  ]);
});

it('shows what has no labels before it ever counted', () => {
  const metrics = new MetricsRegistry();
  metrics.counter('a', 'a', true);
  metrics.counter('b', 'b');
  metrics.histogram('c', 'c', [1], true);
  assert.deepEqual(linesOf(metrics), ['a 0', 'c_bucket{le="1"} 0', 'c_bucket{le="+Inf"} 0', 'c_sum 0', 'c_count 0']);
});
