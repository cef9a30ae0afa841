/**
 * What a kubeconfig file says, and whether one of its contexts can be used. Unknown fields are passed over.
 * Upstream: client-go tools/clientcmd/api/v1/{types,conversion,defaults}.go, tools/clientcmd/{loader,validation}.go.
 * Deviation: a name that comes twice in a list is named without what the list holds, which may be secret.
 */
import { closeSync, openSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  anyNode,
  ConfigurationError,
  decodeConfiguration,
  field,
  goQuote,
  list,
  map,
  type StructNode,
  scalar,
  struct,
} from '#apimachinery';
import { goFileError } from '#base';

export interface ClusterEntry {
  readonly server?: string;
  readonly 'certificate-authority'?: string;
  /** Base64. */
  readonly 'certificate-authority-data'?: string;
  readonly 'insecure-skip-tls-verify'?: boolean;
  readonly 'tls-server-name'?: string;
}

export interface UserEntry {
  readonly token?: string;
  readonly tokenFile?: string;
  readonly username?: string;
  readonly password?: string;
  readonly 'client-certificate'?: string;
  readonly 'client-certificate-data'?: string;
  readonly 'client-key'?: string;
  readonly 'client-key-data'?: string;
  readonly as?: string;
  readonly 'as-uid'?: string;
  readonly 'as-groups'?: readonly string[];
  readonly 'as-user-extra'?: Readonly<Record<string, readonly string[]>>;
  readonly 'auth-provider'?: { readonly name?: string };
  readonly exec?: ExecEntry;
}

export interface ExecEntry {
  readonly apiVersion?: string;
  readonly command?: string;
  readonly args?: readonly string[];
  readonly env?: ReadonlyArray<{ readonly name?: string; readonly value?: string }>;
  readonly interactiveMode?: string;
}

export interface ContextEntry {
  readonly cluster?: string;
  readonly user?: string;
  readonly namespace?: string;
}

export interface KubeconfigDocument {
  readonly clusters: ReadonlyMap<string, ClusterEntry>;
  readonly users: ReadonlyMap<string, UserEntry>;
  readonly contexts: ReadonlyMap<string, ContextEntry>;
  readonly currentContext: string;
}

const text = scalar('string');
const bytes = scalar('bytes');
const flag = scalar('boolean');
const texts = (...names: readonly string[]) => names.map(name => field(name, text));
const extensions = field(
  'extensions',
  list(struct('v1.NamedExtension', [...texts('name'), field('extension', anyNode)])),
);

const clusterNode = struct('v1.Cluster', [
  ...texts('server', 'tls-server-name'),
  field('insecure-skip-tls-verify', flag),
  field('certificate-authority', text),
  field('certificate-authority-data', bytes),
  field('proxy-url', text),
  field('disable-compression', flag),
  extensions,
]);
const execNode = struct('v1.ExecConfig', [
  field('command', text),
  field('args', list(text)),
  field('env', list(struct('v1.ExecEnvVar', texts('name', 'value')))),
  ...texts('apiVersion', 'installHint'),
  field('provideClusterInfo', flag),
  field('interactiveMode', scalar('string', 'v1.ExecInteractiveMode')),
]);
const userNode = struct('v1.AuthInfo', [
  field('client-certificate', text),
  field('client-certificate-data', bytes),
  field('client-key', text),
  field('client-key-data', bytes),
  ...texts('token', 'tokenFile', 'as', 'as-uid'),
  field('as-groups', list(text)),
  field('as-user-extra', map(list(text))),
  ...texts('username', 'password'),
  field('auth-provider', struct('v1.AuthProviderConfig', [field('name', text), field('config', map(text))])),
  field('exec', execNode),
  extensions,
]);
const contextNode = struct('v1.Context', [...texts('cluster', 'user', 'namespace'), extensions]);
const named = (name: string, member: string, node: StructNode) =>
  list(struct(`v1.${name}`, [field('name', text), field(member, node)]));

const configNode = struct('v1.Config', [
  ...texts('kind', 'apiVersion'),
  field('preferences', struct('v1.Preferences', [field('colors', flag), extensions])),
  field('clusters', named('NamedCluster', 'cluster', clusterNode)),
  field('users', named('NamedAuthInfo', 'user', userNode)),
  field('contexts', named('NamedContext', 'context', contextNode)),
  field('current-context', text),
  extensions,
]);

const defaults = { apiVersion: 'v1', kind: 'Config' } as const;
const kinds = new Map([['v1 Config', { goType: '*api.Config', struct: configNode }]]);

type NamedEntries = ReadonlyArray<({ readonly name?: string } & Readonly<Record<string, unknown>>) | null>;

/** Throws a ConfigurationError with upstream's text. */
export function decodeKubeconfig(source: string | Uint8Array): KubeconfigDocument {
  const data = typeof source === 'string' ? Buffer.from(source) : source;
  const { value } = decodeConfiguration(data, kinds, { defaults, isYaml: true, isLenient: true });
  const config = value as Readonly<Record<string, NamedEntries | undefined>>;
  const entries = <T>(name: string, member: string, types: readonly [list: string, entry: string]): Map<string, T> => {
    const found = new Map<string, T>();
    for (const each of config[name] ?? []) {
      const key = each?.name ?? '';
      if (found.has(key)) {
        const what = `*[]${types[0]} into *map[string]*api.${types[1]}`;
        throw new ConfigurationError(`error converting ${what}: duplicate name ${goQuote(key)} in list`);
      }
      found.set(key, (each?.[member] ?? {}) as T);
    }
    return found;
  };
  return {
    clusters: entries('clusters', 'cluster', ['NamedCluster', 'Cluster']),
    users: entries('users', 'user', ['NamedAuthInfo', 'AuthInfo']),
    contexts: entries('contexts', 'context', ['NamedContext', 'Context']),
    currentContext: (config['current-context'] as unknown as string | undefined) ?? '',
  };
}

