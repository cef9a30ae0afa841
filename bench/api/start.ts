/**
 * Start of our own program with 100,000 pods in its store: until it is ready, until the first pod is read (the cache of
 * pods is filled then), and its memory. The bundle is measured where there is one, else the source.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '#client';
import { freePort, launcher, runCommand } from '../../test/support/program.ts';
import { clientOf } from '../kubeconfig.ts';
import { drained, type Figures } from './figures.ts';
import { fill, pod } from './fill.ts';
import { residentMb } from './server-metrics.ts';

const objects = 100_000;

interface Own {
  readonly client: Client;
  readonly readyMs: number;
  stop(): Promise<void>;
}

async function until(ready: () => Promise<unknown>): Promise<void> {
  for (;;) {
    const there = await ready().then(
      () => true,
      () => false,
    );
    if (there) return;
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}

async function startOwn(root: string, port: number): Promise<Own> {
  const env = { ...process.env, KOBUNE_ROOT: root, KUBECONFIG: join(root, 'kubeconfig'), HOME: root };
  const begin = performance.now();
  const arguments_ = [launcher, 'server', '--api-only', '--port', String(port), '--log-level', 'error'];
  const child: ChildProcess = spawn(process.execPath, arguments_, { env, stdio: 'ignore' });
  const kubeconfig = join(root, 'admin');
  let client: Client | undefined;
  await until(async () => {
    if (!client) {
      const { code, stdout } = await runCommand(process.execPath, [launcher, 'kubeconfig'], { env });
      if (code !== 0) throw new Error('not yet');
      writeFileSync(kubeconfig, stdout);
      client = clientOf(kubeconfig);
    }
    await drained((await client.transport.request({ method: 'GET', path: '/readyz' })).bytes());
  });
  const readyMs = performance.now() - begin;
  return {
    client: client!,
    readyMs,
    async stop() {
      await client!.transport[Symbol.asyncDispose]();
      const ended = new Promise(resolve => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
    },
  };
}

export async function measureStart(): Promise<Figures> {
  const root = mkdtempSync(join(tmpdir(), 'kobune-bench-'));
  const figures: Figures = new Map();
  try {
    const port = await freePort();
    const first = await startOwn(root, port);
    const path = '/api/v1/namespaces/default/pods';
    const account = { metadata: { name: 'default' } };
    const accounts = '/api/v1/namespaces/default/serviceaccounts';
    await first.client.transport.request({ method: 'POST', path: accounts, body: account }).catch(() => {});
    const { client } = first;
    await fill({ client, connect: () => client, namespace: 'default', large: true }, path, pod, 0, objects);
    await first.stop();
    const again = await startOwn(root, port);
    figures.set('start with 100,000 pods until ready (ms)', again.readyMs);
    const begin = performance.now();
    const query = [['limit', '1']] as const;
    await drained((await again.client.transport.request({ method: 'GET', path: '/api/v1/pods', query })).bytes());
    figures.set('… until the first pod is read (ms)', performance.now() - begin);
    figures.set('memory with 100,000 pods (MB)', await residentMb(again.client));
    await again.stop();
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  return figures;
}
