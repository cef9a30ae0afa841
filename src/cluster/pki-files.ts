/**
 * The cluster's keys on disk, made at the first start and renewed before they end: CA, API server, kubelet, front proxy,
 * the administrator's client certificate, and the key of ServiceAccount tokens. File names follow kubeadm.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Authority,
  certificateCovers,
  createTokenKey,
  isOfFormerKey,
  type KeyPair,
  loadTokenKeys,
  type TokenKeys,
} from '#pki';
import { defaultLifetimes, ensureAuthority, type Lifetimes } from './authority-files.ts';
import { readPair, writePair } from './key-pair-files.ts';
import { writeFileAtomically } from './state-dir.ts';
import { tokenKeyFiles } from './token-key-files.ts';

/** Everything that proves something, loaded. */
export interface ClusterPki {
  readonly authority: Authority;
  /** It, and those that were or will be in its place: who is believed. */
  readonly trustedPem: string;
  readonly apiServer: KeyPair;
  /** The API server's identity towards kubelets. */
  readonly apiServerKubeletClient: KeyPair;
  readonly kubeletServer: KeyPair;
  /** Vouches for {@link frontProxyClient} and for nobody else. */
  readonly frontProxy: Authority;
  readonly frontProxyTrustedPem: string;
  /** The API server's identity towards other API servers. */
  readonly frontProxyClient: KeyPair;
  /** Member of system:masters. */
  readonly admin: KeyPair;
  readonly tokenKeys: TokenKeys;
}

/** Names of what the API server shows to other API servers, and of the authority that they check it by. */
export const frontProxyFiles = { authority: 'front-proxy-ca', client: 'front-proxy-client' } as const;

/** Names of the files of all that is no authority. */
export const leafFiles: readonly string[] = [
  'admin',
  'apiserver',
  'apiserver-kubelet-client',
  frontProxyFiles.client,
  'kubelet',
];

export interface PkiNames {
  /** DNS names and addresses that clients use for the API. */
  readonly apiServerNames: readonly string[];
  readonly kubeletNames: readonly string[];
  readonly nodeName: string;
}

/**
 * Loads the keys in `dir`, making or renewing what is missing, ending soon, lacks a name, or is of an authority that was
 * replaced. Throws while somebody else is writing them, unless `mends`: then what does not fit together is made anew.
 */
export async function ensurePki(
  dir: string,
  names: PkiNames,
  nowMs: number,
  { lifetimes = defaultLifetimes, mends = false }: { readonly lifetimes?: Lifetimes; readonly mends?: boolean } = {},
): Promise<ClusterPki> {
  const [ca, frontProxyCa, tokenKeyPem] = await Promise.all([
    ensureAuthority(join(dir, 'ca'), 'kubernetes', nowMs, lifetimes),
    ensureAuthority(join(dir, frontProxyFiles.authority), 'front-proxy-ca', nowMs, lifetimes),
    ensureFile(join(dir, tokenKeyFiles.signing), createTokenKey),
  ]);
  const { authority } = ca;
  const frontProxy = frontProxyCa.authority;
  const leaf = (name: string, covers: readonly string[], make: () => Promise<KeyPair>): Promise<KeyPair> => {
    const issuer = name === frontProxyFiles.client ? frontProxy : authority;
    const isGood = ({ certPem }: KeyPair): boolean =>
      certificateCovers(certPem, covers, nowMs, lifetimes.renewBeforeMs) && !isOfFormerKey(certPem, issuer.certPem);
    return ensurePair(join(dir, name), { isGood, make, mends });
  };
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
    trustedPem: ca.bundlePem,
    frontProxy,
    frontProxyTrustedPem: frontProxyCa.bundlePem,
    frontProxyClient,
    apiServer,
    apiServerKubeletClient,
    kubeletServer,
    admin,
    tokenKeys: loadTokenKeys(tokenKeyPem, readFormerTokenKeys(dir)),
  };
}

function readFormerTokenKeys(dir: string): string[] {
  const path = join(dir, tokenKeyFiles.former);
  return existsSync(path) ? [readFileSync(path, 'utf8')] : [];
}

interface LeafRule {
  readonly isGood: (pair: KeyPair) => boolean;
  readonly make: () => Promise<KeyPair>;
  readonly mends: boolean;
}

async function ensurePair(path: string, { isGood, make, mends }: LeafRule): Promise<KeyPair> {
  const existing = readFitting(path, mends);
  if (existing && isGood(existing)) return existing;
  const made = await make();
  writePair(path, made);
  return made;
}

function readFitting(path: string, mends: boolean): KeyPair | undefined {
  try {
    return readPair(path);
  } catch (error) {
    if (!mends) throw error;
    return undefined;
  }
}

async function ensureFile(path: string, make: () => Promise<string>): Promise<string> {
  if (existsSync(path)) return readFileSync(path, 'utf8');
  const made = await make();
  writeFileAtomically(path, made);
  return made;
}
