/**
 * A cluster's settings: what `config.yaml` holds, with defaults, and the ranges that follow from the cluster's index
 * on this machine so that several run side by side.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseYaml, writeYaml } from '#apimachinery';
import { UserError } from '#base';
import { clusterNames, type StateDir, stateDir, writeFileAtomically } from './state-dir.ts';

/** Version of the file's layout. */
const configVersion = 1;

/** Everything a server needs to know. Units are in the names. */
export interface ClusterConfig {
  readonly version: number;
  /** Number of this cluster on this machine: 0 to 63; names tables, interfaces and ranges. */
  readonly index: number;
  /** Where the API listens. */
  readonly apiAddress: string;
  readonly apiPort: number;
  readonly kubeletPort: number;
  readonly serviceCidr: string;
  /** Pods of the whole cluster. */
  readonly clusterCidr: string;
  readonly clusterDomain: string;
  readonly nodeName: string;
  /** `sqlite` survives; `memory` is for tests and throw-away clusters; `etcd` is told where by flags at every start. */
  readonly store: 'sqlite' | 'memory' | 'etcd';
}

/** The settings of a new cluster with this index. */
export function defaultConfig(index: number, nodeName: string): ClusterConfig {
  return {
    version: configVersion,
    index,
    apiAddress: '127.0.0.1',
    apiPort: 6443 + index * 10,
    kubeletPort: 10250 + index * 10,
    serviceCidr: `10.${96 + index}.0.0/16`,
    clusterCidr: `10.${160 + index}.0.0/16`,
    clusterDomain: 'cluster.local',
    nodeName,
    store: 'sqlite',
  };
}

/** The tenth address of the Service range, where cluster DNS is expected. Upstream: kubeadm's GetDNSIP. */
export function dnsAddress(config: Pick<ClusterConfig, 'serviceCidr'>): string {
  return config.serviceCidr.replace(/\.\d+\/\d+$/, '.10');
}

/** Reads `config.yaml`; undefined when there is none. Throws a UserError when it cannot be understood. */
export function readConfig(dir: StateDir): ClusterConfig | undefined {
  return readConfigFile(dir.config, dir.name);
}

/** Settings with which this machine was last changed for the cluster. */
const usedConfigFile = (dir: StateDir): string => join(dir.node, 'config.yaml');

/** Keeps the settings beside what they make on this machine, so that it is found again when `config.yaml` changes. */
export function keepUsedConfig(dir: StateDir, config: ClusterConfig): void {
  const path = usedConfigFile(dir);
  const text = writeYaml(config);
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileAtomically(path, text);
}

/** What {@link keepUsedConfig} kept; undefined when nothing was ever made on this machine. */
export function readUsedConfig(dir: StateDir): ClusterConfig | undefined {
  return readConfigFile(usedConfigFile(dir), dir.name);
}

function readConfigFile(path: string, clusterName: string): ClusterConfig | undefined {
  if (!existsSync(path)) return undefined;
  const problem = (why: string): UserError =>
    new UserError(`${path} ${why}.`, {
      remedy: `Mend the file, or remove the cluster: kobune down --delete --name ${clusterName}`,
    });
  let value: unknown;
  try {
    value = parseYaml(readFileSync(path)).value;
  } catch (cause) {
    throw problem(`is no YAML: ${(cause as Error).message.split('\n')[0]}`);
  }
  if (value === null || typeof value !== 'object') throw problem('is not a mapping');
  const { version, index, nodeName } = value as Partial<ClusterConfig>;
  if (version !== configVersion) throw problem(`has version ${version}; this program knows version ${configVersion}`);
  if (typeof index !== 'number' || typeof nodeName !== 'string') throw problem('lacks index or nodeName');
  const config = { ...defaultConfig(index, nodeName), ...(value as Partial<ClusterConfig>) };
  for (const [key, given] of Object.entries(config)) {
    const expected = typeof defaultConfig(0, '')[key as keyof ClusterConfig];
    if (expected === 'undefined') throw problem(`has a setting that does not exist: ${key}`);
    if (typeof given !== expected) throw problem(`has a ${typeof given} for ${key}, which is a ${expected}`);
  }
  return config;
}

/** Writes `config.yaml`. */
export function writeConfig(dir: StateDir, config: ClusterConfig): void {
  writeFileAtomically(dir.config, writeYaml(config));
}

/** Indexes whose network interfaces exist on this machine: clusters under other roots have them too. */
function indexesInUse(): number[] {
  if (!existsSync('/sys/class/net')) return [];
  return readdirSync('/sys/class/net').flatMap(name => {
    const found = /^kb(\d+)node$/.exec(name)?.[1];
    return found === undefined ? [] : [Number(found)];
  });
}

/** A cluster whose settings cannot be read keeps the index that it last used; another cluster need not suffer from it. */
function indexOf(dir: StateDir): number | undefined {
  try {
    return readConfig(dir)?.index;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return readUsedConfig(dir)?.index;
  }
}

/** The smallest index that no other cluster of this machine has. */
export function freeIndex(root: string): number {
  const taken = new Set([...clusterNames(root).map(name => indexOf(stateDir(root, name))), ...indexesInUse()]);
  for (let index = 0; index < 64; index++) if (!taken.has(index)) return index;
  throw new UserError('There are 64 clusters on this machine already.', {
    remedy: 'Remove one: kobune down --delete --name NAME',
  });
}
