/**
 * The certificate that this server shows to other API servers, read anew when its files change. Upstream: apiserver
 * pkg/server/dynamiccertificates DynamicCertKeyPairContent.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Clock, type Logger, UserError, watchFile } from '#base';
import type { ClientPair } from './backends.ts';

/** `--proxy-client-cert-file`, `--proxy-client-key-file`. */
export interface ClientPairFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

interface FileDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Throws an Error where the two do not belong together. */
function read({ certFile, keyFile }: ClientPairFiles): ClientPair {
  const certPem = readFileSync(certFile, 'utf8');
  const keyPem = readFileSync(keyFile, 'utf8');
  if (!new X509Certificate(certPem).checkPrivateKey(createPrivateKey(keyPem))) {
    throw new Error('tls: private key does not match public key');
  }
  return { certPem, keyPem };
}

/** The pair as it is now; what cannot be read later changes nothing. Throws a UserError. */
export function followClientPair(files: ClientPairFiles, { clock, logger, signal }: FileDeps): () => ClientPair {
  let pair: ClientPair;
  try {
    pair = read(files);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UserError(`unable to load the proxy client certificate ${JSON.stringify(files.certFile)}: ${why}`, {
      cause,
    });
  }
  const onChange = (): void => {
    try {
      const now = read(files);
      if (now.certPem === pair.certPem && now.keyPem === pair.keyPem) return;
      pair = now;
      logger.info('loaded a new proxy client certificate', { path: files.certFile });
    } catch (error) {
      logger.error('the proxy client certificate cannot be loaded; the one before stays', { ...files, error });
    }
  };
  for (const path of [files.certFile, files.keyFile]) watchFile(path, { clock, signal, onChange });
  return () => pair;
}
