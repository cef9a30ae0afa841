/** A kubelet that stops and another that takes over what runs, in one process, with the engine in memory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SteppedClock } from '#base';
import type { Pod } from './api-objects.ts';
import { resources } from './resources.ts';
import { type Harness, startHarness } from './testing/harness.ts';

const image = 'busybox:1';
const container = (name: string): { name: string; image: string } => ({ name, image });

async function stepped(): Promise<{
  harness: Harness;
  clock: SteppedClock;
  pod(name: string): Promise<Pod | undefined>;
}> {
  let clock!: SteppedClock;
  const harness = await startHarness({ clock: activity => (clock = new SteppedClock({ activity })) });
  const pods = harness.client.resource(resources.pods).namespace('default');
  return { harness, clock, pod: name => pods.get(name).catch(() => undefined) };
}

const statusOf = (pod: Pod | undefined): { containerID?: string; restartCount?: number; ready?: boolean } =>
  pod?.status?.containerStatuses?.[0] ?? {};
const made = (harness: Harness): string[] => harness.engine.calls.filter(call => /^(create|run|start)/i.test(call));

test('a restarted kubelet adopts what runs: nothing is made anew, nothing is restarted', {
  timeout: 20_000,
}, async () => {
  const { harness, clock, pod } = await stepped();
  await using _ = harness;
  await harness.run('steady', { containers: [container('main')] });
  await harness.run('other', { containers: [{ ...container('main'), startupProbe: { exec: { command: ['true'] } } }] });
  await clock.advance(15_000);
  const before = await pod('steady');
  assert.equal(before?.status?.phase, 'Running');
  const calls = made(harness);
  assert.ok(calls.length > 0, 'the engine was asked for nothing');
  const startAgain = await harness.stopKubelet();
  await clock.advance(5000);
  await startAgain();
  await clock.advance(15_000);
  assert.deepEqual(made(harness), calls);
  const after = await pod('steady');
  assert.deepEqual(statusOf(after), statusOf(before));
  assert.deepEqual(after?.status?.podIPs, before?.status?.podIPs);
  assert.equal(after?.status?.startTime, before?.status?.startTime);
  assert.equal(statusOf(await pod('other')).restartCount, 0);
});

test('what happened while no kubelet ran is made up for', { timeout: 20_000 }, async () => {
  const { harness, clock, pod } = await stepped();
  await using _ = harness;
  await harness.run('ended', { containers: [container('main')] });
  await harness.run('deleted', { containers: [container('main')], terminationGracePeriodSeconds: 1 });
  await harness.run('forced', { containers: [container('main')] });
  await clock.advance(5000);
  const idOf = async (name: string): Promise<string> => statusOf(await pod(name)).containerID!.split('//')[1]!;
  const forced = await idOf('forced');
  const startAgain = await harness.stopKubelet();
  harness.engine.exit(await idOf('ended'), 1);
  const pods = harness.client.resource(resources.pods).namespace('default');
  await pods.delete('deleted');
  await pods.delete('forced', { gracePeriodSeconds: 0 });
  await harness.run('new', { containers: [container('main')] });
  await startAgain();
  await clock.advance(60_000);
  assert.equal(statusOf(await pod('ended')).restartCount, 1);
  assert.equal(await pod('deleted'), undefined);
  assert.equal(await pod('forced'), undefined);
  assert.equal((await pod('new'))?.status?.phase, 'Running');
  const left = (await harness.engine.runtime.listContainers()).filter(({ id }) => id === forced);
  assert.deepEqual(left, [], 'the container of a pod that nobody wants any more');
});
