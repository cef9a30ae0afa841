/** `kobune server --api-only` as a process of its own, for what only a whole server does. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { eventually } from '../../support/kobune.ts';

const launcher = resolve(import.meta.dirname, '..', '..', '..', 'bin', 'kobune.cjs');

export interface ServerProcess extends AsyncDisposable {
  /** Path of an administrator's kubeconfig. */
  readonly kubeconfig: string;
  readonly port: number;
}

export async function startServerProcess(): Promise<ServerProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'kobune-server-'));
  const kubeconfig = join(folder, 'kubeconfig');
  const env = { ...process.env, KOBUNE_ROOT: folder, KUBECONFIG: kubeconfig, HOME: folder };
  const port = await freePort();
  const args = [launcher, 'server', '--api-only', '--store', 'memory', '--port', String(port)];
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  let ready = false;
  child.stderr.setEncoding('utf8').on('data', text => {
    log += text;
    ready ||= log.includes('"message":"ready"');
  });
  const exited = new Promise<void>(done => child.once('exit', () => done()));
  const remove = async (): Promise<void> => {
    child.kill('SIGTERM');
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await eventually('the server is ready', async () => {
      if (child.exitCode !== null) throw new Error(`the server ended: ${log.slice(-1000)}`);
      return ready || undefined;
    });
    const printed = spawnSync(process.execPath, [launcher, 'kubeconfig'], { env, encoding: 'utf8' });
    writeFileSync(kubeconfig, printed.stdout, { mode: 0o600 });
  } catch (error) {
    await remove();
    throw error;
  }
  return { kubeconfig, port, [Symbol.asyncDispose]: remove };
}

function freePort(): Promise<number> {
  return new Promise((resolvePort, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolvePort(port));
    });
  });
}
