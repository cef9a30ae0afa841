/** Kinds of workloads as the API alone sees them. Upstream: test/e2e/apps/cronjob.go. */
import assert from 'node:assert/strict';
import { BatchV1Api } from '@kubernetes/client-node';
import { apiOperations } from './support/operations.ts';
import { row, useSubject } from './support/subject.ts';

const subject = useSubject();

row('[sig-apps] CronJob should support CronJob API operations [Conformance]', async () => {
  const container = { name: 'one', image: 'registry.example.com/none:1' };
  const jobTemplate = { spec: { template: { spec: { restartPolicy: 'OnFailure', containers: [container] } } } };
  const target = { group: 'batch', version: 'v1', resource: 'cronjobs', kind: 'CronJob', api: BatchV1Api };
  await apiOperations(
    subject,
    { ...target, namespace: await subject.namespace() },
    {
      // Never due while the test runs.
      make: () => ({ spec: { schedule: '* */1 29 2 *', suspend: true, jobTemplate: structuredClone(jobTemplate) } }),
      status: {
        patch: { lastScheduleTime: new Date('2026-01-01T00:00:00Z') },
        replace: { lastScheduleTime: new Date('2026-01-02T00:00:00Z') },
      },
      async more(_operations, object) {
        const { concurrencyPolicy, successfulJobsHistoryLimit, failedJobsHistoryLimit } = object['spec'];
        assert.deepEqual([concurrencyPolicy, successfulJobsHistoryLimit, failedJobsHistoryLimit], ['Allow', 3, 1]);
      },
    },
  );
});
