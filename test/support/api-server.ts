/**
 * An API server in this process with HTTPS on loopback, for tests: memory store, new keys, an administrator's
 * kubeconfig. `start` takes some 100 ms.
 *
 *     await using server = await startTestApiServer();
 *     const client = createClient(server.transport());             // in-process, as system:masters
 *     execFile('kubectl', ['--kubeconfig', server.kubeconfig(), 'get', 'ns']);
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ApiServer,
  type ApiServerConfig,
  createApiServer,
  identity,
  staticTokens,
  type TokenAuthenticator,
  user,
} from '#apiserver';
import {
  type Clock,
  createActivity,
  createLogger,
  MetricsRegistry,
  noActivity,
  noFaults,
  silentLogger,
  systemClock,
  systemRandom,
} from '#base';
import { createClient, type Transport } from '#client';
import { apiControllers, type ControllerDefinition, startControllers } from '#controllers';
import {
  type Authority,
  createAuthority,
  createTokenKey,
  fixedTrust,
  type KeyPair,
  loadTokenKeys,
  type TokenClaims,
} from '#pki';
import { createMemoryStore, type Store } from '#storage';

export interface TestApiServer extends AsyncDisposable {
  readonly server: ApiServer;
  readonly store: Store;
  readonly authority: Authority;
  readonly url: string;
  readonly port: number;
  readonly admin: KeyPair;
  /** A bearer token of the same administrator. */
  readonly adminToken: string;
  /** In-process; as a member of system:masters unless told. */
  transport(name?: string, groups?: readonly string[]): Transport;
  /** Path of a kubeconfig file that is removed with the server. */
  kubeconfig(): string;
  /** Paths of the same as separate PEM files. */
  pemFiles(): { readonly ca: string; readonly cert: string; readonly key: string };
}

export interface TestApiServerOptions {
  readonly config?: Partial<ApiServerConfig>;
  readonly store?: Store;
  /** Of the server; default the machine's own. */
  readonly clock?: Clock;
  /** Default: any free one. */
  readonly port?: number;
  /** Run the controllers that every API needs (namespaces, service accounts, the root CA), or these. */
  readonly controllers?: boolean | readonly ControllerDefinition[];
  /** Tokens besides the administrator's. */
  readonly tokenAuthenticators?: readonly TokenAuthenticator[];
  /** Log lines on standard error. */
  readonly verbose?: boolean;
}

export async function startTestApiServer(options: TestApiServerOptions = {}): Promise<TestApiServer> {
  const nowMs = systemClock.now();
  const [authority, tokenKey] = await Promise.all([createAuthority('kubernetes-ca', nowMs), createTokenKey()]);
  const [serving, admin] = await Promise.all([
    authority.issue({
      commonName: 'kube-apiserver',
      dnsNames: ['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc'],
      ipAddresses: ['127.0.0.1', '::1', '10.96.0.1'],
      usages: ['server auth'],
      nowMs,
    }),
    authority.issue({
      commonName: 'kubernetes-admin',
      organizations: ['system:masters'],
      usages: ['client auth'],
      nowMs,
    }),
  ]);
  const adminToken = systemRandom.uuid();
  const store = options.store ?? createMemoryStore({ clock: systemClock });
  const logger = options.verbose
    ? createLogger({ clock: systemClock, level: 'info', write: line => console.error(line) })
    : silentLogger;
  const server = await createApiServer(
    {
      store,
      clock: options.clock ?? systemClock,
      random: systemRandom,
      logger,
      metrics: new MetricsRegistry(),
      faults: noFaults,
      activity: createActivity(),
      tokenKeys: loadTokenKeys(tokenKey),
      tokenAuthenticators: [
        staticTokens(new Map([[adminToken, user('admin', ['system:masters'])]])),
        ...(options.tokenAuthenticators ?? []),
      ],
    },
    options.config,
  );
  await server.ready;
  const listener = await server.listen({
    host: '127.0.0.1',
    port: options.port ?? 0,
    tls: { ...serving, clientCaPem: authority.certPem },
  });
  const stopping = new AbortController();
  const controllers = options.controllers
    ? await startControllers(
        {
          clientFor: name => createClient(server.transport(identity(name))),
          clock: systemClock,
          random: systemRandom,
          logger,
          activity: noActivity,
          rootCa: fixedTrust(authority.certPem),
          signToken: claims => server.tokenKeys!.sign(claims as TokenClaims),
        },
        options.controllers === true ? apiControllers : options.controllers,
        stopping.signal,
      )
    : undefined;
  let directory: string | undefined;
  const file = (name: string, text: string): string => {
    directory ??= mkdtempSync(join(tmpdir(), 'kobune-test-'));
    const path = join(directory, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  return {
    server,
    store,
    authority,
    url: listener.url,
    port: listener.port,
    admin,
    adminToken,
    transport: (name = 'kubernetes-admin', groups = ['system:masters']) => server.transport(user(name, groups)),
    kubeconfig: () => file('kubeconfig', kubeconfigText(listener.url, authority.certPem, admin)),
    pemFiles: () => ({
      ca: file('ca.pem', authority.certPem),
      cert: file('admin.pem', admin.certPem),
      key: file('admin-key.pem', admin.keyPem),
    }),
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await controllers?.[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      if (!options.store) await store.close();
      if (directory) rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** JSON is YAML. */
function kubeconfigText(url: string, caPem: string, admin: KeyPair): string {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server: url, 'certificate-authority-data': base64(caPem) } }],
    users: [
      {
        name: 'admin',
        user: { 'client-certificate-data': base64(admin.certPem), 'client-key-data': base64(admin.keyPem) },
      },
    ],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
    'current-context': 'test',
  });
}
