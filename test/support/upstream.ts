/**
 * The original kube-apiserver on a given etcd, for tests that hold ours against it. Runs only where
 * KOBUNE_TEST_KUBE_APISERVER names the binary (v1.36).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Json } from '#apimachinery';
import { freePorts } from './program.ts';

const binary = process.env['KOBUNE_TEST_KUBE_APISERVER'] ?? '';

/** Why tests with the original cannot run here; undefined when they can. */
export function upstreamMissing(): string | undefined {
  return existsSync(binary) ? undefined : 'KOBUNE_TEST_KUBE_APISERVER names no kube-apiserver';
}

export interface UpstreamAnswer {
  readonly status: number;
  /** The decoded body; text where it is no JSON. */
  readonly body: Json;
}

export interface Upstream extends AsyncDisposable {
  readonly url: string;
  readonly token: string;
  /** As a member of system:masters. */
  request(method: string, path: string, body?: unknown, contentType?: string): Promise<UpstreamAnswer>;
}

/** Starts it and waits until it is ready, or only until it answers. */
export async function startUpstream(
  endpoints: readonly string[],
  flags: readonly string[] = [],
  options: { readonly until?: 'ready' | 'answering' } = {},
): Promise<Upstream> {
  const folder = mkdtempSync(join(tmpdir(), 'kobune-upstream-'));
  const keyFile = join(folder, 'sa.key');
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  writeFileSync(join(folder, 'tokens.csv'), 'tok,admin,1,"system:masters"\n');
  const [port] = await freePorts(1);
  const args = [
    `--etcd-servers=${endpoints.join(',')}`,
    `--secure-port=${port}`,
    '--bind-address=127.0.0.1',
    `--cert-dir=${folder}`,
    `--token-auth-file=${join(folder, 'tokens.csv')}`,
    `--service-account-key-file=${keyFile}`,
    `--service-account-signing-key-file=${keyFile}`,
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    '--authorization-mode=Node,RBAC',
    '--service-cluster-ip-range=10.96.0.0/16',
    '--allow-privileged',
    ...flags,
  ];
  const child = spawn(binary, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', chunk => (log = (log + chunk).slice(-8000)));
  const upstream: Upstream = {
    url: `https://127.0.0.1:${port}`,
    token: 'tok',
    request: (method, path, body, contentType = 'application/json') =>
      ask({ port: port!, method, path, contentType }, body),
    async [Symbol.asyncDispose]() {
      await ended(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  const path = options.until === 'answering' ? '/livez/ping' : '/readyz';
  for (let turn = 0; ; turn++) {
    if (child.exitCode !== null || turn > 300) {
      await upstream[Symbol.asyncDispose]();
      throw new Error(`the original did not start: ${log}`);
    }
    const answer = await upstream.request('GET', path).catch(() => undefined);
    if (answer?.status === 200) return upstream;
    await sleep(100);
  }
}

async function ask(
  to: { port: number; method: string; path: string; contentType: string },
  body: unknown,
): Promise<UpstreamAnswer> {
  const { port, method, path, contentType } = to;
  const headers = { authorization: 'Bearer tok', 'content-type': contentType, accept: 'application/json' };
  const options = { host: '127.0.0.1', port, method, path, headers, rejectUnauthorized: false, agent: false };
  const { promise, resolve, reject } = Promise.withResolvers<UpstreamAnswer>();
  const sent = request(options, async response => {
    let text = '';
    for await (const chunk of response) text += chunk;
    try {
      resolve({ status: response.statusCode!, body: JSON.parse(text) as Json });
    } catch {
      resolve({ status: response.statusCode!, body: text });
    }
  });
  sent.on('error', reject);
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  return promise;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>(resolve => {
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}
