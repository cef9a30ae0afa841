/** The real kubectl against the server. Upstream: test/e2e/kubectl/kubectl.go. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { request } from 'node:http';
import { join } from 'node:path';
import { CoreV1Api } from '@kubernetes/client-node';
import { eventually } from '../support/kobune.ts';
import { newestKubectl, row, useSubject, whyNoKubectl } from './support/subject.ts';

const subject = useSubject();
const needsKubectl = { skip: whyNoKubectl() };
const image = 'registry.example.com/server:1';

async function run(args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await subject.kubectl(args, input);
  assert.equal(code, 0, stderr);
  return stdout;
}

row(
  '[sig-cli] Kubectl client Kubectl api-versions should check if v1 is in available api versions [Conformance]',
  async () => {
    const versions = (await run(['api-versions'])).trim().split('\n');
    for (const version of ['v1', 'apps/v1', 'batch/v1']) assert.ok(versions.includes(version));
  },
  needsKubectl,
);

row(
  '[sig-cli] Kubectl client Kubectl cluster-info should check if Kubernetes control plane services is included in cluster-info [Conformance]',
  async () => {
    const text = (await run(['cluster-info'])).replaceAll(/\x1b\[[\d;]*m/g, '');
    assert.ok(text.includes(`Kubernetes control plane is running at ${subject.url}`), text);
  },
  needsKubectl,
);

row(
  '[sig-cli] Kubectl client Kubectl version should check is all data is printed [Conformance]',
  async () => {
    const text = await run(['version']);
    assert.match(text, /Client Version: v\d\.\d+\.\S+/);
    assert.match(text, /Server Version: v1\.36\.\S+/);
  },
  needsKubectl,
);

row(
  '[sig-cli] Kubectl client Kubectl diff should check if kubectl diff finds a difference for Deployments [Conformance]',
  async () => {
    const namespace = await subject.namespace();
    const deployment = (of: string) =>
      JSON.stringify({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web' },
        spec: {
          replicas: 0,
          selector: { matchLabels: { app: 'web' } },
          template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: of }] } },
        },
      });
    await run(['create', '-n', namespace, '-f', '-'], deployment(image));
    const same = await subject.kubectl(['diff', '-n', namespace, '-f', '-'], deployment(image));
    assert.deepEqual([same.code, same.stdout], [0, '']);
    const other = 'registry.example.com/other:1';
    const { code, stdout } = await subject.kubectl(['diff', '-n', namespace, '-f', '-'], deployment(other));
    assert.equal(code, 1);
    assert.match(stdout, new RegExp(`^-.*image: ${image}$`, 'm'));
    assert.match(stdout, new RegExp(`^\\+.*image: ${other}$`, 'm'));
    await run(['delete', '-n', namespace, '-f', '-'], deployment(other));
  },
  needsKubectl,
);

row(
  '[sig-cli] Kubectl client Kubectl run pod should create a pod from an image when restart is Never [Conformance]',
  async () => {
    const namespace = await subject.namespace();
    await run(['run', 'once', '-n', namespace, '--restart=Never', `--image=${image}`]);
    const { spec } = await subject.api(CoreV1Api).readNamespacedPod({ name: 'once', namespace });
    assert.equal(spec!.restartPolicy, 'Never');
    assert.deepEqual(
      spec!.containers.map(each => each.image),
      [image],
    );
  },
  needsKubectl,
);

row(
  '[sig-cli] Kubectl client Kubectl server-side dry-run should check if kubectl can dry-run update Pods [Conformance]',
  async () => {
    const namespace = await subject.namespace();
    await run(['run', 'web', '-n', namespace, `--image=${image}`]);
    const before = await subject.api(CoreV1Api).readNamespacedPod({ name: 'web', namespace });
    const patch = JSON.stringify({ spec: { containers: [{ name: 'web', image: 'registry.example.com/other:1' }] } });
    const told = await run(['patch', 'pod', 'web', '-n', namespace, '-p', patch, '--dry-run=server']);
    assert.match(told, /pod\/web patched/);
    const after = await subject.api(CoreV1Api).readNamespacedPod({ name: 'web', namespace });
    assert.deepEqual(after, before);
    await run(['delete', 'pod', 'web', '-n', namespace, '--now']);
  },
  needsKubectl,
);

/** Runs `kubectl proxy` and asks it for /api, at the port that it tells or at a socket. */
async function throughProxy(args: readonly string[], socketPath?: string): Promise<any> {
  const environment = { ...process.env, KUBECONFIG: subject.kubeconfig };
  const proxy = spawn(newestKubectl()!, ['proxy', ...args], { env: environment });
  try {
    let told = '';
    proxy.stdout.setEncoding('utf8').on('data', text => (told += text));
    const port = await eventually('the proxy says where it listens', async () => {
      if (socketPath) return told.includes('Starting to serve on') ? 0 : undefined;
      return Number(/:(\d+)\s*$/.exec(told)?.[1] ?? Number.NaN) || undefined;
    });
    return await new Promise((resolve, reject) => {
      const where = socketPath ? { socketPath } : { host: '127.0.0.1', port };
      const outgoing = request({ ...where, path: '/api/' }, async incoming => {
        let text = '';
        for await (const chunk of incoming) text += chunk;
        resolve(JSON.parse(text));
      });
      outgoing.on('error', reject).end();
    });
  } finally {
    proxy.kill();
  }
}

row(
  '[sig-cli] Kubectl client Proxy server should support proxy with --port 0 [Conformance]',
  async () => {
    const { kind, versions } = await throughProxy(['--port', '0']);
    assert.deepEqual([kind, versions], ['APIVersions', ['v1']]);
  },
  needsKubectl,
);

row(
  '[sig-cli] Kubectl client Proxy server should support --unix-socket=/path [Conformance]',
  async () => {
    const path = join(subject.kubeconfig, '..', 'proxy.sock');
    const { versions } = await throughProxy([`--unix-socket=${path}`], path);
    assert.deepEqual(versions, ['v1']);
  },
  needsKubectl,
);
