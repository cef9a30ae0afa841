import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#base';
import { startHarness } from './testing/harness.ts';

const main = { name: 'main', image: 'busybox:1', command: ['sleep', 'inf'] };

test('a plain pod runs, shows its status and events, and is deleted when asked to', async () => {
  await using harness = await startHarness({ clock: () => systemClock });
  await harness.run('plain', { containers: [main] });
  const running = await harness.until('plain', pod => pod?.status?.phase === 'Running');
  const status = running!.status!;
  const [container] = status.containerStatuses!;
  assert.deepEqual([container!.ready, container!.started, container!.restartCount], [true, true, 0]);
  assert.match(container!.containerID!, /^fake:\/\/[0-9a-f]{64}$/);
  assert.deepEqual(
    status.conditions!.map(({ type, status: is }) => `${type}=${is}`),
    ['PodReadyToStartContainers=True', 'Initialized=True', 'Ready=True', 'ContainersReady=True', 'PodScheduled=True'],
  );
  assert.deepEqual([status.hostIP, status.podIP !== undefined, status.qosClass], ['10.0.0.1', true, 'BestEffort']);
  assert.deepEqual(await harness.events('plain'), [
    'Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod',
    'Normal Created Container created',
    'Normal Started Container started',
  ]);
  await harness.client.transport.request({ method: 'DELETE', path: '/api/v1/namespaces/default/pods/plain' });
  await harness.until('plain', pod => pod === undefined);
  assert.deepEqual(await harness.engine.runtime.listPodSandboxes(), []);
});
