/**
 * A certificate with its key in one file, as upstream's kubelets keep theirs (`kubelet-client-current.pem`): the two
 * change together or not at all. Upstream: client-go util/certificate/certificate_store.go.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { KeyPair } from '#pki';
import type { CertificateStore } from './certificate-manager.ts';

const certificateBlock = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----\n?/g;
const keyBlock = /-----BEGIN ([A-Z ]*PRIVATE KEY)-----[\s\S]*?-----END \1-----\n?/;

export function certificateFile(path: string): CertificateStore {
  return {
    read() {
      if (!existsSync(path)) return undefined;
      return pairIn(readFileSync(path, 'utf8'));
    },
    write({ certPem, keyPem }) {
      const temporary = `${path}.tmp-${process.pid}`;
      writeFileSync(temporary, certPem + keyPem, { mode: 0o600 });
      renameSync(temporary, path);
    },
  };
}

/** Undefined for what is no whole pair: it is asked for anew. */
function pairIn(text: string): KeyPair | undefined {
  const certPem = text.match(certificateBlock)?.join('') ?? '';
  const [keyPem = ''] = keyBlock.exec(text) ?? [];
  try {
    return new X509Certificate(certPem).checkPrivateKey(createPrivateKey(keyPem)) ? { certPem, keyPem } : undefined;
  } catch {
    return undefined;
  }
}
