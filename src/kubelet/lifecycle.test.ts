import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { SteppedClock } from '#base';
import { CriError } from '#cri';
import type { ContainerScript } from '#cri/fake';
import { loadTokenKeys } from '#pki';
import type { ContainerStateView, Pod } from './api-objects.ts';
import { resources } from './resources.ts';
import { type Harness, type HarnessOptions, startHarness } from './testing/harness.ts';

type Stepped = Harness & { readonly clock: SteppedClock; pod(name: string): Promise<Pod | undefined> };

/** A harness whose time is stepped; scripts by container name. */
async function stepped(
  scripts: Readonly<Record<string, ContainerScript>> = {},
  options: Partial<HarnessOptions> = {},
): Promise<Stepped> {
  let clock!: SteppedClock;
  const harness = await startHarness({
    clock: activity => (clock = new SteppedClock({ activity })),
    script: ({ metadata }) => scripts[metadata.name] ?? {},
    ...options,
  });
  const pods = harness.client.resource(resources.pods).namespace('default');
  const pod = (name: string): Promise<Pod | undefined> => pods.get(name).catch(() => undefined);
  return Object.assign(harness, { clock, pod });
}

const image = 'busybox:1';
const main = { name: 'main', image };

function stateOf(pod: Pod | undefined, name = 'main'): ContainerStateView | undefined {
  const statuses = [...(pod?.status?.initContainerStatuses ?? []), ...(pod?.status?.containerStatuses ?? [])];
  return statuses.find(status => status.name === name)?.state;
}

test('a container that keeps failing is started again after 10, 20, 40 seconds, with upstream texts', async () => {
  await using harness = await stepped({ main: { exitAfterMs: 1000, exitCode: 1 } });
  const { metadata } = await harness.run('crash', { containers: [main] });
  await harness.clock.advance(1500);
  await harness.clock.advance(1500);
  const waiting = await harness.pod('crash');
  const status = waiting!.status!.containerStatuses![0]!;
  const who = `crash_default(${metadata.uid})`;
  assert.deepEqual(status.state, {
    waiting: {
      reason: 'CrashLoopBackOff',
      message: `back-off 10s restarting failed container=main pod=${who}`,
    },
  });
  assert.deepEqual([status.restartCount, status.lastState?.terminated?.reason, status.ready], [1, 'Error', false]);
  assert.equal(waiting!.status!.phase, 'Running');
  await harness.clock.advance(60_000);
  const later = (await harness.pod('crash'))!.status!.containerStatuses![0]!;
  assert.equal(later.restartCount, 3);
  assert.match(later.state?.waiting?.message ?? '', /^back-off 40s /);
  const events = await harness.events('crash');
  assert.ok(events.includes(`Warning BackOff Back-off restarting failed container main in pod ${who}`), String(events));
});

test('restart policies decide between Succeeded, Failed and another try', async () => {
  await using harness = await stepped({
    good: { exitAfterMs: 1000 },
    bad: { exitAfterMs: 1000, exitCode: 3 },
  });
  const container = (name: string) => ({ containers: [{ name, image }] });
  await harness.run('never-good', { restartPolicy: 'Never', ...container('good') });
  await harness.run('never-bad', { restartPolicy: 'Never', ...container('bad') });
  await harness.run('failing-good', { restartPolicy: 'OnFailure', ...container('good') });
  await harness.run('failing-bad', { restartPolicy: 'OnFailure', ...container('bad') });
  await harness.clock.advance(5000);
  const phases = await Promise.all(
    ['never-good', 'never-bad', 'failing-good', 'failing-bad'].map(
      async name => (await harness.pod(name))?.status?.phase,
    ),
  );
  assert.deepEqual(phases, ['Succeeded', 'Failed', 'Succeeded', 'Running']);
  const done = (await harness.pod('never-good'))!.status!;
  const ready = done.conditions!.find(({ type }) => type === 'Ready');
  assert.deepEqual([ready?.status, ready?.reason], ['False', 'PodCompleted']);
  assert.deepEqual(stateOf(await harness.pod('never-bad'), 'bad')?.terminated?.exitCode, 3);
});

