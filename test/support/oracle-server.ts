/**
 * `kobune server --api-only` in a state directory of its own, with the flags of the server whose answers were recorded,
 * each by upstream's own name. Stopped and removed when disposed.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { stateDir } from '#cluster';
import { freePort, launcher, runCommand } from './program.ts';

export interface OracleServer extends AsyncDisposable {
  readonly url: string;
  /** Path of the PEM file of its authority. */
  readonly caFile: string;
  /** A bearer token of a member of system:masters: a row that sends a token of its own then is not known by another. */
  readonly token: string;
}

const token = 'oracle-token';
const name = 'oracle';

/** The recording had no client authority, hence none in kube-system/extension-apiserver-authentication: no such flag. */
const flags: readonly string[] = [
  '--store=memory',
  '--authorization-mode=Node,RBAC',
  '--service-cluster-ip-range=10.96.0.0/16',
  '--allow-privileged=true',
  '--enable-bootstrap-token-auth=true',
  '--enable-admission-plugins=NodeRestriction',
  '--endpoint-reconciler-type=none',
];

/** Starts one; resolves when it is ready. What it writes goes to this process's standard error. */
export async function startOracleServer(): Promise<OracleServer> {
  const directory = mkdtempSync(join(tmpdir(), 'kobune-oracle-'));
  const root = join(directory, 'root');
  const file = (base: string, text: string): string => {
    const path = join(directory, base);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const tokens = file('tokens.csv', `${token},admin,admin-uid,system:masters\n`);
  const place = ['--name', name, '--root', root];
  const args = ['--port', String(await freePort()), `--token-auth-file=${tokens}`, ...flags];
  const child = spawn(process.execPath, [launcher, 'server', '--api-only', ...place, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise<void>(resolve => child.once('close', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
    for (const path of [directory, stateDir(root, name).run]) rmSync(path, { recursive: true, force: true });
  };
  try {
    await isReady(child.stderr, ended);
    const { stdout, stderr } = await runCommand(process.execPath, [launcher, 'kubeconfig', ...place]);
    const [entry] = (load(stdout) as Kubeconfig | undefined)?.clusters ?? [];
    if (!entry) throw new Error(`kobune kubeconfig: ${stderr}`);
    const { server: url, 'certificate-authority-data': ca } = entry.cluster;
    const caFile = file('ca.pem', Buffer.from(ca, 'base64').toString());
    return { url, caFile, token, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Kubeconfig {
  readonly clusters: ReadonlyArray<{
    readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string };
  }>;
}

/** Resolves when the log says so, and goes on passing it through. */
function isReady(log: NodeJS.ReadableStream, ended: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = '';
    log.on('data', (part: Buffer) => {
      process.stderr.write(part);
      if (said.length < 1 << 20) said += part.toString();
      if (/"message":"ready"/.test(said)) resolve();
    });
    void ended.then(() => reject(new Error(`the server ended before it was ready: ${said.trim()}`)));
  });
}
