/** Debian's etcd on loopback for tests: one member or several, each of which can be killed and started again. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from './program.ts';

/** Why etcd tests cannot run here; undefined when they can. */
export function etcdMissing(): string | undefined {
  try {
    execFileSync('etcd', ['--version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'the etcd binary (Debian package etcd-server) is not on the PATH';
  }
}

export interface EtcdCluster extends AsyncDisposable {
  readonly endpoints: readonly string[];
  /** Kills a member and waits until it is gone. */
  kill(member: number): Promise<void>;
  /** Starts it again on its data. */
  start(member: number): Promise<void>;
  /** A member hangs: it keeps its connections and answers nobody, until it is resumed. */
  pause(member: number): void;
  resume(member: number): void;
  /** A member that is not running comes back with an empty disk, as a new member in the place of the old one. */
  replace(member: number): Promise<void>;
  /** Index of the present leader, as members that answer see it; waits until there is one. */
  leader(): Promise<number>;
}

interface Member {
  readonly members?: ReadonlyArray<{ readonly ID: string; readonly name: string }>;
}

/**
 * Starts a cluster on ports that are free now and stay its own.
 *
 * @param tls PEM files: clients must come by TLS with a certificate of this CA.
 */
export async function startEtcd(
  members: number,
  tls?: { readonly ca: string; readonly cert: string; readonly key: string },
): Promise<EtcdCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'kobune-etcd-'));
  const all = Array.from({ length: members }, (_, at) => at);
  const ports = await freePorts(2 * members);
  const clientUrl = (at: number): string => `${tls ? 'https' : 'http'}://127.0.0.1:${ports[2 * at]}`;
  const peerUrl = (at: number): string => `http://127.0.0.1:${ports[2 * at + 1]}`;
  const running = new Map<number, ChildProcess>();
  const start = async (at: number, state: 'new' | 'existing' = 'new'): Promise<void> => {
    const flags = {
      name: `m${at}`,
      'data-dir': join(folder, `m${at}`),
      'listen-client-urls': clientUrl(at),
      'advertise-client-urls': clientUrl(at),
      'listen-peer-urls': peerUrl(at),
      'initial-advertise-peer-urls': peerUrl(at),
      'initial-cluster': all.map(each => `m${each}=${peerUrl(each)}`).join(','),
      'initial-cluster-state': state,
      'max-request-bytes': String(16 << 20),
      'log-level': 'error',
      ...(tls && {
        'client-cert-auth': 'true',
        'trusted-ca-file': tls.ca,
        'cert-file': tls.cert,
        'key-file': tls.key,
      }),
    };
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    running.set(at, spawn('etcd', args, { stdio: 'ignore', env: { ...process.env, ETCD_UNSUPPORTED_ARCH: '' } }));
    await listening(ports[2 * at]!);
  };
  const signal = (at: number, name: NodeJS.Signals): void => void running.get(at)?.kill(name);
  const ask = async (at: number, path: string, body: object): Promise<Member> => {
    const options = { method: 'POST', body: JSON.stringify(body), signal: AbortSignal.timeout(5000) };
    const response = await fetch(`${clientUrl(at)}/v3/cluster/${path}`, options);
    if (!response.ok) throw new Error(`etcd refuses ${path}: ${await response.text()}`);
    return (await response.json()) as Member;
  };
  const replace = async (at: number): Promise<void> => {
    const other = all.find(each => each !== at && running.has(each))!;
    const { members = [] } = await ask(other, 'member/list', {});
    await ask(other, 'member/remove', { ID: members.find(({ name }) => name === `m${at}`)!.ID });
    await rm(join(folder, `m${at}`), { recursive: true });
    // It is refused until the leader has heard from the others for a while.
    for (let turn = 0; ; turn++) {
      const refused = await ask(other, 'member/add', { peerURLs: [peerUrl(at)] }).catch(error => error);
      if (!(refused instanceof Error)) break;
      if (turn > 100) throw refused;
      await sleep(200);
    }
    await start(at, 'existing');
  };
  const kill = async (at: number): Promise<void> => {
    const child = running.get(at);
    running.delete(at);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>(resolve => {
      child.once('exit', () => resolve());
      child.kill('SIGKILL');
    });
  };
  const leader = async (): Promise<number> => {
    for (;;) {
      for (const at of running.keys()) if (await isLeader(clientUrl(at))) return at;
      await sleep(50);
    }
  };
  const dispose = async (): Promise<void> => {
    await Promise.all(all.map(kill));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await Promise.all(all.map(at => start(at)));
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    endpoints: all.map(clientUrl),
    kill,
    start,
    pause: at => signal(at, 'SIGSTOP'),
    resume: at => signal(at, 'SIGCONT'),
    replace,
    leader,
    [Symbol.asyncDispose]: dispose,
  };
}

async function listening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const open = await new Promise<boolean>(resolve => {
      const socket = connect(port, '127.0.0.1', () => resolve(true));
      socket.on('connect', () => socket.destroy());
      socket.on('error', () => resolve(false));
    });
    if (open) return;
    await sleep(50);
  }
  throw new Error(`etcd does not listen on port ${port}`);
}

/** Asks the member's JSON gateway. */
async function isLeader(url: string): Promise<boolean> {
  try {
    const options = { method: 'POST', body: '{}', signal: AbortSignal.timeout(1000) };
    const response = await fetch(`${url}/v3/maintenance/status`, options);
    const status = (await response.json()) as { header?: { member_id?: string }; leader?: string };
    return status.leader !== undefined && status.leader === status.header?.member_id;
  } catch {
    return false;
  }
}
