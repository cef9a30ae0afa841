/**
 * The command line, as the README shows it: up, status, logs, kubeconfig, image, version, help, two clusters side by
 * side, and `down --delete`, after which nothing of a cluster is left on the machine.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { dump, load } from 'js-yaml';
import { pack } from 'tar-stream';
import { eventually, kubectls, whyNoContainers } from '../support/kobune.ts';
import { tracesOf } from '../support/leftovers.ts';
import { createPlace, freePort, launcher, type Output, type Place, runCommand } from '../support/program.ts';

const repository = resolve(import.meta.dirname, '..', '..');
const skip = whyNoContainers() ?? (kubectls().size === 0 ? 'there is no kubectl on this machine' : false);
if (skip) console.log(`command line with containers: skipped, ${skip}`);

const commands = ['up', 'down', 'status', 'logs', 'kubeconfig', 'server', 'image', 'certs', 'version'];
const foreign = {
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'prod', cluster: { server: 'https://prod.example:6443' } }],
  users: [{ name: 'me', user: { token: 'secret' } }],
  contexts: [{ name: 'prod', context: { cluster: 'prod', user: 'me' } }],
  'current-context': 'prod',
};

/** A docker archive of one layer that holds one program. */
async function dockerArchive(reference: string, program: Buffer): Promise<Buffer> {
  const tar = async (files: ReadonlyArray<readonly [name: string, content: Buffer, mode: number]>): Promise<Buffer> => {
    const archive = pack();
    for (const [name, content, mode] of files) archive.entry({ name, mode }, content);
    archive.finalize();
    return Buffer.concat(await Array.fromAsync(archive as AsyncIterable<Buffer>));
  };
  const layer = await tar([['hello', program, 0o755]]);
  const config = JSON.stringify({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Entrypoint: ['/hello'], Labels: { reference } },
    rootfs: { type: 'layers', diff_ids: [`sha256:${createHash('sha256').update(layer).digest('hex')}`] },
  });
  const manifest = JSON.stringify([{ Config: 'config.json', RepoTags: [reference], Layers: ['layer.tar'] }]);
  return tar([
    ['config.json', Buffer.from(config), 0o644],
    ['layer.tar', layer, 0o644],
    ['manifest.json', Buffer.from(manifest), 0o644],
  ]);
}

test('version and help: every command is listed, each with examples', async () => {
  const kobune = (...args: string[]): Promise<Output> => runCommand(process.execPath, [launcher, ...args]);
  const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { version: string };
  assert.match(
    (await kobune('version')).stdout,
    new RegExp(`^kobune ${version} \\(Kubernetes v1\\.36\\.\\d+, Node v\\d+`),
  );
  assert.equal((await kobune('--version')).stdout.trim(), version);
  const help = await kobune('--help');
  assert.equal(help.code, 0);
  assert.match(help.stdout, /Examples:\n {2}kobune up /);
  assert.match(help.stdout, /\/var\/lib\/kobune\/<name>.*KOBUNE_ROOT/);
  for (const command of commands) {
    assert.match(help.stdout, new RegExp(`^  ${command}\\b`, 'm'));
    const own = await kobune(command, '--help');
    assert.equal(own.code, 0);
    assert.match(own.stdout, new RegExp(`Examples?:\\n(.*\\n)*?  .*kobune ${command}\\b`), `${command} has no example`);
  }
});

test("the README's way from a checkout: npx kobune", async () => {
  const { code, stdout, stderr } = await runCommand('npx', ['--offline', '--no', 'kobune', 'version'], {
    cwd: repository,
  });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^kobune \d/);
  const readme = readFileSync(join(repository, 'README.md'), 'utf8');
  for (const [, command] of readme.matchAll(/^npx kobune (\S+)/gm))
    assert.ok(commands.includes(`${command}`), `no command ${command}`);
});

