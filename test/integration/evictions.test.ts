/** What disruption budgets say of an eviction. Upstream: pkg/registry/core/pod/storage/eviction.go. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { eventually } from '../support/eventually.ts';
import { type Sent, send } from '../support/http.ts';

const pods = '/api/v1/namespaces/default/pods';
const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
const merge = { 'content-type': 'application/merge-patch+json' };

async function made(server: TestApiServer, sent: Sent): Promise<void> {
  const { code, text } = await send(server, sent);
  assert.ok(code === 200 || code === 201, text);
}

async function hasDefaultAccount(server: TestApiServer): Promise<void> {
  const path = '/api/v1/namespaces/default/serviceaccounts/default';
  await eventually('the account is there', async () => (await send(server, { path })).code === 200);
}

async function runningPod(server: TestApiServer, name: string): Promise<void> {
  const spec = { automountServiceAccountToken: false, containers: [{ name: 'c', image: 'i' }] };
  await made(server, { method: 'POST', path: pods, body: { metadata: { name, labels: { app: name } }, spec } });
  const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
  await made(server, { method: 'PATCH', path: `${pods}/${name}/status`, headers: merge, body: { status } });
}

async function budgetFor(server: TestApiServer, name: string, status: object): Promise<void> {
  const spec = { minAvailable: 1, selector: { matchLabels: { app: name } } };
  await made(server, { method: 'POST', path: budgets, body: { metadata: { name }, spec } });
  const counts = {
    observedGeneration: 1,
    currentHealthy: 1,
    desiredHealthy: 1,
    expectedPods: 1,
    disruptionsAllowed: 0,
  };
  const body = { status: { ...counts, ...status } };
  await made(server, { method: 'PATCH', path: `${budgets}/${name}/status`, headers: merge, body });
}

const condition = (reason: string, message: string): object => ({
  conditions: [
    { type: 'DisruptionAllowed', status: 'False', reason, message, lastTransitionTime: '2026-01-01T00:00:00Z' },
  ],
});

it('a budget that has none left says why', async () => {
  await using server = await startTestApiServer({ controllers: true });
  await hasDefaultAccount(server);
  const cases: readonly (readonly [name: string, status: object, message: string])[] = [
    ['few', {}, 'The disruption budget few needs 1 healthy pods and has 1 currently'],
    ['many', { currentHealthy: 2 }, 'The disruption budget many does not allow evicting pods currently'],
    [
      'unsettled',
      condition('SyncFailed', 'no scale'),
      'The disruption budget unsettled does not allow evicting pods currently because it failed sync: no scale',
    ],
    [
      'told',
      { currentHealthy: 2, ...condition('Custom', 'not now') },
      'The disruption budget told does not allow evicting pods currently (Custom): not now',
    ],
  ];
  for (const [name, status, expected] of cases) {
    await runningPod(server, name);
    await budgetFor(server, name, status);
    const path = `${pods}/${name}/eviction`;
    const { text } = await send(server, { method: 'POST', path, body: { metadata: { name } } });
    const { message, details } = JSON.parse(text) as { message: string; details?: { causes?: { message: string }[] } };
    assert.equal(details?.causes?.[0]?.message ?? message, expected);
  }
});

it('a precondition that names no resourceVersion is none', async () => {
  await using server = await startTestApiServer({ controllers: true });
  await hasDefaultAccount(server);
  await runningPod(server, 'p');
  const deleteOptions = { preconditions: { resourceVersion: '' } };
  await made(server, { method: 'POST', path: `${pods}/p/eviction`, body: { metadata: { name: 'p' }, deleteOptions } });
});

it('what a strategic merge patch does not know is told in order of the text', async () => {
  await using server = await startTestApiServer({ controllers: true });
  await hasDefaultAccount(server);
  await runningPod(server, 'p');
  const headers = { 'content-type': 'application/strategic-merge-patch+json' };
  const path = `${pods}/p?fieldValidation=Strict`;
  const { text } = await send(server, { method: 'PATCH', path, headers, body: { zz: 1, spec: { b: 1, a: 2 } } });
  const told = [...text.matchAll(/unknown field \\*"([\w.]+)/g)].map(([, field]) => field);
  assert.deepEqual([...new Set(told)], ['spec.a', 'spec.b', 'zz']);
});
