/**
 * How to reach a cluster, from a kubeconfig file. Upstream: client-go tools/clientcmd.
 * Known gap: `auth-provider` is refused by name; credentials of `exec` plugins are fetched once, when the file is read.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseYamlOrJson } from '#apimachinery';
import { UserError } from '#base';
import type { HttpsTransportConfig } from './https-transport.ts';

type Named = { readonly name: string } & Readonly<Record<string, unknown>>;

interface ClusterEntry {
  readonly server?: string;
  readonly 'certificate-authority'?: string;
  readonly 'certificate-authority-data'?: string;
  readonly 'insecure-skip-tls-verify'?: boolean;
  readonly 'tls-server-name'?: string;
}

interface UserEntry {
  readonly token?: string;
  readonly tokenFile?: string;
  readonly 'client-certificate'?: string;
  readonly 'client-certificate-data'?: string;
  readonly 'client-key'?: string;
  readonly 'client-key-data'?: string;
  readonly as?: string;
  readonly 'as-groups'?: readonly string[];
  readonly 'auth-provider'?: { readonly name?: string };
  readonly exec?: {
    readonly apiVersion?: string;
    readonly command: string;
    readonly args?: readonly string[] | null;
    readonly env?: ReadonlyArray<{ readonly name: string; readonly value: string }> | null;
  };
}

interface ContextEntry {
  readonly cluster?: string;
  readonly user?: string;
  readonly namespace?: string;
}

export interface KubeconfigContext {
  readonly name: string;
  /** The context's namespace, `default` when it names none. */
  readonly namespace: string;
  readonly transport: HttpsTransportConfig;
}

/** `$KUBECONFIG` (its first file), or `~/.kube/config`. */
export function kubeconfigPath(env: Readonly<Record<string, string | undefined>> = process.env): string {
  return env['KUBECONFIG']?.split(':').find(Boolean) ?? join(homedir(), '.kube', 'config');
}

/** Reads `path`. `context` defaults to the current one. Throws UserError for what is missing or wrong. */
export function loadKubeconfig(path: string = kubeconfigPath(), context?: string): KubeconfigContext {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new UserError(`the kubeconfig ${path} cannot be read`, { cause, remedy: 'set KUBECONFIG to one that can' });
  }
  return parseKubeconfig(text, { directory: dirname(resolve(path)), ...(context && { context }) });
}

/** The same of text; paths in it are relative to `directory`. */
export function parseKubeconfig(
  text: string,
  options: { readonly directory: string; readonly context?: string },
): KubeconfigContext {
  const config = parseYamlOrJson(text).value as Record<string, unknown> | null;
  const find = <T>(list: string, field: string, name: string | undefined): T => {
    const entries = (config?.[list] ?? []) as readonly Named[];
    const found = entries.find(each => each.name === name)?.[field] as T | undefined;
    if (!found) throw new UserError(`the kubeconfig has no ${field} ${JSON.stringify(name ?? '')}`);
    return found;
  };
  const name = options.context ?? (config?.['current-context'] as string | undefined);
  const context = find<ContextEntry>('contexts', 'context', name);
  const cluster = find<ClusterEntry>('clusters', 'cluster', context.cluster);
  // As client-go has it, a context whose user is not there has none.
  const users = (config?.['users'] ?? []) as readonly Named[];
  const user = (users.find(each => each.name === context.user)?.['user'] ?? {}) as UserEntry;
  if (!cluster.server) throw new UserError(`the kubeconfig's cluster ${context.cluster} names no server`);
  if (user['auth-provider']) throw new UserError(`auth-provider ${user['auth-provider'].name} is not supported`);
  const pem = (data: string | undefined, file: string | undefined): string | undefined => {
    if (data) return Buffer.from(data, 'base64').toString('utf8');
    return file ? readFileSync(resolve(options.directory, file), 'utf8') : undefined;
  };
  const caPem = pem(cluster['certificate-authority-data'], cluster['certificate-authority']);
  const fetched = user.exec ? runPlugin(user.exec) : {};
  const certPem = fetched.clientCertificateData ?? pem(user['client-certificate-data'], user['client-certificate']);
  const keyPem = fetched.clientKeyData ?? pem(user['client-key-data'], user['client-key']);
  const token = fetched.token ?? user.token;
  return {
    name: name!,
    namespace: context.namespace || 'default',
    transport: {
      server: cluster.server,
      ...(caPem && { caPem }),
      ...(certPem && { certPem }),
      ...(keyPem && { keyPem }),
      ...(user.tokenFile ? { tokenFile: resolve(options.directory, user.tokenFile) } : token && { token }),
      ...(cluster['insecure-skip-tls-verify'] && { insecureSkipTlsVerify: true }),
      ...(cluster['tls-server-name'] && { serverName: cluster['tls-server-name'] }),
      ...(user.as && { impersonate: { user: user.as, groups: user['as-groups'] ?? [] } }),
    },
  };
}

interface Credential {
  readonly token?: string;
  readonly clientCertificateData?: string;
  readonly clientKeyData?: string;
}

/** Upstream: client-go plugin/pkg/client/auth/exec. */
function runPlugin(exec: NonNullable<UserEntry['exec']>): Credential {
  const apiVersion = exec.apiVersion ?? 'client.authentication.k8s.io/v1';
  const info = { apiVersion, kind: 'ExecCredential', spec: { interactive: false } };
  const env = { ...process.env, KUBERNETES_EXEC_INFO: JSON.stringify(info) } as Record<string, string | undefined>;
  for (const { name, value } of exec.env ?? []) env[name] = value;
  try {
    const out = execFileSync(exec.command, [...(exec.args ?? [])], {
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    return (JSON.parse(out) as { status?: Credential }).status ?? {};
  } catch (cause) {
    throw new UserError(`the credential plugin ${exec.command} failed`, { cause });
  }
}
