/**
 * Kubeconfig files: the one of a cluster, and merging its context into the user's own without touching the others.
 * Upstream: client-go tools/clientcmd/api/v1/types.go.
 */
import { existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { parseYaml, writeYaml } from '#apimachinery';
import { UserError } from '#base';
import { writeFileAtomically } from './state-dir.ts';

/** How to reach a cluster as somebody; certificates are PEM. */
export interface Access {
  readonly url: string;
  readonly caPem: string;
  readonly certPem: string;
  readonly keyPem: string;
}

type Entries = ReadonlyArray<{ readonly name: string; readonly [key: string]: unknown }>;

interface Kubeconfig {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly clusters?: Entries | null;
  readonly users?: Entries | null;
  readonly contexts?: Entries | null;
  readonly 'current-context'?: string;
  readonly [key: string]: unknown;
}

/** Name of a cluster's context, cluster and user: `kobune`, or `kobune-<name>` for others than the default. */
function contextName(clusterName: string): string {
  return clusterName === 'default' ? 'kobune' : `kobune-${clusterName}`;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

interface ClusterEntries {
  readonly cluster: { readonly name: string; readonly cluster: Readonly<Record<string, string>> };
  readonly user: { readonly name: string; readonly user: Readonly<Record<string, string>> };
  readonly context: object;
}

function entriesOf(name: string, access: Access): ClusterEntries {
  return {
    cluster: { name, cluster: { server: access.url, 'certificate-authority-data': base64(access.caPem) } },
    user: {
      name,
      user: { 'client-certificate-data': base64(access.certPem), 'client-key-data': base64(access.keyPem) },
    },
    context: { name, context: { cluster: name, user: name } },
  };
}

/** A kubeconfig file of this one cluster, as YAML. */
export function kubeconfigText(clusterName: string, access: Access): string {
  const name = contextName(clusterName);
  const { cluster, user, context } = entriesOf(name, access);
  return writeYaml({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [cluster],
    users: [user],
    contexts: [context],
    'current-context': name,
  });
}

/** The file that kubectl would write to: the first of KUBECONFIG, else `~/.kube/config`. */
export function userKubeconfigPath(env: NodeJS.ProcessEnv = process.env): string {
  const listed = env['KUBECONFIG']?.split(delimiter).filter(path => path !== '') ?? [];
  return listed.find(path => existsSync(path)) ?? listed[0] ?? join(env['HOME'] ?? homedir(), '.kube', 'config');
}

/** Adds or replaces the cluster's context in the file at `path` and makes it current. Answers the context's name. */
export function mergeKubeconfig(path: string, clusterName: string, access: Access): string {
  const name = contextName(clusterName);
  const before = readKubeconfig(path);
  const { cluster, user, context } = entriesOf(name, access);
  const put = (list: Entries | null | undefined, entry: object): object[] => [
    ...(list ?? []).filter(each => each.name !== name),
    entry,
  ];
  writeKubeconfig(path, {
    apiVersion: 'v1',
    kind: 'Config',
    ...before,
    clusters: put(before.clusters, cluster) as never,
    users: put(before.users, user) as never,
    contexts: put(before.contexts, context) as never,
    'current-context': name,
  });
  return name;
}

/**
 * Puts the access's certificate and key, and its authorities, in the place of the old ones where the cluster's user and
 * cluster have those; the rest of the file at `path` stays as it is. Answers whether it changed anything.
 */
export function renewInKubeconfig(
  path: string,
  clusterName: string,
  old: Pick<Access, 'certPem' | 'caPem'>,
  access: Access,
): boolean {
  if (!existsSync(path)) return false;
  const name = contextName(clusterName);
  const before = readKubeconfig(path);
  let isChanged = false;
  const put = (list: Entries | null | undefined, part: 'user' | 'cluster', change: Change): Entries =>
    (list ?? []).map(each => {
      const data = each[part] as Record<string, unknown> | undefined;
      if (each.name !== name || data?.[change.where] !== base64(change.old)) return each;
      isChanged = true;
      return { ...each, [part]: { ...data, ...change.data } };
    });
  const { user, cluster } = entriesOf(name, access);
  const users = put(before.users, 'user', { where: 'client-certificate-data', old: old.certPem, data: user.user });
  const { 'certificate-authority-data': authorities } = cluster.cluster;
  const clusters = put(before.clusters, 'cluster', {
    where: 'certificate-authority-data',
    old: old.caPem,
    data: { 'certificate-authority-data': authorities },
  });
  if (isChanged) writeKubeconfig(path, { ...before, clusters, users });
  return isChanged;
}

interface Change {
  readonly where: string;
  readonly old: string;
  readonly data: object;
}

/** Takes the cluster's context out of the file at `path`; does nothing when it is not there. */
export function removeFromKubeconfig(path: string, clusterName: string): void {
  if (!existsSync(path)) return;
  const name = contextName(clusterName);
  const before = readKubeconfig(path);
  if (!before.contexts?.some(each => each.name === name)) return;
  const drop = (list: Entries | null | undefined): Entries => (list ?? []).filter(each => each.name !== name);
  const { 'current-context': current = '', ...rest } = before;
  writeKubeconfig(path, {
    ...rest,
    clusters: drop(before.clusters),
    users: drop(before.users),
    contexts: drop(before.contexts),
    'current-context': current === name ? '' : current,
  });
}

function readKubeconfig(path: string): Kubeconfig {
  if (!existsSync(path)) return {};
  const remedy = 'Mend the file, or move it away.';
  let value: unknown;
  try {
    value = parseYaml(readFileSync(path)).value;
  } catch (cause) {
    throw new UserError(`${path} is no YAML, so the context was not changed.`, { remedy, cause });
  }
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new UserError(`${path} is no kubeconfig, so the context was not changed.`, { remedy });
  }
  for (const list of ['clusters', 'users', 'contexts'] as const) {
    const entries = (value as Kubeconfig)[list] ?? [];
    if (Array.isArray(entries) && entries.every(each => typeof each?.name === 'string')) continue;
    throw new UserError(`${path} has ${list} that are no list of named entries, so the context was not changed.`, {
      remedy,
    });
  }
  return value as Kubeconfig;
}

/** Throws a UserError when the file at `path` is there but could not be merged into. */
export function checkKubeconfig(path: string): void {
  readKubeconfig(path);
}

/** A symbolic link stays one: what it leads to is replaced. */
function writeKubeconfig(path: string, config: Kubeconfig): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileAtomically(existsSync(path) ? realpathSync(path) : path, writeYaml(config));
}
