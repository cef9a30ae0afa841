/**
 * The slice, as a user meets it: real kubectl, real manifests, real containers. One cluster for the file; the demo's
 * manifests, then each kubectl of the machine through its commands, then a server killed while containers run.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  eventually,
  type Kobune,
  kubectls,
  type Output,
  promisedKubectls,
  startKobune,
  whyNoContainers,
} from '../support/kobune.ts';

const manifests = resolve(import.meta.dirname, '..', '..', 'examples', 'guestbook');
const skip = whyNoContainers() ?? (kubectls().size === 0 ? 'there is no kubectl on this machine' : false);
if (skip) console.log(`end to end: skipped, ${skip}`);

describe('a guestbook on one machine', { skip }, () => {
  let kobune: Kobune;
  const ok = async (output: Promise<Output>): Promise<string> => {
    const { code, stdout, stderr } = await output;
    assert.equal(code, 0, `${stderr}\n${stdout}`);
    return stdout;
  };
  const kubectl = (...args: string[]): Promise<string> => ok(kobune.kubectl(['-n', 'guestbook', ...args]));
  const serviceUrl = async (): Promise<string> =>
    `http://${await kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}')}`;
  const entries = async (): Promise<Array<{ message: string }>> =>
    (await fetch(`${await serviceUrl()}/entries`, { signal: AbortSignal.timeout(5000) })).json() as never;
  const sign = async (message: string): Promise<number> => {
    const response = await fetch(`${await serviceUrl()}/entries`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'test', message }),
      signal: AbortSignal.timeout(5000),
    });
    return response.status;
  };

  before(async () => {
    kobune = await startKobune();
    await ok(kobune.cli('image', 'build-from-host', '--tag', 'localhost/node:host'));
  });
  after(async () => {
    await kobune?.[Symbol.asyncDispose]();
    const left = readdirSync('/sys/class/net').filter(name => /^kb\d+(node|p)/.test(name));
    if (kobune) assert.equal(existsSync(kobune.directory), false);
    console.log(`interfaces of other clusters left alone: ${left.join(' ') || 'none'}`);
  });

  test('plain manifests become a page that keeps entries, through Service and DNS', async () => {
    await ok(kobune.kubectl(['apply', '-f', manifests]));
    await kubectl('rollout', 'status', 'deployment/store', '--timeout=60s');
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
    assert.equal(await eventually('the Service answers', () => sign('first').catch(() => undefined)), 201);
    assert.deepEqual(
      (await entries()).map(entry => entry.message),
      ['first'],
    );
    assert.match(await (await fetch(await serviceUrl())).text(), /<li><b>test<\/b>: first<\/li>/);
  });

  test('a node port answers on the node address', async () => {
    const port = await kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.ports[0].nodePort}');
    const address = await kubectl(
      'get',
      'nodes',
      '-o',
      'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}',
    );
    const response = await fetch(`http://${address}:${port}/healthz`, { signal: AbortSignal.timeout(5000) });
    assert.equal(await response.text(), 'ok\n');
  });

  for (const [version, path] of promisedKubectls()) {
    test(`kubectl ${version}: reading, changing, streaming`, async () => {
      const k = (...args: string[]): Promise<string> => ok(kobune.kubectl(['-n', 'guestbook', ...args], { path }));
      const name = `v${version.replace('.', '-')}`;
      assert.match(await k('version', '-o', 'json'), /"gitVersion": "v1\.36/);
      assert.match(await k('api-resources'), /deployments\s+deploy/);
      assert.match(await k('get', 'pods', '-o', 'wide'), /10\.\d+\.\d+\.\d+/);
      assert.match(await k('get', 'pods', '-l', 'tier=web', '-o', 'custom-columns=N:.metadata.name'), /^N\nweb-/);
      assert.match(await k('describe', 'deployment', 'web'), /2 desired \| 2 updated/);
      const pod = await k('get', 'pods', '-l', 'tier=web', '-o', 'jsonpath={.items[0].metadata.name}');
      assert.match(await k('logs', pod, '--tail=5', '--timestamps'), /Z web: listening on 8080/);
      assert.equal(await k('exec', pod, '--', 'sh', '-c', 'echo $((6 * 7))'), '42\n');
      const input = 'x'.repeat(100_000);
      const echoed = await kobune.kubectl(['-n', 'guestbook', 'exec', '-i', pod, '--', 'cat'], { path, input });
      assert.equal(echoed.stdout.length, input.length);
      const failing = await kobune.kubectl(['-n', 'guestbook', 'exec', pod, '--', 'sh', '-c', 'exit 3'], { path });
      assert.equal(failing.code, 3);
      await k('create', 'configmap', name, '--from-literal=a=1');
      await k('label', 'configmap', name, 'made-by=test');
      await k('annotate', 'configmap', name, 'note=x');
      await k('patch', 'configmap', name, '--type=merge', '-p', '{"data":{"b":"2"}}');
      await k('patch', 'configmap', name, '--type=json', '-p', '[{"op":"replace","path":"/data/a","value":"3"}]');
      assert.equal(
        await k('get', 'configmap', name, '-o', 'jsonpath={.data.a}{.data.b}{.metadata.labels.made-by}'),
        '32test',
      );
      await k('delete', 'configmap', name);
      assert.match(await k('auth', 'can-i', 'create', 'pods'), /yes/);
      assert.match(await k('get', '--raw', '/readyz'), /ok/);
      assert.match(await k('get', 'events'), /Scheduled/);
      await forwarded(path);
    });
  }

  /** `kubectl port-forward` on a free local port, asked once. */
  const forwarded = async (path: string): Promise<void> => {
    const child = spawn(path, ['-n', 'guestbook', 'port-forward', 'service/web', ':80'], {
      env: { ...process.env, KUBECONFIG: kobune.kubeconfig },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const port = await new Promise<string>((resolvePort, reject) => {
        let text = '';
        child.stdout.on('data', chunk => {
          text += chunk;
          const found = text.match(/127\.0\.0\.1:(\d+)/)?.[1];
          if (found) resolvePort(found);
        });
        child.once('exit', code => reject(new Error(`port-forward ended with ${code}`)));
      });
      const response = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(5000) });
      assert.equal(await response.text(), 'ok\n');
    } finally {
      child.kill();
    }
  };

  test('rollout: a new template, history, undo', async () => {
    await kubectl('set', 'env', 'deployment/web', 'ROUND=2');
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
    assert.match(await kubectl('rollout', 'history', 'deployment/web'), /2\s+<none>/);
    await kubectl('rollout', 'undo', 'deployment/web');
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
    assert.equal(
      await kubectl(
        'get',
        'deployment',
        'web',
        '-o',
        'jsonpath={.spec.template.spec.containers[0].env[?(@.name=="ROUND")].value}',
      ),
      '',
    );
    await kubectl('scale', 'deployment/web', '--replicas=3');
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
    assert.equal(await kubectl('get', 'deployment', 'web', '-o', 'jsonpath={.status.readyReplicas}'), '3');
  });

  test('run, wait, expose, diff, strategic patch, logs --previous', async () => {
    const run = ['run', 'tool', '--image=localhost/node:host', '--labels=app=tool', '--command', '--', 'sleep', '1000'];
    await kubectl(...run);
    await kubectl('wait', 'pod/tool', '--for=condition=Ready', '--timeout=30s');
    await kubectl('expose', 'pod', 'tool', '--port=80', '--name=tool');
    assert.match(await kubectl('get', 'service', 'tool', '-o', 'jsonpath={.spec.selector.app}'), /^tool$/);
    assert.match(await kubectl('explain', 'deployment.spec.replicas'), /replicas/);
    await kubectl('scale', 'deployment/web', '--replicas=2');
    const same = await kobune.kubectl(['diff', '-f', manifests]);
    assert.equal(same.code, 0, same.stdout);
    await kubectl(
      'patch',
      'deployment',
      'web',
      '-p',
      '{"spec":{"template":{"spec":{"containers":[{"name":"web","tty":false}]}}}}',
    );
    const lookup = [
      'exec',
      'tool',
      '--',
      'node',
      '-e',
      'require("dns").lookup("store",(e,a)=>console.log(e?.code??a))',
    ];
    assert.match(await kubectl(...lookup), /^10\.\d+\.\d+\.\d+\n$/);
    await kubectl(
      'create',
      'deployment',
      'flaky',
      '--image=localhost/node:host',
      '--',
      'sh',
      '-c',
      'echo once; exit 1',
    );
    await eventually('the flaky container was started again', async () => {
      const path = 'jsonpath={.items[*].status.containerStatuses[0].restartCount}';
      return Number(await kubectl('get', 'pods', '-l', 'app=flaky', '-o', path)) >= 1 ? true : undefined;
    });
    assert.match(await kubectl('logs', 'deployment/flaky', '--previous'), /once/);
    await kubectl('delete', 'deployment/flaky', 'pod/tool', 'service/tool', '--grace-period=1');
  });

  test('kill -9 of the server: containers go on, are adopted, and nothing acknowledged is lost', async () => {
    const before = await kubectl(
      'get',
      'pods',
      '-o',
      'jsonpath={range .items[*]}{.status.containerStatuses[0].containerID}{"\\n"}{end}',
    );
    await kubectl('create', 'configmap', 'acknowledged', '--from-literal=a=1');
    const url = await serviceUrl();
    process.kill(kobune.pid(), 'SIGKILL');
    await eventually('the page answers without a server', async () => {
      const response = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(2000) }).catch(() => undefined);
      return response?.ok ? true : undefined;
    });
    await ok(kobune.cli('up'));
    assert.equal(await kubectl('get', 'configmap', 'acknowledged', '-o', 'jsonpath={.data.a}'), '1');
    const after = await kubectl(
      'get',
      'pods',
      '-o',
      'jsonpath={range .items[*]}{.status.containerStatuses[0].containerID}{"\\n"}{end}',
    );
    assert.equal(after, before);
    assert.equal(await eventually('the Service answers', () => sign('after the crash').catch(() => undefined)), 201);
    const messages = (await entries()).map(entry => entry.message);
    assert.ok(messages.includes('first') && messages.includes('after the crash'), join(...messages));
  });

  test('deleting the namespace empties it', async () => {
    await ok(kobune.kubectl(['delete', 'namespace', 'guestbook', '--timeout=90s'], { timeoutMs: 100_000 }));
    const { stdout } = await kobune.kubectl(['get', 'pods', '-A', '-o', 'name']);
    assert.equal(stdout, '');
  });
});
