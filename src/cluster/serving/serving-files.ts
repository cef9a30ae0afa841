/** Certificates that the API shows, from files that an operator gives. Upstream: pkg/server/options/serving.go. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type SniPair, sniNames } from '#apiserver';
import { goFileError, UserError } from '#base';
import type { KeyPair } from '#pki';

export interface PairFiles {
  readonly cert: string;
  readonly key: string;
}

export interface SniFiles extends PairFiles {
  /** Empty: those in the certificate. */
  readonly names: readonly string[];
}

export interface ServingFiles {
  /** In place of the cluster's own. */
  readonly pair?: PairFiles;
  readonly sni: readonly SniFiles[];
}

/** What {@link ServingFiles} hold at present. */
export interface ServingPairs {
  readonly pair: KeyPair | undefined;
  readonly sni: readonly SniPair[];
}

/** Throws a UserError for what cannot be read or does not belong together. */
export function readServingFiles({ pair, sni }: ServingFiles): ServingPairs {
  return {
    pair: pair && readPair(pair, 'unable to load server certificate'),
    sni: sni.map(files => {
      const read = readPair(files, 'failed to load SNI cert and key');
      return { ...read, names: files.names.length > 0 ? files.names : sniNames(read.certPem) };
    }),
  };
}

function readPair({ cert, key }: PairFiles, what: string): KeyPair {
  try {
    const pair = { certPem: readText(cert), keyPem: readText(key) };
    if (!new X509Certificate(pair.certPem).checkPrivateKey(createPrivateKey(pair.keyPem)))
      throw new Error('tls: private key does not match public key');
    return pair;
  } catch (cause) {
    throw new UserError(`${what}: ${(cause as Error).message}`, { cause });
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new Error(goFileError(cause, path), { cause });
  }
}

export function pathsOf({ pair, sni }: ServingFiles): string[] {
  return [...(pair ? [pair] : []), ...sni].flatMap(({ cert, key }) => [cert, key]);
}
