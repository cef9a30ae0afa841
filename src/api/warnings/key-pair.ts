/**
 * Whether a certificate and a key, both PEM, belong together; in the words of Go's crypto/tls X509KeyPair.
 * Deviation: a certificate that cannot be parsed is "x509: malformed certificate" whatever is wrong with it; Go has a
 * text for each part.
 */
import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';

interface Block {
  readonly type: string;
  readonly der: Buffer;
}

const pem = /-----BEGIN ([^\n-]+)-----\s*\n([\s\S]*?)-----END \1-----/g;

/** The blocks of a text, those alone whose content is base64. */
function blocks(text: string): Block[] {
  return [...text.matchAll(pem)].flatMap(([, type = '', body = '']) => {
    const content = body.replace(/^[^\n:]+:[^\n]*\n/gm, '').replace(/\s/g, '');
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(content) || content.length % 4 !== 0) return [];
    return [{ type, der: Buffer.from(content, 'base64') }];
  });
}

const isKey = ({ type }: Block): boolean => type === 'PRIVATE KEY' || type.endsWith(' PRIVATE KEY');
const names = (found: readonly Block[]): string => `[${found.map(each => each.type).join(' ')}]`;

function noCertificate(found: readonly Block[]): string {
  if (found.length === 0) return 'tls: failed to find any PEM data in certificate input';
  if (found.length === 1 && found[0]!.type.endsWith('PRIVATE KEY')) {
    return 'tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched';
  }
  return `tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: ${names(found)}`;
}

function noKey(found: readonly Block[]): string {
  if (found.length === 0) return 'tls: failed to find any PEM data in key input';
  if (found.length === 1 && found[0]!.type === 'CERTIFICATE') {
    return 'tls: found a certificate rather than a key in the PEM for the private key';
  }
  return `tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the following types: ${names(found)}`;
}

function parseCertificate(der: Buffer): X509Certificate | undefined {
  try {
    return new X509Certificate(der);
  } catch {
    return undefined;
  }
}

/** In any of the forms that Go tries. */
function parseKey(der: Buffer): KeyObject | undefined {
  for (const type of ['pkcs1', 'pkcs8', 'sec1'] as const) {
    try {
      return createPrivateKey({ key: der, format: 'der', type });
    } catch {
      // Another form, then.
    }
  }
  return undefined;
}

const known = ['rsa', 'ec', 'ed25519'];

/** What is wrong with the pair; undefined when nothing is. */
export function keyPairError(certificateText: string, keyText: string): string | undefined {
  const certificates = blocks(certificateText);
  const first = certificates.find(each => each.type === 'CERTIFICATE');
  if (!first) return noCertificate(certificates);
  const keys = blocks(keyText);
  const keyBlock = keys.find(isKey);
  if (!keyBlock) return noKey(keys);
  const certificate = parseCertificate(first.der);
  if (!certificate) return 'x509: malformed certificate';
  const key = parseKey(keyBlock.der);
  if (!key) return 'tls: failed to parse private key';
  const own = key.asymmetricKeyType ?? '';
  if (!known.includes(own)) return 'tls: found unknown private key type in PKCS#8 wrapping';
  const type = certificate.publicKey.asymmetricKeyType ?? '';
  if (!known.includes(type)) return 'tls: unknown public key algorithm';
  if (type !== own) return 'tls: private key type does not match public key type';
  const matches = createPublicKey(key).equals(certificate.publicKey);
  return matches ? undefined : 'tls: private key does not match public key';
}
