/** The container engine with real containers: CRI's suite, then what only a real engine can show. Needs root and crun or runc. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { silentLogger, systemClock } from '#base';
import type { Cni } from '#cni';
import { createContainerEngine, detectHost, type Host, type KobuneEngine } from '#container-runtime';
import type { ContainerConfig, LinuxSecurityContext, PodSandboxConfig } from '#cri';
import { criSuite, type SuiteEngine } from '#cri/suite';
import { buildNative } from '../../hack/build-native.ts';
import { containerConfig, podConfig, runContainer, untilExited, withPod } from '../../src/cri/suite/pods.ts';

const image = 'kobune.test/host:1';

/** Leaves the namespace with a loopback alone. */
const loopbackOnly: Cni = {
  add: async () => ({ ips: ['127.0.0.1'] }),
  del: async () => {},
  notReadyReason: async () => undefined,
};

function reasonToSkip(): string | undefined {
  if (process.platform !== 'linux') return 'containers run on Linux only';
  if (process.getuid?.() !== 0) return 'containers need root';
  const runtimes = ['crun', 'runc'].filter(name => spawnSync(name, ['--version']).status === 0);
  if (runtimes.length === 0) return 'neither crun nor runc is installed';
  return buildNative();
}

const cgroupPrefix = `/kobune-test-${process.pid}`;

async function startEngine(dir: string, host?: Host, prefix: string = cgroupPrefix): Promise<KobuneEngine> {
  return createContainerEngine(
    { clock: systemClock, logger: silentLogger, cni: loopbackOnly, ...(host ? { host } : {}) },
    { nodeDir: join(dir, 'node'), runDir: join(dir, 'run'), cgroupPrefix: prefix },
  );
}

const shell = (script: string): string[] => ['sh', '-c', script];

const skipAll = reasonToSkip();

