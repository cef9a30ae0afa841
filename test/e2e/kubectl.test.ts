/**
 * kubectl as people use it, in several of its versions: editing, watching, following logs, terminals, roll-outs. The
 * commands that only read and change objects once are in guestbook.test.ts.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  eventually,
  type Kobune,
  kubectls,
  promisedKubectls,
  startKobune,
  whyNoContainers,
} from '../support/kobune.ts';
import type { Output } from '../support/program.ts';
import { openTerminal, type Terminal, whyNoTerminal } from '../support/terminal.ts';

const skip = whyNoContainers() ?? (kubectls().size === 0 ? 'there is no kubectl on this machine' : false);
if (skip) console.log(`kubectl: skipped, ${skip}`);
const noTerminal = whyNoTerminal();
if (noTerminal) console.log(`kubectl with a terminal: skipped, ${noTerminal}`);

const versions = promisedKubectls();
const image = 'localhost/node:host';
/** Says its terminal's size, at the start and whenever that changes; ends with code 7 when told so. */
const program = `
  const say = () => console.log("size " + process.stdout.columns + "x" + process.stdout.rows + " tty " + !!process.stdin.isTTY);
  say();
  process.stdout.on("resize", say);
  process.stdin.on("data", text => { console.log("heard " + String(text).trim()); if (/quit/.test(text)) process.exit(7); });
`;

const manifest = (replicas: number): string =>
  JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'app', labels: { app: 'app' } },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'app' } },
      template: {
        metadata: { labels: { app: 'app' } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [{ name: 'main', image, command: ['node', '-e', 'setInterval(()=>{},1e6)'] }],
        },
      },
    },
  });

const talker = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'talker', labels: { app: 'talker' } },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [
      { name: 'fast', image, command: ['node', '-e', 'let n=0;setInterval(()=>console.log("tick "+n++),200)'] },
      { name: 'slow', image, command: ['node', '-e', 'console.log("from slow");setInterval(()=>{},1e6)'] },
      {
        name: 'tty',
        image,
        tty: true,
        stdin: true,
        command: ['node', '-e', program.replace('process.exit(7)', 'console.log("no")')],
      },
    ],
  },
};

