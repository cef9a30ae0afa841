/**
 * The cluster's keys on disk, made at the first start and renewed before they end: CA, API server, kubelet, front proxy,
 * the administrator's client certificate, and the key of ServiceAccount tokens. File names follow kubeadm.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Authority,
  certificateCovers,
  createAuthority,
  createTokenKey,
  type KeyPair,
  loadAuthority,
  loadTokenKeys,
  type TokenKeys,
} from '#pki';
import { writeFileAtomically } from './state-dir.ts';

/** Everything that proves something, loaded. */
export interface ClusterPki {
  readonly authority: Authority;
  readonly apiServer: KeyPair;
  /** The API server's identity towards kubelets. */
  readonly apiServerKubeletClient: KeyPair;
  readonly kubeletServer: KeyPair;
  /** Vouches for {@link frontProxyClient} and for nobody else. */
  readonly frontProxy: Authority;
  /** The API server's identity towards other API servers. */
  readonly frontProxyClient: KeyPair;
  /** Member of system:masters. */
  readonly admin: KeyPair;
  readonly tokenKeys: TokenKeys;
}

/** Names of what the API server shows to other API servers, and of the authority that they check it by. */
export const frontProxyFiles = { authority: 'front-proxy-ca', client: 'front-proxy-client' } as const;

export interface PkiNames {
  /** DNS names and addresses that clients use for the API. */
  readonly apiServerNames: readonly string[];
  readonly kubeletNames: readonly string[];
  readonly nodeName: string;
}

const renewBeforeMs = 30 * 24 * 3600 * 1000;

/** Loads the keys in `dir`, making or renewing what is missing, ending soon, or lacks a name. */
export async function ensurePki(dir: string, names: PkiNames, nowMs: number): Promise<ClusterPki> {
  const [authority, frontProxy, tokenKeyPem] = await Promise.all([
    ensureAuthority(join(dir, 'ca'), 'kubernetes', nowMs),
    ensureAuthority(join(dir, frontProxyFiles.authority), 'front-proxy-ca', nowMs),
    ensureFile(join(dir, 'sa.key'), createTokenKey),
  ]);
  const leaf = (name: string, covers: readonly string[], make: () => Promise<KeyPair>): Promise<KeyPair> =>
    ensurePair(join(dir, name), covers, nowMs, make);
  const split = (all: readonly string[]): { dnsNames: string[]; ipAddresses: string[] } => ({
    dnsNames: all.filter(name => !/^[\d.]+$|:/.test(name)),
    ipAddresses: all.filter(name => /^[\d.]+$|:/.test(name)),
  });
  const [apiServer, apiServerKubeletClient, kubeletServer, admin, frontProxyClient] = await Promise.all([
    leaf('apiserver', names.apiServerNames, () =>
      authority.issue({ commonName: 'kube-apiserver', ...split(names.apiServerNames), usages: ['server auth'], nowMs }),
    ),
    leaf('apiserver-kubelet-client', [], () =>
      authority.issue({
        commonName: 'kube-apiserver-kubelet-client',
        organizations: ['system:masters'],
        usages: ['client auth'],
        nowMs,
      }),
    ),
    leaf('kubelet', names.kubeletNames, () =>
      authority.issue({
        commonName: `system:node:${names.nodeName}`,
        organizations: ['system:nodes'],
        ...split(names.kubeletNames),
        usages: ['server auth', 'client auth'],
        nowMs,
      }),
    ),
    leaf('admin', [], () =>
      authority.issue({
        commonName: 'kubernetes-admin',
        organizations: ['system:masters'],
        usages: ['client auth'],
        nowMs,
      }),
    ),
    leaf(frontProxyFiles.client, [], () =>
      frontProxy.issue({ commonName: frontProxyFiles.client, usages: ['client auth'], nowMs }),
    ),
  ]);
  return {
    authority,
    frontProxy,
    frontProxyClient,
    apiServer,
    apiServerKubeletClient,
    kubeletServer,
    admin,
    tokenKeys: loadTokenKeys(tokenKeyPem),
  };
}

async function ensureAuthority(path: string, commonName: string, nowMs: number): Promise<Authority> {
  const existing = readPair(path);
  if (existing) return loadAuthority(existing);
  const authority = await createAuthority(commonName, nowMs);
  writePair(path, authority);
  return authority;
}

async function ensurePair(
  path: string,
  covers: readonly string[],
  nowMs: number,
  make: () => Promise<KeyPair>,
): Promise<KeyPair> {
  const existing = readPair(path);
  if (existing && certificateCovers(existing.certPem, covers, nowMs, renewBeforeMs)) return existing;
  const made = await make();
  writePair(path, made);
  return made;
}

async function ensureFile(path: string, make: () => Promise<string>): Promise<string> {
  if (existsSync(path)) return readFileSync(path, 'utf8');
  const made = await make();
  writeFileAtomically(path, made);
  return made;
}

function readPair(path: string): KeyPair | undefined {
  if (!existsSync(`${path}.crt`) || !existsSync(`${path}.key`)) return undefined;
  return { certPem: readFileSync(`${path}.crt`, 'utf8'), keyPem: readFileSync(`${path}.key`, 'utf8') };
}

/** The key goes first: a certificate without its key would look complete. */
function writePair(path: string, pair: KeyPair): void {
  writeFileAtomically(`${path}.key`, pair.keyPem);
  writeFileAtomically(`${path}.crt`, pair.certPem, 0o644);
}
