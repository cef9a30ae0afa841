/** Clients from kubeconfig files, for benchmarks that run against any number of clusters side by side. */
import { readFileSync } from 'node:fs';
import { load } from 'js-yaml';
import { type Client, createClient, createHttpsTransport } from '#client';

interface Kubeconfig {
  readonly 'current-context': string;
  readonly contexts: ReadonlyArray<{ name: string; context: { cluster: string; user: string } }>;
  readonly clusters: ReadonlyArray<{
    name: string;
    cluster: { server: string; 'certificate-authority-data'?: string; 'insecure-skip-tls-verify'?: boolean };
  }>;
  readonly users: ReadonlyArray<{
    name: string;
    user: { 'client-certificate-data'?: string; 'client-key-data'?: string; token?: string };
  }>;
}

/** A client for the current context of the file at `path`. */
export function clientOf(path: string): Client {
  const config = load(readFileSync(path, 'utf8')) as Kubeconfig;
  const current = config.contexts.find(each => each.name === config['current-context'])!.context;
  const { cluster } = config.clusters.find(each => each.name === current.cluster)!;
  const { user } = config.users.find(each => each.name === current.user)!;
  const pem = (text: string | undefined): string | undefined => text && Buffer.from(text, 'base64').toString('utf8');
  const [caPem, certPem, keyPem] = [
    pem(cluster['certificate-authority-data']),
    pem(user['client-certificate-data']),
    pem(user['client-key-data']),
  ];
  return createClient(
    createHttpsTransport({
      server: cluster.server,
      ...(caPem && { caPem }),
      ...(certPem && { certPem, keyPem: keyPem! }),
      ...(user.token && { token: user.token }),
      ...(cluster['insecure-skip-tls-verify'] && { insecureSkipTlsVerify: true }),
    }),
  );
}

/** Middle of the sorted values. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
