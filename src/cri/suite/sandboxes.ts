/** What a kubelet relies on of pod sandboxes. */
import assert from 'node:assert/strict';
import type { SuiteCase } from './index.ts';
import { podConfig, recordEvents, runContainer, withPod } from './pods.ts';

export const sandboxTests: readonly SuiteCase[] = [
  {
    title: 'says who it is and that it is ready',
    async run({ engine }) {
      const version = await engine.runtime.version();
      assert.equal(version.runtimeApiVersion, 'v1');
      assert.notEqual(version.runtimeName, '');
      const conditions = await engine.runtime.status();
      assert.deepEqual(conditions.map(each => each.type).sort(), ['NetworkReady', 'RuntimeReady']);
      assert.ok(conditions.find(each => each.type === 'RuntimeReady')?.status);
    },
  },
  {
    title: 'a sandbox keeps its metadata, is listed by pod and state, and is gone when removed',
    async run(target) {
      const { runtime } = target.engine;
      const config = podConfig(target, 'sandbox-1');
      const id = await runtime.runPodSandbox(config, '');
      const status = await runtime.podSandboxStatus(id);
      assert.equal(status.state, 'READY');
      assert.deepEqual(status.metadata, config.metadata);
      assert.deepEqual([status.labels, status.annotations], [config.labels, config.annotations]);
      assert.ok(status.createdAtMs > 0);
      const listed = await runtime.listPodSandboxes({ podUid: 'sandbox-1', state: 'READY' });
      assert.deepEqual(
        listed.map(each => each.id),
        [id],
      );
      assert.deepEqual(await runtime.listPodSandboxes({ podUid: 'another' }), []);
      await runtime.stopPodSandbox(id);
      await runtime.stopPodSandbox(id);
      assert.equal((await runtime.podSandboxStatus(id)).state, 'NOTREADY');
      await runtime.removePodSandbox(id);
      await runtime.removePodSandbox(id);
      await assert.rejects(runtime.podSandboxStatus(id), { code: 'notFound' });
    },
  },
  {
    title: 'an unknown runtime handler is refused by name',
    async run(target) {
      const config = podConfig(target, 'handler');
      await assert.rejects(target.engine.runtime.runPodSandbox(config, 'no-such-handler'), /no-such-handler/);
    },
  },
  {
    title: 'stopping a sandbox ends its containers; removing it removes them; both are told as events',
    async run(target, commands) {
      const { runtime } = target.engine;
      const events = recordEvents(target.engine);
      const config = podConfig(target, 'sandbox-2');
      const id = await runtime.runPodSandbox(config, '');
      const container = await runContainer(target, id, config, commands.untilTerm(0));
      await runtime.stopPodSandbox(id);
      assert.equal((await runtime.containerStatus(container)).state, 'EXITED');
      await events.until(event => event.type === 'STOPPED' && event.containerId === container);
      await runtime.removePodSandbox(id);
      await assert.rejects(runtime.containerStatus(container), { code: 'notFound' });
      const deleted = await events.until(event => event.type === 'DELETED' && event.containerId === container);
      assert.equal(deleted.podUid, 'sandbox-2');
      assert.ok(events.seen.some(event => event.type === 'SANDBOX' && event.podSandboxId === id));
      events.stop();
    },
  },
  {
    title: 'no container can be made in a stopped sandbox',
    async run(target, commands) {
      await withPod(target, 'sandbox-3', async (id, config) => {
        await target.engine.runtime.stopPodSandbox(id);
        await assert.rejects(runContainer(target, id, config, commands.untilTerm(0)));
      });
    },
  },
];
