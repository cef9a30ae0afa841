/**
 * Running the server in the background: start it detached, wait until it is ready, find it again, stop it.
 */
import { spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { keepProcessAlive, systemClock, UserError } from '#base';
import { type ClusterConfig, defaultConfig, freeIndex, readConfig, writeConfig } from './config.ts';
import type { GivenFlags } from './flags/flag.ts';
import { serverArguments, serverSettings } from './flags/flags.ts';
import type { ServerSettings } from './flags/settings.ts';
import { checkMachine, thisMachine } from './requirements.ts';
import { checkServiceRange } from './service-range.ts';
import {
  createStateDir,
  directorySizeBytes,
  processStartTicks,
  runningServer,
  type ServerFile,
  type StateDir,
} from './state-dir.ts';

/** Settings that a command line may give; those given are kept in config.yaml. */
export interface GivenSettings {
  readonly port?: number;
  /** Where the API listens. */
  readonly apiAddress?: string;
  readonly store?: 'sqlite' | 'memory';
  readonly serviceClusterIpRange?: string;
  readonly nodeName?: string;
  /** Not kept. */
  readonly apiOnly?: boolean;
}

/**
 * The cluster's settings, made from defaults at the first call; what is given replaces what was kept. The API alone has
 * nothing on this machine that could meet another cluster's addresses: its default range is always the first one.
 */
export function ensureConfig(dir: StateDir, given: GivenSettings): ClusterConfig {
  if (given.serviceClusterIpRange !== undefined) checkServiceRange(given.serviceClusterIpRange);
  const existing = readConfig(dir);
  const base = existing ?? defaultConfig(freeIndex(dir.root), nodeNameOfHost());
  const config: ClusterConfig = {
    ...base,
    ...(given.port !== undefined && { apiPort: given.port }),
    ...(given.apiAddress !== undefined && { apiAddress: given.apiAddress }),
    ...(given.store !== undefined && { store: given.store }),
    ...(given.serviceClusterIpRange !== undefined && { serviceCidr: given.serviceClusterIpRange }),
    ...(given.nodeName !== undefined && { nodeName: given.nodeName }),
  };
  createStateDir(dir);
  if (JSON.stringify(config) !== JSON.stringify(existing)) writeConfig(dir, config);
  const isDefault = config.serviceCidr === defaultConfig(config.index, '').serviceCidr;
  return given.apiOnly && isDefault ? { ...config, serviceCidr: defaultConfig(0, '').serviceCidr } : config;
}

/** What flags say of where the API listens, under the names of {@link GivenSettings}. */
export function listeningSettings({ listening }: ServerSettings): Pick<GivenSettings, 'port' | 'apiAddress'> {
  const { port, address } = listening ?? {};
  return { ...(port !== undefined && { port }), ...(address !== undefined && { apiAddress: address }) };
}

/** The host's name as a node may be called. */
function nodeNameOfHost(): string {
  const name = hostname()
    .toLowerCase()
    .replace(/[^a-z0-9.-]/g, '-');
  return /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(name) ? name : 'node';
}

const readyTimeoutMs = 30_000;
/** What was asked of a server gets its answer first, which may take a minute; where it does not say how long. */
const stopTimeoutMs = 90_000;
const pollMs = 10;

/** Starts `launcher server` detached and resolves when it is ready. Rejects with its last words when it ends instead. */
export async function startInBackground(
  dir: StateDir,
  flags: GivenSettings & { readonly apiOnly?: boolean; readonly node: boolean; readonly logLevel: string },
  given: GivenFlags,
  launcher: string,
): Promise<{ config: ClusterConfig; alreadyRunning: boolean }> {
  const running = runningServer(dir) !== undefined;
  if (!running && flags.node && !flags.apiOnly) checkMachine(thisMachine());
  const config = ensureConfig(dir, { ...flags, ...listeningSettings(serverSettings(given)) });
  if (running) return { config, alreadyRunning: true };
  const logPath = join(dir.logs, 'server.log');
  const log = openSync(logPath, 'a', 0o600);
  const logStart = readFileSync(logPath).length;
  const args = ['server', '--name', dir.name, '--root', dir.root, '--log-level', flags.logLevel];
  if (flags.apiOnly) args.push('--api-only');
  if (!flags.node) args.push('--no-node');
  args.push(...serverArguments(given));
  const program = process.env['KOBUNE_LAUNCHER'] ?? launcher;
  const child = spawn(process.execPath, [...process.execArgv, program, ...args], {
    detached: true,
    stdio: ['ignore', log, log],
    cwd: '/',
  });
  using _alive = keepProcessAlive();
  const ended = new Promise<number | null>(resolve => child.once('exit', resolve));
  let exit: number | null | undefined;
  void ended.then(code => (exit = code));
  const deadline = systemClock.monotonicMs() + readyTimeoutMs;
  while (exit === undefined && systemClock.monotonicMs() < deadline) {
    if (runningServer(dir)?.pid === child.pid) {
      child.unref();
      return { config, alreadyRunning: false };
    }
    await systemClock.sleep(pollMs);
  }
  const said = readFileSync(logPath, 'utf8').slice(logStart).trim();
  const remedy = `See: kobune logs --name ${dir.name}`;
  if (exit === undefined) {
    child.kill('SIGTERM');
    throw new UserError(`The server was not ready after ${readyTimeoutMs / 1000} s.`, { remedy });
  }
  throw lastWords(said, remedy);
}

/** What a server that ended said last: its own sentence if it had one, else where to look. */
function lastWords(said: string, remedy: string): UserError {
  const lines = said.split('\n');
  const last = lines.at(-1) ?? '';
  if (last === '') return new UserError('The server ended without a word.', { remedy });
  if (!last.startsWith('Node.js v')) return new UserError(last);
  const error = lines.findLast(line => /^(\S*Error\b|Uncaught)/.test(line)) ?? 'an unknown error';
  return new UserError(`The server crashed: ${error}.`, { remedy });
}

/** Asks the server to stop and waits until it is gone; false when none ran. */
export async function stopServer(dir: StateDir): Promise<boolean> {
  const server = runningServer(dir);
  if (!server) return false;
  using _alive = keepProcessAlive();
  process.kill(server.pid, 'SIGTERM');
  const deadline = systemClock.monotonicMs() + Math.max(stopTimeoutMs, server.stopsWithinMs ?? 0);
  while (isRunning(server)) {
    if (systemClock.monotonicMs() > deadline) {
      throw new UserError(`The server (process ${server.pid}) does not stop.`, { remedy: `kill -9 ${server.pid}` });
    }
    await systemClock.sleep(pollMs);
  }
  return true;
}

const isRunning = (server: ServerFile): boolean => processStartTicks(server.pid) === server.startTicks;

/** What `kobune status` shows of one cluster. */
export interface ClusterStatus {
  readonly name: string;
  readonly state: 'absent' | 'damaged' | 'stopped' | 'ready';
  /** Label and value, in order. */
  readonly details: ReadonlyArray<readonly [string, string]>;
}

/** Looks at files and processes only; never starts anything. */
export function clusterStatus(dir: StateDir): ClusterStatus {
  let config: ClusterConfig | undefined;
  try {
    config = readConfig(dir);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { name: dir.name, state: 'damaged', details: [['problem', error.message]] };
  }
  if (!config) return { name: dir.name, state: 'absent', details: [] };
  const server = runningServer(dir);
  const common: Array<readonly [string, string]> = [
    ['data', `${dir.path} (${(directorySizeBytes(dir.store) / 1e6).toFixed(1)} MB stored)`],
    ['services', config.serviceCidr],
    ['pods', config.clusterCidr],
  ];
  if (!server) return { name: dir.name, state: 'stopped', details: common };
  return {
    name: dir.name,
    state: 'ready',
    details: [
      ['API', server.url],
      ['process', `${server.pid}, since ${server.startedAt}`],
      ...(server.nodeAddress ? [['node', `${config.nodeName} at ${server.nodeAddress}`] as const] : []),
      ...common,
    ],
  };
}