test('init containers run one after another, sidecars stay, then the others start', async () => {
  await using harness = await stepped({ first: { exitAfterMs: 2000 }, second: { exitAfterMs: 2000 } });
  await harness.run('init', {
    initContainers: [
      { name: 'first', image },
      { name: 'side', image, restartPolicy: 'Always' },
      { name: 'second', image },
    ],
    containers: [main],
  });
  await harness.clock.advance(1000);
  const early = await harness.pod('init');
  assert.deepEqual([early!.status!.phase, stateOf(early)], ['Pending', { waiting: { reason: 'PodInitializing' } }]);
  const initialized = early!.status!.conditions!.find(({ type }) => type === 'Initialized');
  assert.equal(initialized?.message, 'containers with incomplete status: [first side second]');
  await harness.clock.advance(5000);
  const late = await harness.pod('init');
  assert.equal(late!.status!.phase, 'Running');
  assert.ok(stateOf(late, 'side')?.running);
  assert.equal(stateOf(late, 'second')?.terminated?.reason, 'Completed');
  const started = harness.engine.calls
    .filter(call => call.startsWith('startContainer'))
    .map(call => call.split(' ')[1]);
  assert.deepEqual(started, ['first', 'side', 'second', 'main']);
});

test('a failed init container ends a pod that is never restarted', async () => {
  await using harness = await stepped({ first: { exitAfterMs: 1000, exitCode: 2 } });
  await harness.run('stuck', {
    restartPolicy: 'Never',
    initContainers: [{ name: 'first', image }],
    containers: [main],
  });
  await harness.clock.advance(3000);
  const pod = await harness.pod('stuck');
  assert.equal(pod!.status!.phase, 'Failed');
  assert.equal(stateOf(pod)?.waiting?.reason, 'PodInitializing');
});

test('readiness, liveness and startup probes act as their thresholds say', async () => {
  let healthy = false;
  const exec = () => ({ exitCode: healthy ? 0 : 1, stdout: 'not yet' });
  await using harness = await stepped({ main: { exec } });
  const probe = { exec: { command: ['check'] }, periodSeconds: 2, failureThreshold: 2 };
  await harness.run('probed', { containers: [{ ...main, readinessProbe: probe }] });
  await harness.clock.advance(5000);
  const unready = (await harness.pod('probed'))!.status!;
  assert.equal(unready.containerStatuses![0]!.ready, false);
  const ready = (status: Pod['status']) => status?.conditions?.find(({ type }) => type === 'Ready');
  assert.equal(ready(unready)?.message, 'containers with unready status: [main]');
  healthy = true;
  await harness.clock.advance(2000);
  assert.equal(ready((await harness.pod('probed'))!.status)?.status, 'True');
  assert.ok((await harness.events('probed')).includes('Warning Unhealthy Readiness probe failed: not yet'));
  await harness.run('living', { containers: [{ ...main, livenessProbe: probe }] });
  await harness.clock.advance(1000);
  healthy = false;
  await harness.clock.advance(8000);
  const restarted = (await harness.pod('living'))!.status!.containerStatuses![0]!;
  assert.ok(restarted.restartCount >= 1);
  const events = await harness.events('living');
  assert.ok(events.includes('Normal Killing Container main failed liveness probe, will be restarted'), String(events));
  await harness.run('starting', { containers: [{ ...main, startupProbe: { ...probe, failureThreshold: 10 } }] });
  await harness.clock.advance(3000);
  assert.equal((await harness.pod('starting'))!.status!.containerStatuses![0]!.started, false);
  healthy = true;
  await harness.clock.advance(3000);
  const started = (await harness.pod('starting'))!.status!.containerStatuses![0]!;
  assert.deepEqual([started.started, started.ready], [true, true]);
});

