/**
 * Machines that lack what containers need, and containers that misbehave: what the program says, and the state and the
 * events that upstream shows. What needs no containers is in test/integration/server-errors.test.ts.
 */
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { eventually, type Kobune, kubectls, startKobune, whyNoContainers } from '../support/kobune.ts';
import { tracesOf } from '../support/leftovers.ts';
import {
  assertSentence,
  createPlace,
  findProgram,
  freePort,
  launcher,
  type Place,
  runCommand,
} from '../support/program.ts';

const skip = whyNoContainers() ?? (kubectls().size === 0 ? 'there is no kubectl on this machine' : false);
if (skip) console.log(`errors with containers: skipped, ${skip}`);

describe('a machine that lacks something', { skip }, () => {
  const place = async (t: TestContext): Promise<Place & { readonly port: string }> => {
    const made = createPlace();
    t.after(() => made[Symbol.asyncDispose]());
    return { ...made, port: String(await freePort()) };
  };
  /** A directory with links to what this machine has of the named programs. */
  const onlyPrograms = (place: Place, names: readonly string[]): string => {
    const directory = join(place.directory, `bin-${names.length}-${names.join('-').slice(0, 40)}`);
    mkdirSync(directory);
    for (const name of names) {
      const path = findProgram(name);
      if (path) symlinkSync(path, join(directory, name));
    }
    return directory;
  };
  const programs = ['sh', 'mount', 'umount', 'tar', 'ip', 'nft', 'conntrack', 'crun', 'runc'];

  const lacking: ReadonlyArray<readonly [readonly string[], RegExp]> = [
    [['crun', 'runc'], /^This machine has no container runtime \(crun or runc\)\. Install it: apt-get install crun$/m],
    [['nft'], /^This machine has no nft, .*\. Install it: apt-get install nftables$/m],
    [['ip'], /^This machine has no ip, .*\. Install it: apt-get install iproute2$/m],
  ];
  for (const [names, sentence] of lacking) {
    test(`no ${names.join(' or ')}: one sentence, and nothing is made`, async t => {
      const here = await place(t);
      const PATH = onlyPrograms(
        here,
        programs.filter(name => !names.includes(name)),
      );
      for (const command of ['up', 'server']) {
        const output = await here.kobune([command, '--port', here.port], { env: { ...here.env, PATH } });
        assertSentence(output, sentence);
      }
      assert.match((await here.kobune(['status'])).stdout, /^No clusters/);
    });
  }

  for (const capability of ['sys_admin', 'net_admin']) {
    test(`root without CAP_${capability.toUpperCase()}`, async t => {
      const here = await place(t);
      const through = ['setpriv', `--bounding-set=-${capability}`, `--inh-caps=-${capability}`];
      const output = await here.kobune(['up', '--port', here.port], { through });
      assertSentence(
        output,
        new RegExp(`^Running containers needs CAP_${capability.toUpperCase()}, .*--no-node$`, 'm'),
      );
    });
  }

  /** Starts where the start must fail late, and asserts that `down --delete` takes away what was made by then. */
  const failsLate = async (here: Place, env: NodeJS.ProcessEnv, sentence: RegExp): Promise<void> => {
    assertSentence(await here.kobune(['up', '--port', String(await freePort())], { env }), sentence);
    const traces = tracesOf(here.root, 'default');
    assert.equal((await here.kobune(['down', '--delete'])).code, 0);
    await traces.gone();
  };

  test('a kernel without nf_tables', async t => {
    const here = await place(t);
    const PATH = onlyPrograms(
      here,
      programs.filter(name => name !== 'nft'),
    );
    const refusing = '#!/bin/sh\necho "Error: Could not process rule: Protocol not supported" >&2\nexit 1\n';
    writeFileSync(join(PATH, 'nft'), refusing, { mode: 0o755 });
    await failsLate(
      here,
      { ...here.env, PATH },
      /^nftables cannot be used on this machine: .*Protocol not supported.* Containers need a kernel with nf_tables/m,
    );
  });

  test('a file system on which overlayfs does not work', async t => {
    const here = await place(t);
    const overlay = join(here.directory, 'overlay');
    for (const name of ['lower', 'upper', 'work', 'merged']) mkdirSync(join(overlay, name), { recursive: true });
    const script = `cd "$1" && mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged && export KOBUNE_ROOT="$1/merged"
"$2" "$3" up --port "$4"; code=$?; "$2" "$3" down --delete >/dev/null || exit 9; exit $code`;
    const args = ['sh', overlay, process.execPath, launcher, here.port];
    const output = await runCommand('unshare', ['-m', '--propagation', 'private', 'sh', '-c', script, ...args], here);
    assertSentence(output, /^Containers need overlayfs, which does not work at .*merged.*KOBUNE_ROOT\.$/m);
  });
});