/** One engine for all tests of this file, in a directory of its own. */
async function startTarget(): Promise<SuiteEngine & { readonly engine: KobuneEngine; readonly dir: string }> {
  const dir = mkdtempSync(join(tmpdir(), 'kb-cri-'));
  const engine = await startEngine(dir);
  await engine.buildFromHost({ names: [image], node: false });
  return {
    engine,
    dir,
    image,
    logDirectory: join(dir, 'logs'),
    async settled(id) {
      const termIsCaught = 'until grep -qE "^SigCgt:.*[4-7c-f][0-9a-f]{3}$" /proc/1/status; do :; done';
      await engine.runtime.execSync(id, shell(termIsCaught), 5000);
    },
    async [Symbol.asyncDispose]() {
      await engine.removeEverything({ images: true });
      await engine[Symbol.asyncDispose]();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

criSuite(
  { test, after },
  {
    name: 'container engine',
    ...(skipAll === undefined ? {} : { skipAll }),
    commands: {
      untilTerm: code => shell(`trap 'exit ${code}' TERM; while :; do sleep 1000 & wait $!; done`),
      ignoringTerm: () => shell(`trap '' TERM; while :; do sleep 1000; done`),
      exiting: code => shell(`exit ${code}`),
      printing: (out, err) => shell(`echo '${out}'; echo '${err}' >&2`),
      echoing: () => ['cat'],
      missing: () => ['no-such-command'],
    },
    start: startTarget,
  },
);

type Target = Awaited<ReturnType<typeof startTarget>>;
let started: Promise<Target> | undefined;

function realTest(title: string, body: (target: Target) => Promise<void>): void {
  test(`real containers: ${title}`, skipAll === undefined ? {} : { skip: skipAll }, async () => {
    await body(await (started ??= startTarget()));
  });
}

after(async () => {
  await (await started)?.[Symbol.asyncDispose]();
});

/** Runs a shell script to its end in a pod of its own; answers its log. */
async function logOf(
  target: Target,
  script: string,
  change: {
    readonly container?: Partial<ContainerConfig>;
    readonly security?: Partial<LinuxSecurityContext>;
    readonly pod?: Partial<PodSandboxConfig>;
    readonly handler?: string;
  } = {},
): Promise<string> {
  const pod = podConfig(target, `log-${Math.random()}`, change.pod);
  const { runtime } = target.engine;
  const sandbox = await runtime.runPodSandbox(pod, change.handler ?? '');
  try {
    const plain = containerConfig(target, shell(script), change.container);
    const securityContext = { ...plain.securityContext, namespaces: pod.namespaces, ...change.security };
    const id = await runtime.createContainer(sandbox, { ...plain, securityContext }, pod);
    await runtime.startContainer(id);
    const { logPath } = await untilExited(target.engine, id);
    return (await readFile(logPath, 'utf8')).replace(/^\S+ std\w+ [FP] /gm, '');
  } finally {
    await runtime.removePodSandbox(sandbox);
  }
}

realTest('containers outlive the engine; the next one adopts what runs and learns what ended', async target => {
  const other = mkdtempSync(join(tmpdir(), 'kb-cri-'));
  const first = await startEngine(other);
  await first.buildFromHost({ names: [image], node: false });
  const own = { ...target, engine: first, logDirectory: join(other, 'logs') };
  const pod = podConfig(own, 'adopted');
  const sandbox = await first.runtime.runPodSandbox(pod, '');
  const fifo = '/tmp/go';
  const ends = await runContainer(own, sandbox, pod, shell(`mkfifo ${fifo}; read x < ${fifo}; exit 5`));
  const lives = await runContainer(own, sandbox, pod, shell('while :; do sleep 1000; done'), {
    metadata: { name: 'lives', attempt: 0 },
    logPath: 'lives/0.log',
  });
  await first.runtime.execSync(ends, shell(`until [ -p ${fifo} ]; do :; done; (sleep 0.2; echo > ${fifo}) &`), 5000);
  await first[Symbol.asyncDispose]();

  // As if the engine had died after starting it and before writing that down.
  const recordFile = join(other, 'node', 'containers', lives, 'container.json');
  writeFileSync(recordFile, JSON.stringify({ ...JSON.parse(readFileSync(recordFile, 'utf8')), startedAtMs: 0 }));
  const exitFile = join(other, 'node', 'exits', `${ends}.json`);
  for (let tries = 0; !existsSync(exitFile) && tries < 100; tries++) await systemClock.sleep(50);
  const second = await startEngine(other);
  try {
    assert.equal((await second.runtime.podSandboxStatus(sandbox)).state, 'READY');
    const ended = await second.runtime.containerStatus(ends);
    assert.deepEqual([ended.state, ended.exitCode, ended.reason], ['EXITED', 5, 'Error']);
    assert.equal((await second.runtime.containerStatus(lives)).state, 'RUNNING');
    assert.equal(String((await second.runtime.execSync(lives, ['echo', 'still here'], 5000)).stdout), 'still here\n');
    await second.runtime.stopContainer(lives, 0);
    assert.equal((await second.runtime.containerStatus(lives)).exitCode, 137);
  } finally {
    await second.removeEverything({ images: true });
    await second[Symbol.asyncDispose]();
    await rm(other, { recursive: true, force: true });
  }
});

realTest('a container of an earlier boot counts as ended, its sandbox as not ready', async target => {
  const other = mkdtempSync(join(tmpdir(), 'kb-cri-'));
  const first = await startEngine(other);
  await first.buildFromHost({ names: [image], node: false });
  const own = { ...target, engine: first, logDirectory: join(other, 'logs') };
  const pod = podConfig(own, 'rebooted');
  const sandbox = await first.runtime.runPodSandbox(pod, '');
  const id = await runContainer(own, sandbox, pod, shell('sleep 1000'));
  await first[Symbol.asyncDispose]();
  const host = detectHost({ nodeDir: join(other, 'node'), runDir: join(other, 'run'), cgroupPrefix });
  const later = await startEngine(other, { ...host, bootId: 'another' });
  assert.deepEqual((await later.runtime.containerStatus(id)).exitCode, 255);
  assert.equal((await later.runtime.podSandboxStatus(sandbox)).state, 'NOTREADY');
  await later[Symbol.asyncDispose]();
  const again = await startEngine(other); // the machine did not really boot: clear away with its true id
  await again.removeEverything({ images: true });
  await again[Symbol.asyncDispose]();
  await rm(other, { recursive: true, force: true });
});

realTest('running out of memory is OOMKilled with 137', async target => {
  await withPod(target, 'oom', async (sandbox, pod) => {
    const id = await runContainer(target, sandbox, pod, shell('exec tail -c 200m /dev/zero'), {
      resources: { memoryLimitBytes: 16 * 1024 * 1024 },
    });
    const status = await untilExited(target.engine, id);
    assert.deepEqual([status.reason, status.exitCode], ['OOMKilled', 137]);
  });
});

realTest('a terminal: one stream, sized, its window changed later', async target => {
  await withPod(target, 'tty', async (sandbox, pod) => {
    const { runtime } = target.engine;
    const id = await runContainer(target, sandbox, pod, shell('while :; do sleep 1000; done'));
    const streams = { stdin: true, stdout: true, stderr: true, tty: true };
    const session = await runtime.openExec({ containerId: id, command: shell('read x; stty size; tty'), ...streams });
    session.resize(132, 43);
    session.stdin!.write('go\n');
    const output = await text(session.stdout!);
    assert.match(output, /43 132\r\n\/dev\/pts\/\d+\r\n/);
    assert.equal(await session.exit, 0);
  });
});

realTest('a container with a terminal is attached to', async target => {
  await withPod(target, 'tty-attach', async (sandbox, pod) => {
    const change = { tty: true, stdin: true };
    const id = await runContainer(target, sandbox, pod, shell('read x; echo "got $x"'), change);
    const streams = { containerId: id, stdin: true, stdout: true, stderr: false, tty: true };
    const session = await target.engine.runtime.openAttach(streams);
    session.stdin!.write('word\n');
    assert.match(await text(session.stdout!), /got word\r\n/);
  });
});

realTest('closing an exec session kills its process', async target => {
  await withPod(target, 'exec-close', async (sandbox, pod) => {
    const { runtime } = target.engine;
    const id = await runContainer(target, sandbox, pod, shell('while :; do sleep 1000; done'));
    const streams = { stdin: true, stdout: true, stderr: false, tty: false };
    const command = shell('echo begun; exec sleep 4321');
    const session = await runtime.openExec({ containerId: id, command, ...streams });
    session.stdin!.write('input that nobody reads '.repeat(20_000));
    await new Promise(resolve => session.stdout!.once('data', resolve));
    session.close();
    const find = shell('for d in /proc/[0-9]*; do tr "\\0" " " < $d/cmdline; echo; done');
    for (let tries = 0; tries < 100; tries++) {
      if (!String((await runtime.execSync(id, find, 5000)).stdout).includes('sleep 4321')) return;
      await systemClock.sleep(20);
    }
    assert.fail('the process still runs');
  });
});

realTest('input reaches a program that writes nothing until its end, however it is cut', async target => {
  await withPod(target, 'input', async (sandbox, pod) => {
    const { runtime } = target.engine;
    const id = await runContainer(target, sandbox, pod, shell('while :; do sleep 1000; done'));
    const streams = { stdin: true, stdout: true, stderr: false, tty: false };
    const session = await runtime.openExec({ containerId: id, command: shell('sleep 0.1; md5sum'), ...streams });
    const hash = createHash('md5');
    for (let at = 0; at < 500; at++) {
      const piece = `${at} `.repeat(at);
      hash.update(piece);
      session.stdin!.write(piece);
    }
    session.stdin!.end();
    assert.equal((await text(session.stdout!)).slice(0, 32), hash.digest('hex'));
  });
});

realTest('with stdinOnce the input ends when the attached client goes, even without a word', async target => {
  await withPod(target, 'stdin-once', async (sandbox, pod) => {
    const change = { stdin: true, stdinOnce: true };
    const id = await runContainer(target, sandbox, pod, shell('cat; exit 9'), change);
    const streams = { stdin: true, stdout: true, stderr: true, tty: false };
    const session = await target.engine.runtime.openAttach({ containerId: id, ...streams });
    session.resize(1, 1);
    await target.engine.runtime.execSync(id, ['true'], 5000);
    session.close();
    assert.equal((await untilExited(target.engine, id)).exitCode, 9);
  });
});

realTest('port-forward reaches a server on the loopback of the pod', async target => {
  const pod = podConfig(target, 'forward', { namespaces: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' } });
  const { runtime } = target.engine;
  const sandbox = await runtime.runPodSandbox(pod, '');
  try {
    const id = await runContainer(
      target,
      sandbox,
      pod,
      shell('echo hello > /root/f; exec httpd -f -p 127.0.0.1:8080 -h /root'),
    );
    const listening = shell('until grep -q ":1F90 .* 0A " /proc/net/tcp; do :; done');
    assert.equal((await runtime.execSync(id, listening, 5000)).exitCode, 0);
    const stream = await runtime.openPortForward(sandbox, 8080);
    stream.end('GET /f HTTP/1.0\r\n\r\n');
    assert.match(await text(stream), /200 OK[\s\S]*\r\n\r\nhello\n$/);
    await assert.rejects(runtime.openPortForward(sandbox, 81), /127\.0\.0\.1:81: connect: connection refused/);
  } finally {
    await runtime.removePodSandbox(sandbox);
  }
});

realTest('hostname, environment, working directory, resolv.conf', async target => {
  const log = await logOf(target, 'hostname; pwd; echo $A; echo $HOSTNAME; cat /etc/resolv.conf /etc/hostname', {
    pod: {
      hostname: 'web-0',
      namespaces: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' },
      dnsConfig: { servers: ['10.96.0.10'], searches: ['a.svc', 'svc'], options: ['ndots:5'] },
    },
    container: { workingDir: '/usr/bin', envs: [{ key: 'A', value: 'x=y z' }] },
  });
  assert.equal(log, 'web-0\n/usr/bin\nx=y z\nweb-0\nsearch a.svc svc\nnameserver 10.96.0.10\noptions ndots:5\nweb-0\n');
});

realTest('user, groups, capabilities, no new privileges, read-only root, seccomp', async target => {
  const script = 'id; grep -E "^(CapBnd|NoNewPrivs|Seccomp):" /proc/self/status; touch /x 2>&1; mkdir /tmp/n 2>&1';
  const log = await logOf(target, script, {
    security: {
      runAsUser: 1234,
      runAsGroup: 55,
      supplementalGroups: [77],
      addCapabilities: ['NET_ADMIN'],
      dropCapabilities: ['ALL'],
      noNewPrivs: true,
      readonlyRootfs: true,
      seccomp: { type: 'RuntimeDefault' },
    },
  });
  assert.match(log, /uid=1234 gid=55 groups=55,77/);
  assert.match(log, /CapBnd:\s+0000000000001000/);
  assert.match(log, /NoNewPrivs:\s+1/);
  assert.match(log, /Seccomp:\s+2/);
  assert.equal(log.match(/Read-only file system/g)?.length, 2);
});

realTest(
  'the default seccomp profile refuses what needs a capability; a privileged container sees devices',
  async target => {
    const seccomp = { type: 'RuntimeDefault' } as const;
    assert.match(await logOf(target, 'unshare -m true 2>&1', { security: { seccomp } }), /Operation not permitted/);
    assert.match(
      await logOf(target, 'mount -t tmpfs none /tmp && echo mounted; ls /dev', { security: { privileged: true } }),
      /mounted[\s\S]*\bkmsg\b|mounted[\s\S]*\bmem\b|mounted[\s\S]*\bloop/,
    );
  },
);

realTest('mounts: files, read-only, made when missing', async target => {
  const source = join(target.dir, 'made', 'here');
  const mount = { propagation: 'PRIVATE', readonly: false } as const;
  const log = await logOf(target, 'echo kept > /data/file; touch /ro/x 2>&1', {
    container: {
      mounts: [
        { ...mount, containerPath: '/data', hostPath: source },
        { ...mount, containerPath: '/ro', hostPath: source, readonly: true },
      ],
    },
  });
  assert.match(log, /Read-only file system/);
  assert.equal(readFileSync(join(source, 'file'), 'utf8'), 'kept\n');
});

realTest(
  'mounts made in a container reach the host, and those of the host the container, when asked for',
  async target => {
    const shared = join(target.dir, 'shared');
    mkdirSync(shared);
    const mount = (...args: string[]): void => assert.equal(spawnSync('mount', args).status, 0);
    mount('-t', 'tmpfs', 'none', shared);
    mount('--make-shared', shared);
    for (const name of ['in', 'out']) mkdirSync(join(shared, name));
    try {
      await withPod(target, 'propagation', async (sandbox, pod) => {
        const securityContext = { ...containerConfig(target, []).securityContext, privileged: true };
        const mounts = [
          { containerPath: '/m', hostPath: shared, readonly: false, propagation: 'BIDIRECTIONAL' as const },
        ];
        const id = await runContainer(target, sandbox, pod, shell('sleep 1000'), { mounts, securityContext });
        const { runtime } = target.engine;
        const inner = await runtime.execSync(id, shell('mount -t tmpfs none /m/in && echo inner > /m/in/f'), 5000);
        assert.equal(inner.exitCode, 0);
        assert.equal(readFileSync(join(shared, 'in', 'f'), 'utf8'), 'inner\n');
        mount('-t', 'tmpfs', 'none', join(shared, 'out'));
        writeFileSync(join(shared, 'out', 'f'), 'outer\n');
        assert.equal(String((await runtime.execSync(id, ['cat', '/m/out/f'], 5000)).stdout), 'outer\n');
      });
    } finally {
      assert.equal(spawnSync('umount', ['-R', shared]).status, 0);
    }
  },
);

realTest('the containers of a pod may share processes, and always share memory and hostname', async target => {
  const namespaces = { network: 'POD', pid: 'POD', ipc: 'POD' } as const;
  const pod = podConfig(target, 'shared', { namespaces, sysctls: { 'net.ipv4.ip_unprivileged_port_start': '0' } });
  const { runtime } = target.engine;
  const sandbox = await runtime.runPodSandbox(pod, '');
  try {
    const securityContext = { ...containerConfig(target, []).securityContext, namespaces };
    const one = await runContainer(target, sandbox, pod, shell('echo mem > /dev/shm/x; exec sleep 999'), {
      securityContext,
    });
    const two = await runContainer(target, sandbox, pod, shell('exec sleep 998'), {
      securityContext,
      metadata: { name: 'two', attempt: 0 },
      logPath: 'two/0.log',
    });
    const script =
      'until [ -f /dev/shm/x ]; do :; done; cat /dev/shm/x /proc/sys/net/ipv4/ip_unprivileged_port_start; ps';
    const { stdout } = await runtime.execSync(two, shell(script), 5000);
    assert.match(String(stdout), /^mem\n0\n/);
    assert.match(String(stdout), /1 .*pause|\n +1 /);
    assert.match(String(stdout), /sleep 999/);
    await runtime.stopContainer(one, 0);
    assert.equal((await runtime.containerStatus(two)).state, 'RUNNING');
  } finally {
    await runtime.removePodSandbox(sandbox);
  }
});

realTest('another runtime can be named as handler', async target => {
  const other = target.engine.runtimes.find(each => each.handler === 'runc');
  if (!other) return console.log('skipped: runc is not installed');
  assert.equal(await logOf(target, 'echo by runc', { handler: 'runc' }), 'by runc\n');
});

realTest('a program that writes much is held back by a slow reader, and nothing is lost', async target => {
  await withPod(target, 'flood', async (sandbox, pod) => {
    const { runtime } = target.engine;
    const id = await runContainer(target, sandbox, pod, shell('while :; do sleep 1000; done'));
    const streams = { stdin: false, stdout: true, stderr: false, tty: false };
    const session = await runtime.openExec({ containerId: id, command: shell('seq 1 400000'), ...streams });
    await systemClock.sleep(200);
    const lines = (await text(session.stdout!)).trimEnd().split('\n');
    assert.deepEqual([lines.length, lines[0], lines.at(-1)], [400_000, '1', '400000']);
    assert.equal(await session.exit, 0);
  });
});

realTest('long lines are cut in the log, an unfinished one is marked', async target => {
  await withPod(target, 'lines', async (sandbox, pod) => {
    const script = 'head -c 20000 /dev/zero | tr "\\0" x; echo; printf end';
    const id = await runContainer(target, sandbox, pod, shell(script));
    const { logPath } = await untilExited(target.engine, id);
    const tags = readFileSync(logPath, 'utf8')
      .trimEnd()
      .split('\n')
      .map(line => line.split(' ').slice(2))
      .map(([tag, content]) => `${tag}${content!.length}`);
    assert.deepEqual(tags, ['P16384', 'F3616', 'P3']);
  });
});

realTest('images go out as an archive and come in again, whole, by Docker and OCI manifests alike', async target => {
  const other = mkdtempSync(join(tmpdir(), 'kb-cri-'));
  const second = await startEngine(other);
  try {
    const archive = join(other, 'image.tar');
    await target.engine.tagImage(image, 'other.test/name:2');
    await target.engine.exportArchive([image], createWriteStream(archive));
    const listed = spawnSync('tar', ['-tf', archive], { encoding: 'utf8' }).stdout.split('\n');
    for (const name of ['oci-layout', 'index.json', 'manifest.json']) assert.ok(listed.includes(name), name);
    const wanted = await target.engine.images.imageStatus({ image });
    const [byDocker] = await second.importArchive(createReadStream(archive));
    assert.deepEqual([byDocker?.id, byDocker?.repoTags], [wanted?.id, [image, 'other.test/name:2']]);
    await second.images.removeImage({ image });
    assert.deepEqual(await second.images.listImages(), []);
    const layout = join(other, 'layout');
    mkdirSync(layout);
    assert.equal(spawnSync('tar', ['-xf', archive, '-C', layout]).status, 0);
    await rm(join(layout, 'manifest.json'));
    assert.equal(spawnSync('tar', ['-czf', `${archive}.gz`, '-C', layout, '.']).status, 0);
    await second.importArchive(createReadStream(`${archive}.gz`));
    assert.equal((await second.images.imageStatus({ image: 'other.test/name:2' }))?.id, wanted?.id);
    const own = { ...target, engine: second, logDirectory: join(other, 'logs') };
    assert.equal(await logOf(own as never, 'echo from the archive'), 'from the archive\n');
    const text = join(other, 'text');
    writeFileSync(text, 'this is no tar file, whatever its name says\n'.repeat(50));
    await assert.rejects(second.importArchive(createReadStream(text)), { name: 'UserError' });
  } finally {
    await second.removeEverything({ images: true });
    await second[Symbol.asyncDispose]();
    await rm(other, { recursive: true, force: true });
  }
});

realTest('forty pods at a time start, answer and go', async target => {
  const { runtime } = target.engine;
  const namespaces = { network: 'POD', pid: 'CONTAINER', ipc: 'POD' } as const;
  await Promise.all(
    Array.from({ length: 40 }, async (_, at) => {
      const pod = podConfig(target, `many-${at}`, { namespaces });
      const sandbox = await runtime.runPodSandbox(pod, '');
      const id = await runContainer(target, sandbox, pod, shell(`echo ${at}; exit ${at}`));
      assert.equal((await untilExited(target.engine, id)).exitCode, at);
      await runtime.removePodSandbox(sandbox);
    }),
  );
  assert.deepEqual(await runtime.listPodSandboxes(), []);
});

realTest(
  'killed with -9 at any moment, the engine comes back, finds its containers, and can clear all away',
  async () => {
    const other = mkdtempSync(join(tmpdir(), 'kb-cri-'));
    const prefix = `${cgroupPrefix}-crash`;
    const first = await startEngine(other, undefined, prefix);
    await first.buildFromHost({ names: [image], node: false });
    await first[Symbol.asyncDispose]();
    for (let round = 0; round < 4; round++) {
      const script = join(import.meta.dirname, 'engine-crash-child.ts');
      const child = spawn(process.execPath, [script, other, prefix, image], { stdio: ['ignore', 'pipe', 'inherit'] });
      let said = '';
      child.stdout.on('data', chunk => (said += chunk));
      while (said.split('\n').length < 5) await new Promise(resolve => child.stdout.once('data', resolve));
      await systemClock.sleep(7 * round);
      child.kill('SIGKILL');
      await new Promise(resolve => child.once('close', resolve));
      const engine = await startEngine(other, undefined, prefix);
      const running = await engine.runtime.listContainers({ state: 'RUNNING' });
      assert.ok(running.length > 0, 'containers outlive a kill');
      for (const { id } of running) {
        assert.equal((await engine.runtime.execSync(id, ['true'], 5000)).exitCode, 0);
      }
      if (round === 3) await engine.removeEverything({ images: true });
      await engine[Symbol.asyncDispose]();
    }
    assert.deepEqual(leftOvers(other, prefix), []);
    await rm(other, { recursive: true, force: true });
  },
);

realTest('a pod on the host: its processes, its network; stopping it ends all of them', async target => {
  const namespaces = { network: 'NODE', pid: 'NODE', ipc: 'NODE' } as const;
  const pod = podConfig(target, 'on-host', { namespaces });
  const { runtime } = target.engine;
  const sandbox = await runtime.runPodSandbox(pod, '');
  try {
    assert.deepEqual((await runtime.podSandboxStatus(sandbox)).ips, []);
    const securityContext = { ...containerConfig(target, []).securityContext, namespaces };
    const script = 'sleep 7654321 & echo $$; ls /proc/self/ns/net -l; wait';
    const id = await runContainer(target, sandbox, pod, shell(script), { securityContext });
    const marker = shell('ls -l /proc/self/ns/net | sed "s/.*-> //"');
    assert.equal(String((await runtime.execSync(id, marker, 5000)).stdout).trim(), readlinkSync('/proc/self/ns/net'));
    assert.ok(processes().some(line => line.includes('7654321')));
    await runtime.stopContainer(id, 0);
    for (let tries = 0; tries < 50 && processes().some(line => line.includes('7654321')); tries++) {
      await systemClock.sleep(20);
    }
    assert.ok(!processes().some(line => line.includes('7654321')));
  } finally {
    await runtime.removePodSandbox(sandbox);
  }
});

realTest('what the machine lacks is said in one sentence', async target => {
  const dir = join(target.dir, 'lacking');
  const config = { nodeDir: join(dir, 'node'), runDir: join(dir, 'run'), cgroupPrefix: `${cgroupPrefix}-lacking` };
  const deps = { clock: systemClock, logger: silentLogger };
  const none = createContainerEngine(deps, { ...config, runtimePrograms: { crun: '/nowhere/crun' } });
  await assert.rejects(none, { name: 'UserError', remedy: 'apt-get install crun' });
  await assert.rejects(createContainerEngine(deps, { ...config, runDir: `/tmp/${'x'.repeat(80)}` }), /too long/);
});

/** Command lines of all processes. */
function processes(): string[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(name => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    });
}

/** Mounts, cgroups, processes that belong to an engine which was removed. */
function leftOvers(dir: string, prefix: string): string[] {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .filter(line => line.includes(dir));
  const roots = ['/sys/fs/cgroup', ...readdirSync('/sys/fs/cgroup').map(name => join('/sys/fs/cgroup', name))];
  const groups = roots.map(root => join(root, prefix)).filter(path => existsSync(path));
  return [...mounts, ...groups, ...processes().filter(line => line.includes(dir))];
}

realTest('removing everything leaves no mount, namespace, cgroup or process', async target => {
  const other = mkdtempSync(join(tmpdir(), 'kb-cri-'));
  const prefix = `${cgroupPrefix}-gone`;
  const engine = await startEngine(other, undefined, prefix);
  await engine.buildFromHost({ names: [image], node: false });
  const own = { ...target, engine, logDirectory: join(other, 'logs') };
  const pod = podConfig(own, 'gone', { namespaces: { network: 'POD', pid: 'POD', ipc: 'POD' } });
  const sandbox = await engine.runtime.runPodSandbox(pod, '');
  const id = await runContainer(own, sandbox, pod, shell('sleep 1000'));
  const monitored = (): boolean => processes().some(line => line.startsWith(`kobune container ${id.slice(0, 12)}`));
  assert.ok(monitored());
  assert.match(readFileSync('/proc/self/mounts', 'utf8'), new RegExp(other));
  await engine.removeEverything({ images: true });
  await engine[Symbol.asyncDispose]();
  assert.deepEqual(leftOvers(other, prefix), []);
  assert.ok(!existsSync(`/run/netns/kb-${sandbox.slice(0, 16)}`));
  assert.ok(!monitored());
  await rm(other, { recursive: true, force: true });
});