test('an image that cannot be pulled: ErrImagePull, then ImagePullBackOff, then another try', async () => {
  await using harness = await stepped(
    {},
    {
      async pull() {
        throw new CriError('imagePull', 'rpc error: not found');
      },
    },
  );
  await harness.run('pull', { containers: [{ name: 'main', image: 'none/such:1' }] });
  await harness.clock.advance(100);
  const first = stateOf(await harness.pod('pull'))!.waiting!;
  assert.deepEqual(first, { reason: 'ErrImagePull', message: 'rpc error: not found' });
  await harness.clock.advance(3000);
  const second = stateOf(await harness.pod('pull'))!.waiting!;
  assert.equal(second.reason, 'ImagePullBackOff');
  assert.equal(second.message, 'Back-off pulling image "none/such:1": ErrImagePull: rpc error: not found');
  const events = await harness.events('pull');
  assert.deepEqual(events.slice(0, 4), [
    'Normal Pulling Pulling image "none/such:1"',
    'Warning Failed Failed to pull image "none/such:1": rpc error: not found',
    'Warning Failed Error: ErrImagePull',
    'Normal BackOff Back-off pulling image "none/such:1"',
  ]);
  await harness.clock.advance(15_000);
  assert.equal(harness.engine.calls.filter(call => call.startsWith('pullImage')).length, 2);
});

test('a start that fails shows upstream reasons', async () => {
  const message = 'exec: "nope": executable file not found in $PATH';
  await using harness = await stepped({ main: { startError: message } });
  await harness.run('nocmd', { containers: [main] });
  await harness.clock.advance(100);
  const status = (await harness.pod('nocmd'))!.status!.containerStatuses![0]!;
  assert.deepEqual(status.state?.waiting, { reason: 'RunContainerError', message });
  assert.deepEqual([status.lastState?.terminated?.exitCode, status.lastState?.terminated?.reason], [128, 'StartError']);
  await harness.clock.advance(1000);
});

test('deletion runs the preStop hook, gives the grace period, then kills', async () => {
  const asked: string[] = [];
  const exec = (command: readonly string[]) => {
    asked.push(command.join(' '));
    return { takesMs: 2000 };
  };
  await using harness = await stepped({ main: { stopTakesMs: Number.POSITIVE_INFINITY, exec } });
  const lifecycle = { preStop: { exec: { command: ['bye'] } } };
  await harness.run('slow', { terminationGracePeriodSeconds: 10, containers: [{ ...main, lifecycle }] });
  await harness.clock.advance(100);
  await harness.client.resource(resources.pods).namespace('default').delete('slow');
  await harness.clock.advance(9000);
  assert.ok((await harness.pod('slow'))?.metadata.deletionTimestamp);
  assert.deepEqual(asked, ['bye']);
  assert.ok(harness.engine.calls.includes('stopContainer main 8000'), String(harness.engine.calls));
  await harness.clock.advance(2000);
  assert.equal(await harness.pod('slow'), undefined);
  assert.deepEqual(await harness.engine.runtime.listPodSandboxes(), []);
});

