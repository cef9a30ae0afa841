/** What a kubelet relies on of containers: states, ends, logs, stopping. */
import assert from 'node:assert/strict';
import { readFile, rename } from 'node:fs/promises';
import { CriError } from '../contract.ts';
import type { SuiteCase } from './index.ts';
import { containerConfig, recordEvents, runContainer, untilExited, withPod } from './pods.ts';

const logLine = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(?:Z|[+-]\d\d:\d\d) (stdout|stderr) ([FP]) (.*)$/;

export const containerTests: readonly SuiteCase[] = [
  {
    title: 'a container goes from created to running to exited, each told once and in order',
    async run(target, commands) {
      const { runtime } = target.engine;
      await withPod(target, 'life', async (sandbox, pod) => {
        const events = recordEvents(target.engine);
        const id = await runtime.createContainer(sandbox, containerConfig(target, commands.untilTerm(7)), pod);
        const created = await runtime.containerStatus(id);
        assert.deepEqual([created.state, created.startedAtMs, created.finishedAtMs], ['CREATED', 0, 0]);
        assert.deepEqual(created.labels, { container: 'main' });
        assert.equal(created.podSandboxId, sandbox);
        await runtime.startContainer(id);
        const running = await runtime.containerStatus(id);
        assert.equal(running.state, 'RUNNING');
        assert.equal(running.reason, '');
        assert.ok(running.startedAtMs >= running.createdAtMs && running.createdAtMs > 0);
        const listed = await runtime.listContainers({ podSandboxId: sandbox, state: 'RUNNING' });
        assert.deepEqual(
          listed.map(each => each.id),
          [id],
        );
        await target.settled?.(id);
        await runtime.stopContainer(id, 10_000);
        const exited = await runtime.containerStatus(id);
        assert.deepEqual([exited.state, exited.exitCode, exited.reason], ['EXITED', 7, 'Error']);
        assert.ok(exited.finishedAtMs >= exited.startedAtMs);
        await events.until(event => event.type === 'STOPPED' && event.containerId === id);
        assert.deepEqual(
          events.seen.filter(event => event.containerId === id).map(event => event.type),
          ['CREATED', 'STARTED', 'STOPPED'],
        );
        events.stop();
      });
    },
  },
  {
    title: 'exit code 0 is Completed, any other is Error',
    async run(target, commands) {
      await withPod(target, 'codes', async (sandbox, pod) => {
        for (const code of [0, 1, 42]) {
          const change = { metadata: { name: `exit-${code}`, attempt: 0 } };
          const id = await runContainer(target, sandbox, pod, commands.exiting(code), change);
          const status = await untilExited(target.engine, id);
          assert.deepEqual([status.exitCode, status.reason], [code, code === 0 ? 'Completed' : 'Error']);
        }
      });
    },
  },
  {
    title: 'a container that ignores SIGTERM is killed when its time is over, with 137',
    async run(target, commands) {
      const { runtime } = target.engine;
      await withPod(target, 'stubborn', async (sandbox, pod) => {
        const id = await runContainer(target, sandbox, pod, commands.ignoringTerm());
        await runtime.stopContainer(id, 200);
        const status = await runtime.containerStatus(id);
        assert.deepEqual([status.state, status.exitCode], ['EXITED', 137]);
        await runtime.stopContainer(id, 200);
      });
    },
  },
  {
    title: 'a missing command fails at start, with 128 and StartError',
    async run(target, commands) {
      const { runtime } = target.engine;
      await withPod(target, 'missing', async (sandbox, pod) => {
        const config = containerConfig(target, commands.missing());
        const id = await runtime.createContainer(sandbox, config, pod);
        await assert.rejects(runtime.startContainer(id), (error: unknown) => {
          assert.ok(error instanceof CriError);
          assert.equal(error.code, 'startFailed');
          assert.match(error.message, /executable file not found in \$PATH|no such file or directory/);
          return true;
        });
        const status = await runtime.containerStatus(id);
        assert.deepEqual([status.state, status.exitCode, status.reason], ['EXITED', 128, 'StartError']);
        assert.notEqual(status.message, '');
      });
    },
  },
  {
    title: 'a removed container is forgotten; removing it again is no error',
    async run(target, commands) {
      const { runtime } = target.engine;
      await withPod(target, 'removed', async (sandbox, pod) => {
        const id = await runContainer(target, sandbox, pod, commands.ignoringTerm());
        await runtime.removeContainer(id);
        await runtime.removeContainer(id);
        await assert.rejects(runtime.containerStatus(id), { code: 'notFound' });
        assert.deepEqual(await runtime.listContainers({ podSandboxId: sandbox }), []);
      });
    },
  },
  {
    title: 'a container cannot be started twice, nor made in a sandbox or of an image that is not there',
    async run(target, commands) {
      const { runtime } = target.engine;
      await withPod(target, 'twice', async (sandbox, pod) => {
        const id = await runContainer(target, sandbox, pod, commands.untilTerm(0));
        await assert.rejects(runtime.startContainer(id), { code: 'invalid' });
        const config = containerConfig(target, commands.untilTerm(0));
        await assert.rejects(runtime.createContainer('no-such-sandbox', config, pod), { code: 'notFound' });
        const imageless = { ...config, image: 'localhost/no-such-image:1' };
        await assert.rejects(runtime.createContainer(sandbox, imageless, pod), { code: 'notFound' });
      });
    },
  },
  {
    title: 'the log holds both streams in CRI format, and is opened anew on request',
    async run(target, commands) {
      if (target.logDirectory === undefined) return;
      const { runtime } = target.engine;
      await withPod(target, 'log', async (sandbox, pod) => {
        const id = await runContainer(target, sandbox, pod, commands.printing('to out', 'to err'));
        const { logPath } = await untilExited(target.engine, id);
        assert.equal(logPath, `${pod.logDirectory}/main/0.log`);
        const lines = (await readFile(logPath, 'utf8')).trimEnd().split('\n');
        const parsed = lines.map(line => logLine.exec(line)?.slice(1).join('|')).sort();
        assert.deepEqual(parsed, ['stderr|F|to err', 'stdout|F|to out']);
        const change = { metadata: { name: 'second', attempt: 0 }, logPath: 'second/0.log' };
        const second = await runContainer(target, sandbox, pod, commands.untilTerm(0), change);
        const path = (await runtime.containerStatus(second)).logPath;
        await rename(path, `${path}.1`);
        await runtime.reopenContainerLog(second);
        assert.equal(await readFile(path, 'utf8'), '');
      });
    },
  },
  {
    title: 'resources of a running container can be changed; stats are given for it',
    async run(target, commands) {
      const { runtime } = target.engine;
      await withPod(target, 'resources', async (sandbox, pod) => {
        const resources = { cpuShares: 128, memoryLimitBytes: 64 * 1024 * 1024 };
        const id = await runContainer(target, sandbox, pod, commands.untilTerm(0), { resources });
        await runtime.updateContainerResources(id, { cpuShares: 256, memoryLimitBytes: 96 * 1024 * 1024 });
        const [stats] = await runtime.listContainerStats({ podSandboxId: sandbox });
        assert.equal(stats?.id, id);
        assert.ok(stats.memoryUsageBytes >= 0 && stats.cpuUsageCoreNanoSeconds >= 0);
      });
    },
  },
];
