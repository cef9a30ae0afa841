/**
 * What the program says when the machine, its files or its user are not as they should be: one sentence and what to do,
 * never a stack; and what it leaves alone meanwhile. Machines without a runtime, nftables or overlayfs are in
 * test/e2e/errors.test.ts.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { dump, load } from 'js-yaml';
import { stateDir } from '#cluster';
import { noOwnDisk, onOwnDisk } from '../support/own-disk.ts';
import { assertSentence, createPlace, freePort, launcher, type Place } from '../support/program.ts';

/** A place that goes with the test, and an API-only cluster's flags. */
async function place(t: TestContext): Promise<Place & { readonly up: readonly string[] }> {
  const made = createPlace();
  t.after(() => made[Symbol.asyncDispose]());
  return { ...made, up: ['up', '--api-only', '--port', String(await freePort())] };
}

/** Files below a directory with their sums. */
function sums(directory: string): Record<string, string> {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter(name => statSync(join(directory, name)).isFile())
    .sort();
  return Object.fromEntries(
    files.map(name => [
      name,
      createHash('sha256')
        .update(readFileSync(join(directory, name)))
        .digest('hex'),
    ]),
  );
}

describe('who may, and where', () => {
  test('a port that is in use', async t => {
    const { kobune } = await place(t);
    const other = createServer();
    await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve));
    t.after(() => other.close());
    const { port } = other.address() as { port: number };
    const sentence = new RegExp(`^Port ${port} on 127\\.0\\.0\\.1 is in use\\. Choose another: kobune up --port PORT`);
    for (const command of ['up', 'server']) {
      assertSentence(await kobune([command, '--api-only', '--port', String(port), '--name', 'a']), sentence);
    }
    assert.equal((await kobune(['status', '--name', 'a'])).code, 1);
  });

  test('a second server on the same data', async t => {
    const { kobune, up, root } = await place(t);
    assert.equal((await kobune(up)).code, 0);
    assert.match((await kobune(up)).stdout, /runs already/);
    const server = ['server', '--api-only', '--port', String(await freePort())];
    assertSentence(
      await kobune(server),
      /^A server of "default" runs already \(process \d+\)\. Stop it: kobune down --name default$/m,
    );
    const file = stateDir(root, 'default').serverFile;
    const kept = readFileSync(file);
    rmSync(file);
    assertSentence(await kobune(server), /in use by another process\. Another server uses it; stop that one/);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, kept);
    assert.equal((await kobune(['status', '--name', 'default'])).code, 0, 'the first goes on');
  });

  const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
  const canBeNobody =
    process.getuid?.() === 0 &&
    spawnSync(nobody[0]!, [...nobody.slice(1), process.execPath, launcher, 'version']).status === 0;
  const skip = canBeNobody ? false : 'needs root, setpriv, and a checkout that every user can read';
  if (skip) console.log(`without root: skipped, ${skip}`);

  test('not root: nothing is made; without containers it works', { skip }, async t => {
    const { kobune, root, directory, up } = await place(t);
    for (const path of [directory, root]) chownSync(path, 65534, 65534);
    for (const command of ['up', 'server']) {
      const refused = await kobune([command, '--name', 'mine'], { through: nobody });
      assertSentence(refused, /^Running containers needs root\. Run the same command with sudo, or .*--no-node$/m);
    }
    assert.deepEqual(readdirSync(root), []);
    const works = await kobune([...up.filter(flag => flag !== '--api-only'), '--no-node'], { through: nobody });
    assert.equal(works.code, 0, works.stderr);
    const removed = await kobune(['down', '--delete'], { through: nobody });
    assert.equal(removed.code, 0, removed.stderr);
    assert.deepEqual(readdirSync(root), []);
  });

  test('a directory that the user may not write, or that is none', { skip }, async t => {
    const { kobune, directory, up } = await place(t);
    const closed = join(directory, 'closed');
    mkdirSync(closed, { mode: 0o700 });
    const elsewhere = await kobune([...up, '--root', join(closed, 'x')], { through: nobody });
    assertSentence(elsewhere, /^Cannot mkdir .*: this user may not\..*KOBUNE_ROOT\.$/m);
    writeFileSync(join(directory, 'file'), '');
    const file = await kobune([...up, '--root', join(directory, 'file')]);
    assertSentence(file, /^Cannot \w+ .*\. Choose another directory with KOBUNE_ROOT\.$/m);
  });

  test('wrong words on the command line', async t => {
    const { kobune } = await place(t);
    const expected: ReadonlyArray<readonly [readonly string[], RegExp]> = [
      [['frobnicate'], /unknown command 'frobnicate'/],
      [['up', '--port', '99999'], /A port is 1 to 65535/],
      [['up', '--name', 'Not_A_Name'], /"Not_A_Name" cannot be the name of a cluster/],
      [['down', '--name', 'absent'], /There is no cluster "absent".*Make it: kobune up --name absent/],
      [['image', 'import', '/none'], /There is no cluster "default"/],
    ];
    for (const [args, message] of expected) {
      const { code, stderr } = await kobune(args);
      assert.equal(code, 1);
      assert.match(stderr, message);
      assert.doesNotMatch(stderr, /^\s+at /m);
    }
  });
});

