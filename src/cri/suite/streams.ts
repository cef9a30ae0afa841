/** What a kubelet relies on of exec and attach. */
import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import type { SuiteCase } from './index.ts';
import { runContainer, withPod } from './pods.ts';

export const streamTests: readonly SuiteCase[] = [
  {
    title: 'execSync collects both outputs and the exit code',
    async run(target, commands) {
      const { runtime } = target.engine;
      await withPod(target, 'exec-sync', async (sandbox, pod) => {
        const id = await runContainer(target, sandbox, pod, commands.untilTerm(0));
        const printed = await runtime.execSync(id, commands.printing('one', 'two'), 10_000);
        assert.deepEqual([String(printed.stdout), String(printed.stderr), printed.exitCode], ['one\n', 'two\n', 0]);
        assert.equal((await runtime.execSync(id, commands.exiting(3), 10_000)).exitCode, 3);
      });
    },
  },
  {
    title: 'execSync gives up after its time; a missing command is told apart',
    async run(target, commands) {
      const { runtime } = target.engine;
      await withPod(target, 'exec-time', async (sandbox, pod) => {
        const id = await runContainer(target, sandbox, pod, commands.untilTerm(0));
        await assert.rejects(runtime.execSync(id, commands.ignoringTerm(), 200), { code: 'timeout' });
        await assert.rejects(runtime.execSync(id, commands.missing(), 10_000), { code: 'startFailed' });
      });
    },
  },
  {
    title: 'exec takes input, gives output, and answers the exit code',
    async run(target, commands) {
      const { runtime } = target.engine;
      await withPod(target, 'exec', async (sandbox, pod) => {
        const id = await runContainer(target, sandbox, pod, commands.untilTerm(0));
        const streams = { stdin: true, stdout: true, stderr: false, tty: false };
        const session = await runtime.openExec({ containerId: id, command: commands.echoing(), ...streams });
        assert.equal(session.stderr, undefined);
        const large = 'x'.repeat(300_000);
        const output = text(session.stdout!);
        session.stdin!.end(`hello ${large}`);
        assert.equal(await output, `hello ${large}`);
        assert.equal(await session.exit, 0);
      });
    },
  },
  {
    title: 'nothing can be executed in a container that does not run',
    async run(target, commands) {
      const { runtime } = target.engine;
      await withPod(target, 'exec-dead', async (sandbox, pod) => {
        const id = await runContainer(target, sandbox, pod, commands.untilTerm(0));
        await runtime.stopContainer(id, 10_000);
        await assert.rejects(runtime.execSync(id, commands.exiting(0), 1000), { code: 'invalid' });
        await assert.rejects(runtime.execSync('no-such-container', commands.exiting(0), 1000), { code: 'notFound' });
      });
    },
  },
  {
    title: 'attach speaks to the container itself and ends with it',
    async run(target, commands) {
      const { runtime } = target.engine;
      await withPod(target, 'attach', async (sandbox, pod) => {
        const change = { stdin: true, stdinOnce: true };
        const id = await runContainer(target, sandbox, pod, commands.echoing(), change);
        const streams = { stdin: true, stdout: true, stderr: true, tty: false };
        const session = await runtime.openAttach({ containerId: id, ...streams });
        const outputs = Promise.all([text(session.stdout!), text(session.stderr!)]);
        session.stdin!.end('to the container\n');
        assert.deepEqual(await outputs, ['to the container\n', '']);
        assert.equal(await session.exit, 0);
      });
    },
  },
];