describe('kubectl as people use it', { skip }, () => {
  let kobune: Kobune;
  before(async () => {
    kobune = await startKobune();
    for (const tag of [image, 'localhost/node:second']) {
      const made = await kobune.cli('image', 'build-from-host', '--tag', tag);
      assert.equal(made.code, 0, made.stderr);
    }
    const made = await kobune.kubectl(['apply', '-f', '-'], { input: JSON.stringify(talker) });
    assert.equal(made.code, 0, made.stderr);
    await kobune.kubectl(['wait', 'pod/talker', '--for=condition=Ready', '--timeout=60s']);
  });
  after(() => kobune?.[Symbol.asyncDispose]());

  for (const [version, path] of versions) {
    describe(`kubectl ${version}`, () => {
      const namespace = `v${version.replace('.', '-')}`;
      const env = (): NodeJS.ProcessEnv => ({ ...process.env, KUBECONFIG: kobune.kubeconfig, HOME: kobune.directory });
      const run = (args: readonly string[], input?: string): Promise<Output> =>
        kobune.kubectl(['-n', namespace, ...args], { path, ...(input !== undefined && { input }) });
      const k = async (...args: string[]): Promise<string> => {
        const { code, stdout, stderr } = await run(args);
        assert.equal(code, 0, `kubectl ${args.join(' ')}: ${stderr}\n${stdout}`);
        return stdout;
      };
      const talk = (...args: string[]): Promise<string> => k('logs', '-n', 'default', ...args);
      const terminal = (...args: string[]): Promise<Terminal> =>
        openTerminal([path, ...args], { env: env(), rows: 33, columns: 101 });
      /** Runs a kubectl that does not end by itself; `text()` is what it has printed. */
      const following = (...args: string[]): { child: ChildProcess; text(): string; stop(): Promise<void> } => {
        const child = spawn(path, ['-n', namespace, ...args], { env: env(), stdio: ['pipe', 'pipe', 'inherit'] });
        const exit = once(child, 'exit');
        let text = '';
        child.stdout.setEncoding('utf8').on('data', chunk => (text += chunk));
        const stop = async (): Promise<void> => {
          child.kill('SIGINT');
          await exit;
        };
        return { child, text: () => text, stop };
      };
      const until = (what: string, text: () => string, expected: RegExp): Promise<true> =>
        eventually(`${what} matches ${expected}`, async () => (expected.test(text()) ? true : undefined));

      before(async () => {
        const made = await kobune.kubectl(['create', 'namespace', namespace], { path });
        assert.equal(made.code, 0, made.stderr);
      });

      test('apply, diff, edit, create -f, delete -f', async () => {
        const file = join(kobune.directory, `${namespace}.json`);
        writeFileSync(file, manifest(1));
        assert.equal((await run(['diff', '-f', file])).code, 1, 'what is new differs');
        assert.equal(await k('apply', '-f', file), 'deployment.apps/app created\n');
        assert.equal(await k('apply', '-f', file), 'deployment.apps/app unchanged\n');
        assert.equal((await run(['diff', '-f', file])).code, 0);
        writeFileSync(file, manifest(2));
        const differs = await run(['diff', '-f', file]);
        assert.equal(differs.code, 1);
        assert.match(differs.stdout, /^-\s+replicas: 1\n\+\s+replicas: 2$/m);
        assert.equal(await k('apply', '-f', file), 'deployment.apps/app configured\n');
        const edit = async (command: string): Promise<Output> =>
          kobune.kubectl(['-n', namespace, 'edit', 'deployment', 'app'], { path, env: { KUBE_EDITOR: command } });
        const edited = await edit('sed -i s/replicas:\\ 2/replicas:\\ 1/');
        assert.equal(edited.code, 0, edited.stderr);
        assert.match(edited.stdout, /^deployment\.apps\/app edited$/m);
        assert.equal(await k('get', 'deployment', 'app', '-o', 'jsonpath={.spec.replicas}'), '1');
        assert.match((await edit('true')).stdout + (await edit('true')).stderr, /Edit cancelled, no changes made/);
        const configMap = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"a":"1"}}';
        assert.equal((await run(['create', '-f', '-'], configMap)).stdout, 'configmap/c created\n');
        assert.match(
          (await run(['create', '-f', '-'], configMap)).stderr,
          /AlreadyExists.*configmaps "c" already exists/,
        );
        assert.equal(
          (await run(['delete', '-f', '-'], configMap)).stdout,
          'configmap "c" deleted\n'.replace('" d', '" d'),
        );
      });

      test('get -w shows changes as they come', async () => {
        const watching = following('get', 'configmaps', '-w', '-o', 'custom-columns=N:.metadata.name,A:.data.a');
        const only = following('get', 'configmaps', '--watch-only', '-o', 'name', '-l', 'watched=yes');
        try {
          await until('the list', watching.text, /kube-root-ca\.crt/);
          await k('create', 'configmap', 'seen', '--from-literal=a=1');
          await until('the watch', watching.text, /^seen\s+1$/m);
          await k('patch', 'configmap', 'seen', '-p', '{"data":{"a":"2"}}');
          await until('the watch', watching.text, /^seen\s+2$/m);
          await k('label', 'configmap', 'seen', 'watched=yes');
          await until('the watch by selector', only.text, /^configmap\/seen$/m);
          assert.doesNotMatch(only.text(), /kube-root-ca/);
        } finally {
          await watching.stop();
          await only.stop();
        }
      });

      test('logs: --tail, --since, --since-time, --timestamps, -c, -f, of a label, of all containers', async () => {
        assert.match(await talk('talker', '-c', 'fast', '--tail=2'), /^(tick \d+\n){2,4}$/);
        assert.equal(await talk('talker', '-c', 'slow'), 'from slow\n');
        assert.match(
          await talk('talker', '-c', 'slow', '--timestamps'),
          /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z from slow\n$/,
        );
        const recent = (await talk('talker', '-c', 'fast', '--since=1s')).trim().split('\n');
        assert.ok(recent.length >= 2 && recent.length <= 8, `${recent.length} lines in a second`);
        assert.equal(await talk('talker', '-c', 'slow', `--since-time=${new Date().toISOString()}`), '');
        assert.match(await talk('-l', 'app=talker', '-c', 'slow', '--prefix'), /^\[pod\/talker\/slow\] from slow$/m);
        assert.match(await talk('talker', '--all-containers', '--tail=1'), /from slow/);
        const unnamed = await run(['logs', '-n', 'default', 'talker', '-c', 'none']);
        assert.match(unnamed.stderr, /container none is not valid for pod talker/);
        const tail = following('logs', '-n', 'default', '-f', '--tail=1', 'talker', '-c', 'fast');
        try {
          await until('the log', tail.text, /^(tick \d+\n){4}/);
        } finally {
          await tail.stop();
        }
      });

      test('exec: arguments, standard input to its end, exit codes', async () => {
        const exec = (...args: string[]): Promise<Output> =>
          run(['exec', '-n', 'default', 'talker', '-c', 'slow', ...args]);
        assert.equal((await exec('--', 'sh', '-c', 'echo out; echo err >&2; exit 5')).code, 5);
        const both = await exec('--', 'sh', '-c', 'echo out; echo err >&2');
        assert.deepEqual([both.stdout, both.stderr.trim()], ['out\n', 'err']);
        const piped = await run(['exec', '-i', '-n', 'default', 'talker', '-c', 'slow', '--', 'cat'], 'a\nb');
        assert.equal(piped.stdout, 'a\nb');
        assert.match((await exec('--', '/none')).stderr, /"\/none".*no such file or directory/);
      });

      test('exec with a terminal: its size, a window that is resized, typing, exit code', {
        skip: noTerminal ?? false,
      }, async () => {
        await using shell = await terminal(
          'exec',
          '-it',
          '-n',
          'default',
          'talker',
          '-c',
          'slow',
          '--',
          'node',
          '-e',
          program,
        );
        await shell.until(/size 101x33 tty true/);
        shell.resize(44, 120);
        await shell.until(/size 120x44 tty true/);
        shell.type('hello\r');
        await shell.until(/heard hello/);
        shell.type('quit\r');
        assert.equal(await shell.ended(), 7);
      });

      test('a shell on a terminal: prompt, Ctrl-C, Ctrl-D', { skip: noTerminal ?? false }, async () => {
        await using shell = await terminal('exec', '-it', '-n', 'default', 'talker', '-c', 'slow', '--', 'sh');
        await shell.until(/[#$] /);
        shell.type('echo $((6*7))\r');
        await shell.until(/^42\r?$/m);
        shell.type('sleep 1000\r');
        await shell.until(/sleep 1000\r?\n/);
        shell.type('\x03');
        shell.type('echo code $?\r');
        await shell.until(/code 130/);
        shell.type('\x04');
        assert.equal(await shell.ended(), 0);
      });

      test('attach: output of a container, and its terminal', { skip: noTerminal ?? false }, async () => {
        const plain = following('attach', '-n', 'default', 'talker', '-c', 'fast');
        try {
          await until('attach', plain.text, /tick \d+\n/);
        } finally {
          await plain.stop();
        }
        await using screen = await terminal('attach', '-it', '-n', 'default', 'talker', '-c', 'tty');
        await screen.until(/size 101x33 tty true/);
        screen.type(`by ${version}\r`);
        await screen.until(new RegExp(`heard by ${version}`));
        screen.resize(24, 90);
        await screen.until(/size 90x24/);
      });

      test('run --rm -it: a terminal for the length of a pod', { skip: noTerminal ?? false }, async () => {
        const flags = ['-n', namespace, 'run', 'once', '--rm', '-it', '--restart=Never', `--image=${image}`];
        await using shell = await terminal(...flags, '--command', '--', 'node', '-e', program);
        await shell.until(/size \d+x\d+ tty true|press(ing)? enter/);
        shell.type('quit\r');
        await shell.until(/pod "once" deleted/);
        assert.equal(await k('get', 'pods', '-l', 'run=once', '-o', 'name'), '');
      });

      test('a client that is killed while it streams harms nobody', async () => {
        const streams = [
          ['logs', '-n', 'default', '-f', 'talker', '-c', 'fast'],
          ['exec', '-i', '-n', 'default', 'talker', '-c', 'slow', '--', 'cat', '/dev/zero'],
          ['attach', '-n', 'default', 'talker', '-c', 'fast'],
          ['port-forward', '-n', 'default', 'talker', ':80'],
          ['get', 'pods', '-w', '-A'],
        ].map(args => following(...args));
        for (const [number, stream] of streams.entries()) {
          await eventually(`stream ${number} flows`, async () => (stream.text() === '' ? undefined : true));
          const exit = once(stream.child, 'exit');
          stream.child.kill('SIGKILL');
          await exit;
        }
        await k('get', '--raw', '/readyz');
        assert.equal(await k('get', 'pod', '-n', 'default', 'talker', '-o', 'jsonpath={.status.phase}'), 'Running');
      });

      test('rollout restart, set image, status, history, undo, pause and resume', async () => {
        await k('rollout', 'status', 'deployment/app', '--timeout=60s');
        assert.equal(await k('rollout', 'restart', 'deployment/app'), 'deployment.apps/app restarted\n');
        assert.match(await k('rollout', 'status', 'deployment/app', '--timeout=60s'), /successfully rolled out/);
        const annotation = 'jsonpath={.spec.template.metadata.annotations.kubectl\\.kubernetes\\.io/restartedAt}';
        assert.match(await k('get', 'deployment', 'app', '-o', annotation), /^\d{4}-/);
        assert.match(await k('set', 'image', 'deployment/app', 'main=localhost/node:second'), /image updated/);
        await k('rollout', 'status', 'deployment/app', '--timeout=60s');
        const imageOf = (): Promise<string> =>
          k('get', 'deployment', 'app', '-o', 'jsonpath={.spec.template.spec.containers[0].image}');
        assert.equal(await imageOf(), 'localhost/node:second');
        assert.match(await k('rollout', 'history', 'deployment/app'), /^1 .*\n2 .*\n3 /m);
        assert.match(
          await k('rollout', 'history', 'deployment/app', '--revision=3'),
          /Image:\s+localhost\/node:second/,
        );
        await k('rollout', 'undo', 'deployment/app', '--to-revision=1');
        await k('rollout', 'status', 'deployment/app', '--timeout=60s');
        assert.equal(await imageOf(), image);
        assert.equal(await k('get', 'deployment', 'app', '-o', annotation), '');
        await k('rollout', 'pause', 'deployment/app');
        assert.equal(await k('get', 'deployment', 'app', '-o', 'jsonpath={.spec.paused}'), 'true');
        await k('rollout', 'resume', 'deployment/app');
      });

      test('expose, auth can-i, cp, cordon', async () => {
        await k('expose', 'deployment', 'app', '--port=80', '--target-port=8080', '--name=front');
        assert.equal(
          await k(
            'get',
            'service',
            'front',
            '-o',
            'jsonpath={.spec.selector.app} {.spec.ports[0].port} {.spec.ports[0].targetPort}',
          ),
          'app 80 8080',
        );
        assert.equal(await k('auth', 'can-i', 'delete', 'nodes'), 'yes\n');
        const refused = await run(['auth', 'can-i', 'list', 'secrets', '--as=system:serviceaccount:default:default']);
        assert.deepEqual([refused.code, refused.stdout], [1, 'no\n']);
        assert.match(await k('auth', 'can-i', '--list'), /^\*\.\*\s+\[\]\s+\[\]\s+\[\*\]$/m);
        const local = join(kobune.directory, `cp-${namespace}`);
        mkdirSync(local);
        writeFileSync(join(local, 'a.txt'), 'copied');
        await k('cp', join(local, 'a.txt'), `default/talker:/tmp/${namespace}.txt`, '-c', 'slow');
        await k('cp', `default/talker:/tmp/${namespace}.txt`, join(local, 'b.txt'), '-c', 'slow');
        assert.equal(readFileSync(join(local, 'b.txt'), 'utf8'), 'copied');
        const [node = ''] = (await k('get', 'nodes', '-o', 'name')).trim().split('\n');
        await k('cordon', node);
        assert.match(await k('get', 'nodes'), /Ready,SchedulingDisabled/);
        await k('uncordon', node);
        await k('delete', 'namespace', namespace, '--wait=false');
      });
    });
  }
});