describe('damaged files', () => {
  test('a damaged store: refused, unchanged, with the way to look at it', async t => {
    const { kobune, up, root } = await place(t);
    assert.equal((await kobune(up)).code, 0);
    assert.equal((await kobune(['down'])).code, 0);
    const folder = join(root, 'default', 'store');
    const path = join(folder, 'store.db');
    const sound = readFileSync(path);
    const spoil = (at: number, bytes: Uint8Array): void => {
      const file = openSync(path, 'r+');
      writeSync(file, bytes, 0, bytes.length, at);
      closeSync(file);
    };
    const refused = async (expected: RegExp): Promise<void> => {
      const before = sums(folder);
      for (const command of ['up', 'server']) assertSentence(await kobune([command, ...up.slice(1)]), expected);
      assert.deepEqual(sums(folder), before, 'something was changed');
      writeFileSync(path, sound);
    };
    const look = 'Nothing was changed; look at it with: sqlite3 -readonly \\S+/store\\.db "pragma integrity_check"';
    spoil(16_384, new Uint8Array(24_576).fill(0xa5));
    await refused(new RegExp(`^The store cannot be opened: .*store\\.db is damaged: .*\\. ${look}$`, 'm'));
    writeFileSync(path, 'not a database');
    await refused(new RegExp(`^The store cannot be opened: .* ${look}$`, 'm'));
    spoil(60, Uint8Array.of(0, 0, 0, 9));
    await refused(/has format 9; this program knows formats up to \d+\. Use the newer program that wrote it\.$/m);
    const again = await kobune(up);
    assert.equal(again.code, 0, again.stderr);
  });

  test('a damaged config.yaml: told, harms no other cluster, and can be removed', async t => {
    const { kobune, up, root } = await place(t);
    assert.equal((await kobune([...up, '--name', 'sound'])).code, 0);
    const config = join(root, 'damaged', 'config.yaml');
    mkdirSync(join(root, 'damaged'));
    const contents: ReadonlyArray<readonly [string, RegExp]> = [
      ['{', /config\.yaml is no YAML: .* Mend the file, or remove the cluster: kobune down --delete --name damaged$/m],
      ['- 1\n', /has version undefined; this program knows version 1/],
      ['version: 7\n', /has version 7; this program knows version 1/],
      ['version: 1\nindex: 5\nnodeName: a\nfrob: 1\n', /has a setting that does not exist: frob/],
      ['version: 1\nindex: 5\nnodeName: a\napiPort: high\n', /has a string for apiPort, which is a number/],
    ];
    for (const [content, message] of contents) {
      writeFileSync(config, content);
      assertSentence(await kobune(['up', '--api-only', '--name', 'damaged']), message);
    }
    const { stdout } = await kobune(['status']);
    assert.match(stdout, /^damaged: damaged\n {2}problem/m);
    assert.match(stdout, /^sound: ready$/m);
    assert.equal((await kobune(['down', '--delete', '--name', 'damaged'])).code, 0);
    assert.equal(existsSync(join(root, 'damaged')), false);
  });

  test('a damaged kubeconfig is left as it is, and nothing is started', async t => {
    const { kobune, up, kubeconfig } = await place(t);
    for (const content of ['{', '- 1\n', 'clusters: 5\n', 'users: [1]\n']) {
      writeFileSync(kubeconfig, content);
      assertSentence(await kobune(up), /the context was not changed\. Mend the file, or move it away\.$/m);
      assert.equal(readFileSync(kubeconfig, 'utf8'), content);
    }
    assert.match((await kobune(['status'])).stdout, /^No clusters/);
    assert.equal((await kobune([...up, '--no-kubeconfig'])).code, 0);
  });

  test('a kubeconfig of others stays theirs: up and down --delete change one context', async t => {
    const { kobune, up, kubeconfig } = await place(t);
    const theirs = {
      apiVersion: 'v1',
      kind: 'Config',
      preferences: { colors: true },
      clusters: [{ name: 'prod', cluster: { server: 'https://prod.example:6443' } }],
      users: [{ name: 'me', user: { token: 'secret' } }],
      contexts: [{ name: 'prod', context: { cluster: 'prod', user: 'me', namespace: 'apps' } }],
      'current-context': 'prod',
    };
    writeFileSync(kubeconfig, dump(theirs), { mode: 0o600 });
    assert.equal((await kobune([...up, '--name', 'mine'])).code, 0);
    const merged = load(readFileSync(kubeconfig, 'utf8')) as typeof theirs;
    assert.equal(merged['current-context'], 'kobune-mine');
    assert.deepEqual(
      merged.contexts.map(each => each.name),
      ['prod', 'kobune-mine'],
    );
    assert.equal((await kobune(['down', '--delete', '--name', 'mine'])).code, 0);
    assert.deepEqual(load(readFileSync(kubeconfig, 'utf8')), { ...theirs, 'current-context': '' });
    assert.equal(statSync(kubeconfig).mode & 0o777, 0o600);
  });
});

test('a full disk: writes are refused with a reason, reads go on, and so do writes when there is space', {
  skip: noOwnDisk(),
}, async () => {
  const child = join(import.meta.dirname, 'server-full-disk-child.ts');
  const told = await onOwnDisk(child, { sizeMegabytes: 12, ballast: true }, String(await freePort()));
  const { acknowledged } = told as { readonly acknowledged: number };
  assert.deepEqual(told, {
    acknowledged,
    refusal: { code: 500, reason: 'InternalError', message: 'Internal error occurred: the disk is full' },
    readable: acknowledged + 1,
    one: 20_000,
    again: 'InternalError',
    stored: acknowledged,
  });
  assert.ok(acknowledged > 50, 'the disk was full from the start');
});
