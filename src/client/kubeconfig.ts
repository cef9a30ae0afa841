/**
 * How to reach a cluster, from a kubeconfig file. Upstream: client-go tools/clientcmd.
 * Known gap: `auth-provider` is refused by name; credentials of `exec` plugins are fetched once, when the file is read.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { ConfigurationError, goQuote } from '#apimachinery';
import { goFileError, UserError } from '#base';
import type { HttpsTransportConfig } from './https-transport.ts';
import {
  type ClusterEntry,
  decodeKubeconfig,
  type ExecEntry,
  type KubeconfigDocument,
  type UserEntry,
  whyUnusable,
} from './kubeconfig-document.ts';

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
  return contextOf(readKubeconfig(path), { directory: dirname(resolve(path)), ...(context && { context }) });
}

/** What the file says, whether it can be used or not. Throws a UserError with upstream's text. */
export function readKubeconfig(path: string): KubeconfigDocument {
  let data: Buffer;
  try {
    data = readFileSync(path);
  } catch (cause) {
    const why = goFileError(cause, path, isMissing(cause) ? 'stat' : 'open');
    throw new UserError(isMissing(cause) ? why : `error loading config file ${goQuote(path)}: ${why}`, { cause });
  }
  return decoded(data, path);
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

export interface KubeconfigOptions {
  /** Paths in the text are relative to it. */
  readonly directory: string;
  readonly context?: string;
}

/** The same of text. */
export function parseKubeconfig(source: string, options: KubeconfigOptions): KubeconfigContext {
  return contextOf(decoded(source, ''), options);
}

function contextOf(document: KubeconfigDocument, { directory, context: wanted }: KubeconfigOptions): KubeconfigContext {
  const name = wanted ?? document.currentContext;
  const why = whyUnusable(document, name, directory);
  if (why !== undefined) throw new UserError(why);
  const context = document.contexts.get(name) ?? {};
  const cluster = document.clusters.get(context.cluster ?? '') ?? {};
  const user = document.users.get(context.user ?? '') ?? {};
  return { name, namespace: context.namespace || 'default', transport: kubeconfigTransport(cluster, user, directory) };
}

function decoded(source: string | Uint8Array, path: string): KubeconfigDocument {
  try {
    return decodeKubeconfig(source);
  } catch (cause) {
    if (!(cause instanceof ConfigurationError)) throw cause;
    throw new UserError(`error loading config file ${goQuote(path)}: ${cause.message}`, { cause });
  }
}

/** How to reach a cluster as a user; paths are relative to `directory`. Throws for files that cannot be read. */
export function kubeconfigTransport(cluster: ClusterEntry, user: UserEntry, directory: string): HttpsTransportConfig {
  if (user['auth-provider']) throw new UserError(`auth-provider ${user['auth-provider'].name} is not supported`);
  const pem = (data: string | undefined, file: string | undefined): string | undefined => {
    if (data) return Buffer.from(data, 'base64').toString('utf8');
    return file ? readFileSync(resolve(directory, file), 'utf8') : undefined;
  };
  const caPem = pem(cluster['certificate-authority-data'], cluster['certificate-authority']);
  const fetched = user.exec ? runPlugin(user.exec) : {};
  const certPem = fetched.clientCertificateData ?? pem(user['client-certificate-data'], user['client-certificate']);
  const keyPem = fetched.clientKeyData ?? pem(user['client-key-data'], user['client-key']);
  const token = fetched.token ?? user.token;
  return {
    server: cluster.server ?? '',
    ...(caPem && { caPem }),
    ...(certPem && { certPem }),
    ...(keyPem && { keyPem }),
    ...(user.tokenFile ? { tokenFile: resolve(directory, user.tokenFile) } : token && { token }),
    ...(cluster['insecure-skip-tls-verify'] && { insecureSkipTlsVerify: true }),
    ...(cluster['tls-server-name'] && { serverName: cluster['tls-server-name'] }),
    ...(user.as && { impersonate: { user: user.as, groups: user['as-groups'] ?? [] } }),
  };
}

interface Credential {
  readonly token?: string;
  readonly clientCertificateData?: string;
  readonly clientKeyData?: string;
}

/** Upstream: client-go plugin/pkg/client/auth/exec. */
function runPlugin({ apiVersion, command = '', args = [], env: more = [] }: ExecEntry): Credential {
  const info = { apiVersion, kind: 'ExecCredential', spec: { interactive: false } };
  const env = { ...process.env, KUBERNETES_EXEC_INFO: JSON.stringify(info) } as Record<string, string | undefined>;
  for (const { name = '', value } of more ?? []) env[name] = value ?? '';
  try {
    const out = execFileSync(command, [...(args ?? [])], {
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    return (JSON.parse(out) as { status?: Credential }).status ?? {};
  } catch (cause) {
    throw new UserError(`the credential plugin ${command} failed`, { cause });
  }
}
