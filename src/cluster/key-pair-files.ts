/** A certificate and its key as two files beside each other, `NAME.crt` and `NAME.key`. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { KeyPair } from '#pki';
import { writeFileAtomically } from './state-dir.ts';

/** Undefined while one of them is missing. Throws for a certificate with another's key: somebody is writing them. */
export function readPair(path: string): KeyPair | undefined {
  const [certPem, keyPem] = [readIfThere(`${path}.crt`), readIfThere(`${path}.key`)];
  if (certPem === undefined || keyPem === undefined) return undefined;
  const pair = { certPem, keyPem };
  if (!new X509Certificate(pair.certPem).checkPrivateKey(createPrivateKey(pair.keyPem)))
    throw new Error(`${path}.key is not the key of ${path}.crt`);
  return pair;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return undefined;
  }
}

/** The key goes first: a certificate without its key would look complete. */
export function writePair(path: string, pair: KeyPair): void {
  writeFileAtomically(`${path}.key`, pair.keyPem);
  writeFileAtomically(`${path}.crt`, pair.certPem, 0o644);
}