const noServer = 'cluster has no server defined';
const noConfiguration = 'no configuration has been provided, try setting KUBERNETES_MASTER environment variable';

/** What is wrong with a context, as upstream says it; undefined when it can be used. Paths are relative to `directory`. */
export function whyUnusable(document: KubeconfigDocument, context: string, directory: string): string | undefined {
  const { contexts, users, clusters } = document;
  const chosen = contexts.get(context);
  const problems = context !== '' && !chosen ? [`context was not found for specified context: ${context}`] : [];
  const [user = '', cluster = ''] = [chosen?.user, chosen?.cluster];
  problems.push(...userProblems(user, users.get(user) ?? {}, directory));
  problems.push(...clusterProblems(cluster, clusters.get(cluster), directory));
  if (problems.length === 0) return undefined;
  if (problems.length === 1)
    return `invalid configuration: ${problems[0] === noServer ? noConfiguration : problems[0]}`;
  return `invalid configuration: [${[...new Set(problems)].join(', ')}]`;
}

function clusterProblems(name: string, cluster: ClusterEntry | undefined, directory: string): string[] {
  if (cluster === undefined) return [noServer];
  const problems: string[] = [];
  if (!cluster.server) {
    problems.push(
      name === '' ? 'default cluster has no server defined' : `no server found for cluster ${goQuote(name)}`,
    );
  }
  const { 'certificate-authority': file, 'certificate-authority-data': data } = cluster;
  if (file && data) {
    const both = 'certificate-authority-data and certificate-authority are both specified';
    problems.push(`${both} for ${name}. certificate-authority-data will override.`);
  }
  return [...problems, ...fileProblems('certificate-authority', name, file, directory)];
}

function fileProblems(what: string, name: string, file: string | undefined, directory: string): string[] {
  if (!file) return [];
  const path = resolve(directory, file);
  try {
    closeSync(openSync(path, 'r'));
    return [];
  } catch (error) {
    return [`unable to read ${what} ${path} for ${name} due to ${goFileError(error, path)}`];
  }
}

function userProblems(name: string, user: UserEntry, directory: string): string[] {
  const methods = [...(user.token ? ['token'] : []), ...(user.username || user.password ? ['basicAuth'] : [])];
  const problems = [...certificateProblems(name, user, directory), ...execProblems(name, user)];
  if (methods.length > 1) {
    const found = `found [${methods.join(' ')}], only one is allowed`;
    problems.push(`more than one authentication method found for ${name}; ${found}`);
  }
  const more = user['as-uid'] || user['as-groups']?.length || Object.keys(user['as-user-extra'] ?? {}).length;
  if (more && !user.as) problems.push(`requesting uid, groups or user-extra for ${name} without impersonating a user`);
  return problems;
}

function certificateProblems(name: string, user: UserEntry, directory: string): string[] {
  const { 'client-certificate': certFile, 'client-certificate-data': certData } = user;
  const { 'client-key': keyFile, 'client-key-data': keyData } = user;
  if (!certFile && !certData) return [];
  const problems: string[] = [];
  if (certFile && certData) {
    problems.push(`client-cert-data and client-cert are both specified for ${name}. client-cert-data will override.`);
  }
  if (keyFile && keyData) {
    problems.push(`client-key-data and client-key are both specified for ${name}; client-key-data will override`);
  }
  if (!keyFile && !keyData) {
    const why = 'to use the clientCert authentication method.';
    problems.push(`client-key-data or client-key must be specified for ${name} ${why}`);
  }
  problems.push(...fileProblems('client-cert', name, certFile, directory));
  return [...problems, ...fileProblems('client-key', name, keyFile, directory)];
}

const interactiveModes: readonly string[] = ['Never', 'IfAvailable', 'Always'];

function execProblems(name: string, { exec, 'auth-provider': provider }: UserEntry): string[] {
  if (exec === undefined || exec === null) return [];
  const needs = (what: string): string => `${what} must be specified for ${name} to use exec authentication plugin`;
  const mode = exec.interactiveMode || (/\/v1(?:alpha|beta)1$/.test(exec.apiVersion ?? '') ? 'IfAvailable' : '');
  return [
    ...(provider ? [`authProvider cannot be provided in combination with an exec plugin for ${name}`] : []),
    ...(exec.command ? [] : [needs('command')]),
    ...(exec.apiVersion ? [] : [needs('apiVersion')]),
    ...(exec.env ?? []).flatMap(each => (each.name ? [] : [needs('env variable name')])),
    ...(mode === '' ? [needs('interactiveMode')] : []),
    ...(mode === '' || interactiveModes.includes(mode)
      ? []
      : [`invalid interactiveMode for ${name}: ${goQuote(mode)}`]),
  ];
}
