/**
 * Whether the bundle of a conversion webhook can be read. Upstream: apiserver pkg/util/webhook/validation.go
 * ValidateCABundle.
 */
import { X509Certificate } from 'node:crypto';

const certificates = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** What is wrong with a bundle in base64, in the words of client-go's transport. */
export function caBundleFault(base64: string): string | undefined {
  const text = Buffer.from(base64, 'base64').toString();
  const found = text.match(certificates) ?? [];
  if (found.length === 0) return 'unable to load root certificates: unable to parse bytes as PEM block';
  for (const certificate of found) {
    try {
      new X509Certificate(certificate);
    } catch {
      return 'unable to load root certificates: failed to parse certificate: x509: malformed certificate';
    }
  }
  return undefined;
}
