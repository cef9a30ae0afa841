import assert from 'node:assert/strict';
import { it } from 'node:test';
import { MetricsRegistry } from './metrics.ts';

it('shows no disabled family, and of a label only the values that are allowed', () => {
  const metrics = new MetricsRegistry();
  metrics.restrict({ disabled: new Set(['gone']), labels: new Map([['requests,verb', new Set(['GET'])]]) });
  metrics.counter('gone', 'g').inc();
  const requests = metrics.counter('requests', 'r');
  for (const verb of ['GET', 'PUT', 'POST']) requests.inc({ code: '200', verb });
  assert.equal(
    metrics.render(),
    '# HELP requests r\n# TYPE requests counter\nrequests{code="200",verb="GET"} 1\nrequests{code="200",verb="unexpected"} 2\n',
  );
});