test('volumes and environment come from ConfigMaps, Secrets and the pod itself, and follow changes', async () => {
  await using harness = await stepped();
  const maps = harness.client.resource(resources.configMaps).namespace('default');
  await harness.run('files', {
    volumes: [
      { name: 'cfg', configMap: { name: 'cfg' } },
      { name: 'info', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
    ],
    containers: [
      {
        ...main,
        env: [
          { name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          { name: 'GREETING', value: 'hello $(NAME)' },
          { name: 'KEY', valueFrom: { configMapKeyRef: { name: 'cfg', key: 'key' } } },
        ],
        volumeMounts: [
          { name: 'cfg', mountPath: '/cfg' },
          { name: 'info', mountPath: '/info' },
        ],
      },
    ],
  });
  await harness.clock.advance(100);
  assert.equal(stateOf(await harness.pod('files'))?.waiting?.reason, 'ContainerCreating');
  const failed = 'Warning FailedMount MountVolume.SetUp failed for volume "cfg" : configmap "cfg" not found';
  assert.ok((await harness.events('files')).includes(failed));
  await maps.create({ metadata: { name: 'cfg' }, data: { key: 'value' } });
  await harness.clock.advance(2000);
  assert.equal((await harness.pod('files'))?.status?.phase, 'Running');
  const [container] = await harness.engine.runtime.listContainers();
  const config = harness.engine.config(container!.id);
  const env = Object.fromEntries(config.envs.map(({ key, value }) => [key, value]));
  assert.deepEqual([env['GREETING'], env['KEY']], ['hello files', 'value']);
  assert.equal(env['KUBERNETES_SERVICE_PORT'], '443');
  const directory = config.mounts.find(({ containerPath }) => containerPath === '/cfg')!.hostPath;
  assert.equal(await readFile(join(directory, 'key'), 'utf8'), 'value');
  assert.match(
    await readFile(config.mounts.find(({ containerPath }) => containerPath === '/etc/hosts')!.hostPath, 'utf8'),
    /\tfiles\n$/,
  );
  await maps.patch('cfg', { data: { key: 'changed' } }, { type: 'merge' });
  await harness.clock.advance(1000);
  assert.equal(await readFile(join(directory, 'key'), 'utf8'), 'changed');
});

test('what a pod is believed by and believes is renewed in its projected volume: token and authorities', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const tokenKeys = loadTokenKeys(privateKey.export({ format: 'pem', type: 'sec1' }) as string);
  await using harness = await stepped({}, { tokenKeys });
  const maps = harness.client.resource(resources.configMaps).namespace('default');
  await maps.create({ metadata: { name: 'trust' }, data: { 'ca.crt': 'old' } });
  const sources = [
    { serviceAccountToken: { path: 'token', expirationSeconds: 600 } },
    { configMap: { name: 'trust', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
  ];
  await harness.run('caller', {
    volumes: [{ name: 'access', projected: { sources } }],
    containers: [{ ...main, volumeMounts: [{ name: 'access', mountPath: '/access' }] }],
  });
  await harness.clock.advance(2000);
  const [container] = await harness.engine.runtime.listContainers();
  const { mounts } = harness.engine.config(container!.id);
  const directory = mounts.find(({ containerPath }) => containerPath === '/access')!.hostPath;
  const read = (name: string): Promise<string> => readFile(join(directory, name), 'utf8');
  const token = await read('token');
  assert.match(token, /^[\w-]+\.[\w-]+\.[\w-]+$/);
  await maps.patch('trust', { data: { 'ca.crt': 'old and new' } }, { type: 'merge' });
  await harness.clock.advance(1000);
  assert.equal(await read('ca.crt'), 'old and new');
  await harness.clock.advance(400_000);
  assert.equal(await read('token'), token, 'a fifth of its life is left');
  await harness.clock.advance(190_000);
  assert.notEqual(await read('token'), token);
});

test('a pod past its deadline fails; one that does not fit is refused', async () => {
  await using harness = await stepped();
  await harness.run('late', { activeDeadlineSeconds: 5, containers: [main] });
  await harness.clock.advance(20_000);
  const late = (await harness.pod('late'))!.status!;
  assert.deepEqual([late.phase, late.reason], ['Failed', 'DeadlineExceeded']);
  await harness.run('huge', { containers: [{ ...main, resources: { requests: { cpu: '1000' } } }] });
  await harness.clock.advance(100);
  const huge = (await harness.pod('huge'))!.status!;
  assert.deepEqual([huge.phase, huge.reason], ['Failed', 'OutOfcpu']);
  assert.match(
    huge.message ?? '',
    /^Pod was rejected: Node didn't have enough resource: cpu, requested: 1000000, used: 0/,
  );
});

test('the node registers, is ready, and renews its lease', async () => {
  await using harness = await stepped();
  await harness.clock.advance(30_000);
  const node = await harness.client.resource(resources.nodes).get('node-1');
  const conditions = node.status!.conditions!.map(({ type, status }) => `${type}=${status}`);
  assert.deepEqual(conditions, ['MemoryPressure=False', 'DiskPressure=False', 'PIDPressure=False', 'Ready=True']);
  assert.equal(node.metadata.labels?.['kubernetes.io/hostname'], 'node-1');
  assert.ok(node.status!.allocatable!['memory']);
  const lease = await harness.client.resource(resources.leases).namespace('kube-node-lease').get('node-1');
  const { renewTime } = lease['spec'] as { renewTime: string };
  assert.ok(harness.clock.now() - Date.parse(renewTime) <= 10_000);
});
