/** What client libraries and upstream's own integration tests rely on, each seen to differ once when they were run. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { KubeObject } from '#apimachinery';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';

let server: TestApiServer;
before(async () => {
  server = await startTestApiServer();
});
after(() => server[Symbol.asyncDispose]());

test('an apply that differs by an empty map alone changes nothing, not even the time of its entry', async () => {
  const labels = { app: 'web' };
  const template = { metadata: { labels, annotations: {} }, spec: { containers: [{ name: 'c', image: 'c' }] } };
  const body = { apiVersion: 'apps/v1', kind: 'Deployment', spec: { selector: { matchLabels: labels }, template } };
  const apply = async (): Promise<KubeObject> => {
    const answer = await server.transport().request({
      method: 'PATCH',
      path: '/apis/apps/v1/namespaces/default/deployments/no-op',
      query: [['fieldManager', 'me']],
      headers: { 'content-type': 'application/apply-patch+yaml' },
      body: Buffer.from(JSON.stringify({ ...body, metadata: { name: 'no-op' } })),
    });
    return (await answer.json()) as unknown as KubeObject;
  };
  const first = await apply();
  await new Promise(resolve => setTimeout(resolve, 1100)); // the times of entries are whole seconds
  assert.equal((await apply()).metadata.resourceVersion, first.metadata.resourceVersion);
});
