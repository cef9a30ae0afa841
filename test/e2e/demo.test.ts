/**
 * The README's first command, in a copy of this checkout with an empty home and a state directory of its own. npm's
 * dependencies are linked rather than fetched again; everything else is set up as in a fresh clone.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { kubectls, whyNoContainers } from '../support/kobune.ts';
import { tracesOf } from '../support/leftovers.ts';
import { findProgram, freePort, type Output, runCommand } from '../support/program.ts';
import { openTerminal, whyNoTerminal } from '../support/terminal.ts';

const repository = resolve(import.meta.dirname, '..', '..');
const isClone = existsSync(join(repository, '.git'));
const skip =
  whyNoContainers() ??
  (kubectls().size === 0
    ? 'there is no kubectl on this machine'
    : isClone
      ? false
      : 'this is no clone of the repository');
if (skip) console.log(`demo: skipped, ${skip}`);

const firstRunMs = 120_000;
const laterRunMs = 30_000;

describe('npm run demo', { skip }, () => {
  const directory = skip ? '' : mkdtempSync(join(tmpdir(), 'kobune-demo-'));
  const copy = join(directory, 'clone');
  const home = join(directory, 'home');
  const root = join(directory, 'state');
  const { KUBECONFIG: _kubeconfig, XDG_RUNTIME_DIR: _runtime, ...inherited } = process.env;
  const env: NodeJS.ProcessEnv = { ...inherited, HOME: home, KOBUNE_ROOT: root };
  const kobune = (...args: string[]): Promise<Output> =>
    runCommand(process.execPath, [join(copy, 'bin', 'kobune.cjs'), ...args], { env });

  before(() => {
    for (const path of [copy, home]) mkdirSync(path);
    execFileSync('sh', [
      '-c',
      'cd "$1" && git ls-files -z --cached --others --exclude-standard | xargs -0 ls -d 2>/dev/null | tar -cT - | tar -xC "$2"',
      'sh',
      repository,
      copy,
    ]);
  });
  after(async () => {
    if (!directory) return;
    await kobune('down', '--delete', '--name', 'demo');
    rmSync(directory, { recursive: true, force: true });
  });

  test('--no-install refuses and prints the exact command', async () => {
    const bootstrap = [join(copy, 'bin', 'bootstrap.cjs'), 'hack/demo.ts', '--no-install'];
    const without = await runCommand(process.execPath, bootstrap, { env });
    assert.equal(without.code, 1);
    assert.match(without.stderr, /^The npm dependencies are missing\. Run: npm install$/m);
    symlinkSync(realpathSync(join(repository, 'node_modules')), join(copy, 'node_modules'));
    const bin = join(directory, 'bin');
    mkdirSync(bin);
    for (const name of ['sh', 'ip', 'nft', 'conntrack', 'crun', 'runc']) {
      const path = findProgram(name);
      if (path) symlinkSync(path, join(bin, name));
    }
    const bare = await runCommand(process.execPath, bootstrap, { env: { ...env, PATH: bin } });
    assert.equal(bare.code, 1);
    const command = 'apt-get update && apt-get install -y --no-install-recommends';
    assert.match(bare.stderr, /^missing: gcc \(builds the container monitor\)$/m);
    assert.ok(bare.stderr.includes(`Run as root: ${command} gcc\n`), bare.stderr);
    assert.ok(bare.stderr.includes(`Run as root: ${command} kubernetes-client\n`), bare.stderr);
    assert.match(bare.stderr, /^missing: gcc, kubernetes-client$/m);
    assert.doesNotMatch(bare.stderr, /^\s+at /m);
    assert.equal(existsSync(root), false, 'something was made');
  });

  let url = '';
  test('from a fresh clone: ends when the guestbook has answered, and says what to try', async () => {
    const begin = performance.now();
    const args = ['run', 'demo', '--', '--port', String(await freePort())];
    const { code, stdout, stderr } = await runCommand('npm', args, { env, cwd: copy, timeoutMs: firstRunMs });
    assert.equal(code, 0, `${stdout}\n${stderr}`);
    console.log(`demo, first run: ${((performance.now() - begin) / 1000).toFixed(1)} s`);
    for (const step of [
      'system packages',
      'build',
      'kobune up',
      'image localhost/node:host',
      'kubectl apply',
      'pods',
    ]) {
      assert.match(stdout, new RegExp(`^✔ ${step}.* \\(\\d+\\.\\d s\\)$`, 'm'));
    }
    assert.ok(!stdout.includes('\x1b') && !stdout.includes('\r'), 'plain lines where there is no terminal');
    assert.match(stdout, /^✔ write and read an entry through the Service/m);
    url = /The guestbook answers at (http:\S+) and http:/.exec(stdout)?.[1] ?? '';
    assert.match(await (await fetch(url)).text(), /<li><b>demo<\/b>: hello at /);
    for (const line of stdout.split('\n').filter(each => each.startsWith('  kubectl --context'))) {
      if (line.includes(' -f ')) continue;
      const tried = await runCommand('sh', ['-c', line], { env });
      assert.equal(tried.code, 0, `${line}: ${tried.stderr}`);
    }
  });

  const noTerminal = whyNoTerminal();
  if (noTerminal) console.log(`demo on a terminal: skipped, ${noTerminal}`);
  test('a second run takes seconds, breaks nothing, and is live on a terminal', {
    skip: noTerminal ?? false,
  }, async () => {
    const begin = performance.now();
    const command = ['npm', '--prefix', copy, 'run', 'demo'];
    await using terminal = await openTerminal(command, { env, rows: 40, columns: 200 });
    await terminal.until(/curl http/);
    assert.equal(await terminal.ended(), 0, terminal.shown);
    const tookMs = performance.now() - begin;
    assert.ok(tookMs < laterRunMs, `took ${tookMs} ms`);
    assert.ok(terminal.shown.includes('\r\x1b[2K✔ pods'), 'lines are redrawn');
    assert.doesNotMatch(terminal.shown, /✔ build/);
    const entries = (await (await fetch(`${url}/entries`)).json()) as unknown[];
    assert.equal(entries.length, 2);
  });

  test('what it says removes everything removes everything', async () => {
    const traces = tracesOf(root, 'demo');
    const removed = await kobune('down', '--delete', '--name', 'demo');
    assert.equal(removed.code, 0, removed.stderr);
    await traces.gone();
  });
});
