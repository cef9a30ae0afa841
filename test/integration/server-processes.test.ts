/**
 * Servers as processes that share an etcd and die in every way: killed, they are taken out of the kubernetes Service
 * when their lease has ended, and are back as soon as they are; told to stop twice they end there and then, and told to
 * stop before they were ready they end as well.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { systemClock } from '#base';
import { clusterNames, stateDir } from '#cluster';
import { openEtcdStore, prefixEnd } from '#storage';
import { type EtcdCluster, etcdMissing, startEtcd } from '../support/etcd.ts';
import { freePort, launcher } from '../support/program.ts';

/** Of upstream's leases (15 s), and the time between two looks of another server (10 s), on a machine that is busy. */
const expiryMs = 15_000 + 10_000 + 20_000;

interface Process {
  readonly child: ChildProcess;
  readonly root: string;
  readonly port: number;
  /** Everything that it wrote. */
  readonly said: () => string;
}

const root = mkdtempSync(join(tmpdir(), 'kobune-servers-'));
const children = new Set<ChildProcess>();
after(() => {
  for (const child of children) child.kill('SIGKILL');
  for (const name of clusterNames(root)) rmSync(stateDir(root, name).run, { recursive: true, force: true });
  rmSync(root, { recursive: true, force: true });
});

function run(name: string, port: number, flags: readonly string[]): Process {
  const args = [launcher, 'server', '--root', root, '--name', name, '--api-only', '--port', `${port}`, ...flags];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  let said = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.setEncoding('utf8').on('data', text => (said += text));
  return { child, root, port, said: () => said };
}

async function ready(server: Process): Promise<Process> {
  for (let turn = 0; !server.said().includes('"ready"'); turn++) {
    assert.ok(turn < 1200 && server.child.exitCode === null, server.said());
    await pause(50);
  }
  return server;
}

async function died(server: Process): Promise<number | NodeJS.Signals> {
  const { child } = server;
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode ?? child.signalCode!;
}

function read(name: string, port: number, path: string): Promise<string> {
  const pki = (file: string): Buffer => readFileSync(join(root, name, 'pki', file));
  const tls = { ca: pki('ca.crt'), cert: pki('admin.crt'), key: pki('admin.key') };
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, agent: false, ...tls }, async response => {
      let text = '';
      for await (const part of response.setEncoding('utf8')) text += part;
      resolve(text);
    });
    sent.once('error', reject).end();
  });
}

describe('two servers on one etcd', { skip: etcdMissing() ?? false, timeout: 240_000 }, () => {
  let etcd: EtcdCluster;
  before(async () => {
    etcd = await startEtcd(1);
  });
  after(() => etcd?.[Symbol.asyncDispose]());

  it('one that is killed leaves the kubernetes Service when its lease ends, and is back at once when it is', async () => {
    const start = async (name: string, address: string): Promise<Process> => {
      const flags = [`--etcd-servers=${etcd.endpoints.join(',')}`, `--advertise-address=${address}`];
      return ready(run(name, await freePort(), flags));
    };
    const one = await start('one', '192.0.2.11');
    const two = await start('two', '192.0.2.12');
    const addresses = async (): Promise<string[]> => {
      const text = await read('one', one.port, '/api/v1/namespaces/default/endpoints/kubernetes');
      const { subsets } = JSON.parse(text) as { subsets: Array<{ addresses: Array<{ ip: string }> }> };
      return subsets.flatMap(each => each.addresses.map(({ ip }) => ip));
    };
    const slice = async (): Promise<string[]> => {
      const path = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes';
      const { endpoints } = JSON.parse(await read('one', one.port, path)) as {
        endpoints: Array<{ addresses: string[] }>;
      };
      return endpoints.flatMap(each => each.addresses);
    };
    const become = async (expected: readonly string[], withinMs: number): Promise<number> => {
      const begun = performance.now();
      for (;;) {
        const found = [(await addresses()).sort(), (await slice()).sort()];
        if (found.every(each => each.join() === expected.join())) return performance.now() - begun;
        assert.ok(performance.now() - begun < withinMs, `${JSON.stringify(found)} after ${withinMs} ms`);
        await pause(100);
      }
    };
    await become(['192.0.2.11', '192.0.2.12'], 15_000);
    two.child.kill('SIGKILL');
    await died(two);
    const tookMs = await become(['192.0.2.11'], expiryMs);
    assert.ok(tookMs > 3000, `a lease of 15 s that is renewed every 10 s was over after ${tookMs} ms`);
    const store = await openEtcdStore({ endpoints: etcd.endpoints, clock: systemClock });
    const range = { start: '/registry/masterleases/', end: prefixEnd('/registry/masterleases/'), keysOnly: true };
    assert.deepEqual(
      (await store.range(range)).kvs.map(({ key }) => key),
      ['/registry/masterleases/192.0.2.11'],
    );
    await store.close();
    const again = await start('two', '192.0.2.12');
    await become(['192.0.2.11', '192.0.2.12'], 5000);
    const leases = JSON.parse(
      await read('one', one.port, '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases'),
    ) as { items: Array<{ metadata: { name: string }; spec: { holderIdentity: string } }> };
    const names = leases.items.map(({ metadata }) => metadata.name).filter(name => name.startsWith('apiserver-'));
    assert.ok(names.length >= 1);
    again.child.kill('SIGTERM');
    assert.equal(await died(again), 0);
    await become(['192.0.2.11'], 5000);
    one.child.kill('SIGTERM');
    assert.equal(await died(one), 0);
  });
});

describe('a server that is told to stop', { timeout: 120_000 }, () => {
  it('twice ends there and then', async () => {
    const server = await ready(run('twice', await freePort(), ['--store', 'memory', '--shutdown-delay-duration=60s']));
    server.child.kill('SIGTERM');
    await pause(500);
    assert.equal(server.child.exitCode, null, 'it waits as it was told to');
    const begun = performance.now();
    server.child.kill('SIGTERM');
    assert.notEqual(await died(server), 0);
    assert.ok(performance.now() - begun < 5000);
  });

  for (const afterMs of [50, 400, 900, 1600, 2500]) {
    it(`${afterMs} ms after it began ends with a sentence, or as one that was ready, and starts again`, async () => {
      const name = `early-${afterMs}`;
      const port = await freePort();
      const server = run(name, port, []);
      await pause(afterMs);
      server.child.kill('SIGTERM');
      const end = await died(server);
      const said = server.said();
      assert.doesNotMatch(said, /^\s+at /m, 'a stack');
      if (!said.includes('"ready"')) assert.ok(end === 'SIGTERM' || said.includes('stopped before it was ready'), said);
      else assert.equal(end, 0, said);
      const again = await ready(run(name, port, []));
      again.child.kill('SIGTERM');
      assert.equal(await died(again), 0);
    });
  }
});