describe('two clusters side by side', { skip }, () => {
  let place: Place;
  const newest = [...kubectls().values()].at(-1) ?? 'kubectl';
  const ok = async (output: Promise<Output>): Promise<string> => {
    const { code, stdout, stderr } = await output;
    assert.equal(code, 0, `${stderr}\n${stdout}`);
    return stdout;
  };
  const kobune = (...args: string[]): Promise<string> => ok(place.kobune(args));
  const kubectl = (cluster: string, ...args: string[]): Promise<string> =>
    ok(runCommand(newest, ['--context', `kobune-${cluster}`, ...args], { env: place.env }));
  const contexts = (): string[] =>
    (load(readFileSync(place.kubeconfig, 'utf8')) as typeof foreign).contexts.map(each => each.name);
  const ports = new Map<string, string>();

  before(() => {
    place = createPlace();
    writeFileSync(place.kubeconfig, dump(foreign));
  });
  after(() => place?.[Symbol.asyncDispose]());

  test('up: ready at once usable, its context current, those of others kept', async () => {
    for (const name of ['one', 'two']) {
      ports.set(name, String(await freePort()));
      const said = await kobune('up', '--name', name, '--port', ports.get(name)!);
      assert.match(said, new RegExp(`^Cluster "${name}" is ready at https://127\\.0\\.0\\.1:${ports.get(name)} \\(`));
      assert.match(said, new RegExp(`^Context "kobune-${name}" is current in `, 'm'));
      assert.match(await kubectl(name, 'get', 'nodes', '--no-headers'), / Ready /);
    }
    assert.deepEqual(contexts(), ['prod', 'kobune-one', 'kobune-two']);
  });

  test('status: both are ready, in text and JSON; the exit code tells about one', async () => {
    const text = await kobune('status');
    assert.match(text, /^one: ready\n {2}API {10}https:[\s\S]*^two: ready\n/m);
    for (const label of ['process', 'node', 'data', 'services', 'pods'])
      assert.match(text, new RegExp(`^  ${label} `, 'm'));
    const all = JSON.parse(await kobune('status', '-o', 'json')) as Array<{ name: string; state: string }>;
    assert.deepEqual(
      all.map(({ name, state }) => `${name} ${state}`),
      ['one ready', 'two ready'],
    );
    assert.equal((await place.kobune(['status', '--name', 'absent'])).code, 1);
  });

  test('kubeconfig: printed for one cluster, and merged on request', async () => {
    const printed = load(await kobune('kubeconfig', '--name', 'one')) as typeof foreign;
    assert.deepEqual(
      printed.contexts.map(each => each.name),
      ['kobune-one'],
    );
    const alone = join(place.directory, 'one.yaml');
    writeFileSync(alone, dump(printed));
    const nodes = await ok(runCommand(newest, ['--kubeconfig', alone, 'get', 'nodes', '-o', 'name'], place));
    assert.match(nodes, /^node\//);
    assert.match(await kobune('kubeconfig', '--merge', '--name', 'one'), /^Context "kobune-one" is current in /);
    assert.equal((load(readFileSync(place.kubeconfig, 'utf8')) as typeof foreign)['current-context'], 'kobune-one');
  });

  test('image: build-from-host, import from a file and from standard input, ls, rm', async () => {
    const image = (...args: string[]): Promise<string> => kobune('image', ...args, '--name', 'one');
    assert.match(await image('build-from-host'), /^localhost\/node:host [0-9a-f]{12} \d+\.\d MB$/m);
    const source = join(place.directory, 'hello.c');
    writeFileSync(source, '#include <unistd.h>\nint main(void) { return write(1, "imported\\n", 9) != 9; }\n');
    await ok(runCommand('cc', ['-static', '-Os', '-o', join(place.directory, 'hello'), source]));
    const archive = await dockerArchive('example.test/hello:1', readFileSync(join(place.directory, 'hello')));
    const file = join(place.directory, 'hello.tar');
    writeFileSync(file, archive);
    assert.match(await image('import', file), /^example\.test\/hello:1 [0-9a-f]{12} /m);
    const second = await dockerArchive('example.test/hello:2', readFileSync(join(place.directory, 'hello')));
    writeFileSync(`${file}.gz`, gzipSync(second));
    const piped = await runCommand(
      'sh',
      ['-c', `"$1" "$2" image import - --name one < "$3"`, 'sh', process.execPath, launcher, `${file}.gz`],
      place,
    );
    assert.match(await ok(Promise.resolve(piped)), /^example\.test\/hello:2 /m);
    const listed = (await image('ls')).split('\n').map(line => line.split(' ')[0]);
    assert.deepEqual(listed, ['example.test/hello:1', 'example.test/hello:2', 'localhost/node:host', '']);
    await kubectl('one', 'run', 'hello', '--image=example.test/hello:1', '--restart=Never');
    await eventually('the imported image ran', async () =>
      (await kubectl('one', 'get', 'pod', 'hello', '-o', 'jsonpath={.status.phase}')) === 'Succeeded'
        ? true
        : undefined,
    );
    assert.equal(await kubectl('one', 'logs', 'hello'), 'imported\n');
    await kubectl('one', 'delete', 'pod', 'hello');
    const removed = await eventually('the images are no longer in use', async () => {
      const output = await place.kobune(['image', 'rm', 'example.test/hello:1', '--name', 'one']);
      if (output.code === 0) return output.stdout;
      assert.match(output.stderr, /^image "example\.test\/hello:1" is used by a container$/m);
      return undefined;
    });
    assert.equal(removed, 'removed example.test/hello:1\n');
    assert.equal(await image('rm', 'example.test/hello:2'), 'removed example.test/hello:2\n');
    assert.doesNotMatch(await image('ls'), /hello/);
    assert.match(
      (await place.kobune(['image', 'rm', 'none:1', '--name', 'one'])).stderr,
      /^There is no image "none:1"\.$/m,
    );
    const broken = join(place.directory, 'broken.tar');
    writeFileSync(broken, 'no archive');
    const refused = await place.kobune(['image', 'import', broken, '--name', 'one']);
    assert.equal(refused.code, 1);
    assert.doesNotMatch(refused.stderr, /^\s+at /m);
  });

  test('logs: what the server wrote, and what it goes on to write', async () => {
    assert.match(await kobune('logs', '--name', 'one'), /"message":"ready"/);
    const following = spawn(process.execPath, [launcher, 'logs', '-f', '--name', 'two'], {
      env: place.env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      let text = '';
      following.stdout.setEncoding('utf8').on('data', chunk => (text += chunk));
      await eventually('the log so far', async () => (/"ready"/.test(text) ? true : undefined));
      await kobune('down', '--name', 'two');
      await eventually('the log goes on', async () => (/"stopping"/.test(text) ? true : undefined));
    } finally {
      following.kill();
    }
    assert.match(await kobune('status'), /^two: stopped$/m);
    await kobune('up', '--name', 'two');
  });

  test('two clusters do not meet: the same names, each its own pods, Services and node ports', async () => {
    const addresses = new Map<string, string>();
    for (const name of ['one', 'two']) {
      if (name === 'two') await kobune('image', 'build-from-host', '--name', name);
      const server = `require("http").createServer((q, r) => r.end("${name}")).listen(80)`;
      await kubectl(
        name,
        'run',
        'web',
        '--image=localhost/node:host',
        '--port=80',
        '--command',
        '--',
        'node',
        '-e',
        server,
      );
      await kubectl(name, 'expose', 'pod', 'web', '--port=80');
    }
    for (const name of ['one', 'two']) {
      await kubectl(name, 'wait', 'pod/web', '--for=condition=Ready', '--timeout=30s');
      addresses.set(name, await kubectl(name, 'get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}'));
      const answer = await eventually(`the Service of ${name} answers`, () =>
        fetch(`http://${addresses.get(name)}`, { signal: AbortSignal.timeout(2000) }).then(
          response => response.text(),
          () => undefined,
        ),
      );
      assert.equal(answer, name);
    }
    assert.notEqual(addresses.get('one'), addresses.get('two'));
  });

  test('down leaves containers running, down --delete leaves nothing, and the other cluster goes on', async () => {
    const one = tracesOf(place.root, 'one');
    const two = tracesOf(place.root, 'two');
    await kobune('down', '--name', 'one');
    const running = one.now().join('\n');
    for (const kind of ['process', 'mount', 'namespace', 'table', 'interface', 'cgroup', 'directory']) {
      assert.match(running, new RegExp(`^${kind} `, 'm'), `the check for leftovers sees no ${kind}`);
    }
    assert.match(await kobune('down', '--delete', '--name', 'one'), /Removed the cluster "one" and its context\./);
    await one.gone();
    assert.deepEqual(contexts(), ['prod', 'kobune-two']);
    assert.match(await kubectl('two', 'exec', 'web', '--', 'node', '-p', '6*7'), /^42$/m);
    await kobune('down', '--delete', '--name', 'two');
    await two.gone();
    assert.deepEqual(
      { ...(load(readFileSync(place.kubeconfig, 'utf8')) as object), 'current-context': '' },
      {
        ...foreign,
        'current-context': '',
      },
    );
    assert.equal(existsSync(join(place.root, 'one')), false);
    assert.match(await kobune('status'), /^No clusters under /);
  });
});