describe('containers that misbehave', { skip }, () => {
  let kobune: Kobune;
  const kubectl = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await kobune.kubectl(args);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const apply = async (pod: object): Promise<void> => {
    const { code, stderr } = await kobune.kubectl(['apply', '-f', '-'], { input: JSON.stringify(pod) });
    assert.equal(code, 0, stderr);
  };
  /** The pod's field once it matches. */
  const waitFor = (pod: string, path: string, expected: RegExp): Promise<string> =>
    eventually(`${pod} ${path} matches ${expected}`, async () => {
      const text = await kubectl('get', 'pod', pod, '-o', `jsonpath={${path}}`);
      return expected.test(text) ? text : undefined;
    });
  const events = (pod: string): Promise<string> =>
    kubectl(
      'get',
      'events',
      `--field-selector=involvedObject.name=${pod}`,
      '-o',
      'jsonpath={range .items[*]}{.type} {.reason} {.message}{"\\n"}{end}',
    );
  /** Waits until the pod's events hold a line that matches. */
  const waitForEvent = (pod: string, expected: RegExp): Promise<string> =>
    eventually(`an event of ${pod} matches ${expected}`, async () => {
      const text = await events(pod);
      return expected.test(text) ? text : undefined;
    });
  const image = 'localhost/node:host';
  const state = '.status.containerStatuses[0].state';
  const pod = (name: string, container: object, more: object = {}): object => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', finalizers: ['test.kobune.dev/look'] },
    spec: { restartPolicy: 'Never', containers: [{ name: 'c', image, ...container }], ...more },
  });
  const release = (name: string): Promise<string> =>
    kubectl('patch', 'pod', name, '--type=merge', '-p', '{"metadata":{"finalizers":null}}');

  before(async () => {
    kobune = await startKobune();
    const made = await kobune.cli('image', 'build-from-host', '--tag', image);
    assert.equal(made.code, 0, made.stderr);
  });
  after(() => kobune?.[Symbol.asyncDispose]());

  test('SIGTERM is ignored: killed after the grace period, exit code 137', async () => {
    await apply(pod('stubborn', { command: ['sh', '-c', 'trap "" TERM; echo ready; while :; do sleep 0.1; done'] }));
    await eventually('it ignores SIGTERM by now', async () =>
      (await kubectl('logs', 'stubborn').catch(() => '')).includes('ready') ? true : undefined,
    );
    await kubectl('delete', 'pod', 'stubborn', '--grace-period=2', '--wait=false');
    const deleted = await kubectl('get', 'pod', 'stubborn', '-o', 'json');
    const { metadata } = JSON.parse(deleted) as { metadata: { deletionTimestamp: string } };
    assert.match(deleted, /"deletionGracePeriodSeconds": 2,/);
    await waitFor('stubborn', `${state}.terminated.exitCode`, /^137$/);
    const { status } = JSON.parse(await kubectl('get', 'pod', 'stubborn', '-o', 'json')) as {
      status: {
        phase: string;
        containerStatuses: [{ state: { terminated: { reason: string; finishedAt: string } } }];
      };
    };
    assert.equal(status.phase, 'Failed');
    const { reason, finishedAt } = status.containerStatuses[0].state.terminated;
    assert.equal(reason, 'Error');
    const lateMs = Date.parse(finishedAt) - Date.parse(metadata.deletionTimestamp);
    assert.ok(lateMs >= 0 && lateMs <= 3000, `killed ${lateMs} ms after its time`);
    assert.match(await waitForEvent('stubborn', /Killing/), /^Normal Killing Stopping container c$/m);
    await release('stubborn');
    await kubectl('wait', 'pod/stubborn', '--for=delete', '--timeout=20s');
  });

  test('a container that heeds SIGTERM ends at once, with its own exit code', async () => {
    await apply(
      pod('polite', { command: ['sh', '-c', 'trap "exit 3" TERM; echo ready; while :; do sleep 0.1; done'] }),
    );
    await eventually('it listens by now', async () =>
      (await kubectl('logs', 'polite').catch(() => '')).includes('ready') ? true : undefined,
    );
    await kubectl('delete', 'pod', 'polite', '--grace-period=25', '--wait=false');
    await waitFor('polite', `${state}.terminated.exitCode`, /^3$/);
    await release('polite');
  });

  test('a missing image', async () => {
    await apply(pod('no-image', { image: 'localhost:1/none:1' }));
    await waitFor('no-image', `${state}.waiting.reason`, /^ImagePullBackOff$/);
    const text = await waitForEvent('no-image', /Error: ImagePullBackOff/);
    assert.match(text, /^Normal Pulling Pulling image "localhost:1\/none:1"$/m);
    assert.match(text, /^Warning Failed Failed to pull image "localhost:1\/none:1": .+$/m);
    assert.match(text, /^Warning Failed Error: ErrImagePull$/m);
    assert.match(text, /^Normal BackOff Back-off pulling image "localhost:1\/none:1"$/m);
    const message = await kubectl('get', 'pod', 'no-image', '-o', `jsonpath={${state}.waiting.message}`);
    assert.match(message, /^Back-off pulling image "localhost:1\/none:1": ErrImagePull: /);
    await release('no-image');
  });

  test('a missing command', async () => {
    await apply(pod('no-command', { command: ['/none'] }));
    await waitFor('no-command', `${state}.terminated.reason`, /^StartError$/);
    await waitFor('no-command', '.status.phase', /^Failed$/);
    assert.equal(await kubectl('get', 'pod', 'no-command', '-o', `jsonpath={${state}.terminated.exitCode}`), '128');
    const message = await kubectl('get', 'pod', 'no-command', '-o', `jsonpath={${state}.terminated.message}`);
    assert.match(message, /exec: "\/none": (stat \/none: )?no such file or directory/);
    assert.match(await waitForEvent('no-command', /Warning Failed/), /^Warning Failed Error: .*"\/none".*$/m);
    await release('no-command');
  });

  test('a missing ConfigMap', async () => {
    await apply(pod('no-config', { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'none', key: 'a' } } }] }));
    await waitFor('no-config', `${state}.waiting.reason`, /^CreateContainerConfigError$/);
    const message = await kubectl('get', 'pod', 'no-config', '-o', `jsonpath={${state}.waiting.message}`);
    assert.equal(message, 'configmap "none" not found');
    assert.match(await waitForEvent('no-config', /Warning/), /^Warning Failed Error: configmap "none" not found$/m);
    await release('no-config');
  });

  test('memory that runs out is told apart: OOMKilled', async () => {
    const command = ['node', '-e', 'const a=[];for(;;)a.push(Buffer.alloc(1e7,1))'];
    await apply(pod('hungry', { command, resources: { limits: { memory: '96Mi' } } }));
    await waitFor('hungry', `${state}.terminated.reason`, /^OOMKilled$/);
    assert.equal(await kubectl('get', 'pod', 'hungry', '-o', `jsonpath={${state}.terminated.exitCode}`), '137');
    await release('hungry');
  });

  test('a pod that fits nowhere says why', async () => {
    await apply(pod('huge', { resources: { requests: { cpu: '1000' } } }));
    const text = await waitForEvent('huge', /FailedScheduling/);
    assert.match(text, /^Warning FailedScheduling 0\/1 nodes are available: 1 Insufficient cpu\./m);
    await release('huge');
    await kubectl('delete', 'pod', '--all', '--grace-period=0', '--force');
  });
});
