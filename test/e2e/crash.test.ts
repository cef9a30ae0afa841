/**
 * The server killed fifty times with SIGKILL while a client writes: every acknowledged object is there afterwards, no
 * revision is given twice, a watch resumes where it ended, and the container that ran at the start never stopped.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { load } from 'js-yaml';
import { type KubeObject, StatusError } from '#apimachinery';
import { configMaps, createClient, createHttpsTransport, type Transport } from '#client';
import { eventually, type Kobune, kubectls, startKobune, whyNoContainers } from '../support/kobune.ts';

const kills = 50;
const skip = whyNoContainers() ?? (kubectls().size === 0 ? 'there is no kubectl on this machine' : false);
if (skip) console.log(`fifty kills: skipped, ${skip}`);

interface Kubeconfig {
  readonly clusters: ReadonlyArray<{ cluster: { server: string; 'certificate-authority-data': string } }>;
  readonly users: ReadonlyArray<{ user: { 'client-certificate-data': string; 'client-key-data': string } }>;
}

function connect(kobune: Kobune): Transport {
  const { clusters, users } = load(readFileSync(kobune.kubeconfig, 'utf8')) as Kubeconfig;
  const pem = (text: string): string => Buffer.from(text, 'base64').toString('utf8');
  return createHttpsTransport({
    server: clusters[0]!.cluster.server,
    caPem: pem(clusters[0]!.cluster['certificate-authority-data']),
    certPem: pem(users[0]!.user['client-certificate-data']),
    keyPem: pem(users[0]!.user['client-key-data']),
  });
}

test('fifty times kill -9 under load loses nothing and stops no container', { skip, timeout: 600_000 }, async () => {
  await using kobune = await startKobune();
  assert.equal((await kobune.cli('image', 'build-from-host', '--tag', 'localhost/node:host')).code, 0);
  const run = [
    'run',
    'steady',
    '--image=localhost/node:host',
    '--command',
    '--',
    'node',
    '-e',
    'setInterval(()=>{},1e6)',
  ];
  assert.equal((await kobune.kubectl(run)).code, 0);
  const containerOf = async (): Promise<string> =>
    (
      await kobune.kubectl([
        'get',
        'pod',
        'steady',
        '-o',
        'jsonpath={.status.containerStatuses[0].containerID} {.status.containerStatuses[0].state.running.startedAt} {.status.containerStatuses[0].restartCount}',
      ])
    ).stdout;
  const running = await eventually('the pod runs', async () => {
    const text = await containerOf();
    return /^kobune:\/\/\S+ \d{4}\S+ 0$/.test(text) ? text : undefined;
  });

  /** Acknowledged objects by name, with the revision that the answer named. */
  const acknowledged = new Map<string, number>();
  const seen = new Set<string>();
  let watchFrom: string | undefined;
  let count = 0;
  for (let round = 0; round < kills; round++) {
    const transport = connect(kobune);
    const maps = createClient(transport).resource(configMaps).namespace('default');
    const abort = new AbortController();
    watchFrom ??= (await maps.list()).metadata.resourceVersion!;
    const watching = (async () => {
      const events = await maps.watch({ resourceVersion: watchFrom!, allowWatchBookmarks: true, signal: abort.signal });
      for await (const { type, object } of events) {
        if (type === 'ERROR') throw new Error(`the watch did not resume: ${JSON.stringify(object)}`);
        watchFrom = object.metadata.resourceVersion!;
        if (type === 'ADDED') seen.add(object.metadata.name!);
      }
    })().catch(error => {
      if (error instanceof StatusError || /did not resume/.test(String(error))) throw error;
    });
    let writing = true;
    const writers = Array.from({ length: 8 }, async () => {
      while (writing) {
        const name = `m${count++}`;
        try {
          const made: KubeObject = await maps.create({ metadata: { name }, data: { round: String(round) } });
          acknowledged.set(name, Number(made.metadata.resourceVersion));
        } catch {
          return;
        }
      }
    });
    await new Promise(resolve => setTimeout(resolve, 50 + ((round * 37) % 200)));
    process.kill(kobune.pid(), 'SIGKILL');
    writing = false;
    await Promise.allSettled(writers);
    abort.abort();
    await watching;
    await transport[Symbol.asyncDispose]();
    const up = await kobune.cli('up');
    assert.equal(up.code, 0, `round ${round}: ${up.stderr}`);
  }

  await using transport = connect(kobune);
  const maps = createClient(transport).resource(configMaps).namespace('default');
  const { items, metadata } = await maps.list();
  const byName = new Map(items.map(item => [item.metadata.name!, item]));
  const lost = [...acknowledged.keys()].filter(name => !byName.has(name));
  assert.deepEqual(lost, []);
  for (const [name, revision] of acknowledged) {
    assert.equal(Number(byName.get(name)!.metadata.resourceVersion), revision, `${name} changed its revision`);
  }
  const revisions = items.map(item => item.metadata.resourceVersion!);
  assert.equal(new Set(revisions).size, revisions.length, 'a revision was given twice');
  const events = await maps.watch({ resourceVersion: watchFrom!, allowWatchBookmarks: true, timeoutSeconds: 2 });
  for await (const { type, object } of events) if (type === 'ADDED') seen.add(object.metadata.name!);
  const missed = [...acknowledged.keys()].filter(name => !seen.has(name));
  assert.deepEqual(missed, [], 'the resumed watch missed objects');
  assert.equal(await containerOf(), running);
  console.log(`${kills} kills: ${acknowledged.size} acknowledged objects, list at ${metadata.resourceVersion}`);
});
