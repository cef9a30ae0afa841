import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Job, JobStatus } from '../../../types.ts';
import { validateJobStatus } from './status.ts';

const time = '2026-01-01T00:00:00Z';
const conditions = (...types: string[]) => types.map(type => ({ type, status: 'True' }));

function refusals(now: object, before: object = {}, spec: object = {}): string[] {
  const job = (status: object): Job =>
    ({ apiVersion: 'batch/v1', kind: 'Job', metadata: {}, spec, status: status as JobStatus }) as Job;
  return validateJobStatus(job(now), job(before)).map(each => `${each.field}: ${each.body}`);
}

test('a job may finish as the controller finishes it', () => {
  const complete = { conditions: conditions('SuccessCriteriaMet', 'Complete'), startTime: time, completionTime: time };
  assert.deepEqual(refusals(complete, { startTime: time }), []);
  const failed = { conditions: conditions('FailureTarget', 'Failed'), startTime: time, failed: 1 };
  assert.deepEqual(refusals(failed, { startTime: time }), []);
});

test('statuses that no job can have are refused', () => {
  const rows: readonly [object, object, string][] = [
    [{ conditions: conditions('Failed'), startTime: time }, {}, 'without the FailureTarget=true condition'],
    [
      { conditions: conditions('SuccessCriteriaMet', 'Complete'), startTime: time },
      {},
      'status.completionTime: Required value: completionTime is required for Complete jobs',
    ],
    [{ completionTime: time }, {}, 'cannot set completionTime when there is no Complete=True condition'],
    [{ ready: 2, active: 1 }, {}, 'cannot set more ready pods than active'],
    [{ completedIndexes: '0-1' }, {}, 'cannot set non-empty completedIndexes when non-indexed completion mode'],
    [{ failed: 1 }, { failed: 2 }, 'status.failed: Invalid value: 1: cannot decrease the failed counter'],
    [{}, { conditions: conditions('FailureTarget') }, 'cannot disable the terminal FailureTarget=True condition'],
    [{ startTime: '2026-01-02T00:00:00Z' }, { startTime: time }, 'field is immutable for unsuspended job once set'],
  ];
  for (const [now, before, text] of rows) {
    const found = refusals(now, before);
    assert.ok(
      found.some(each => each.includes(text)),
      `${text}: ${found.join('; ')}`,
    );
  }
});

test('what was wrong before may be written again', () => {
  const odd = { ready: 2, active: 1, completedIndexes: '5' };
  assert.deepEqual(refusals(odd, odd), []);
});

test('indexes are intervals in order, below the number of completions, in one list', () => {
  const spec = { completions: 4, completionMode: 'Indexed', backoffLimitPerIndex: 1 };
  const rows: readonly [object, string | undefined][] = [
    [{ completedIndexes: '0,2-3' }, undefined],
    [{ completedIndexes: '2,1' }, 'error parsing completedIndexes: non-increasing order, previous: 2, current: 1'],
    [{ completedIndexes: '4' }, 'error parsing completedIndexes: too large index: "4"'],
    [{ completedIndexes: '0-1', failedIndexes: '1' }, 'failedIndexes and completedIndexes overlap at index: 1'],
  ];
  for (const [status, text] of rows) {
    const found = refusals(status, {}, spec);
    if (text === undefined) assert.deepEqual(found, []);
    else assert.ok(found[0]?.includes(text), found.join('; '));
  }
});
