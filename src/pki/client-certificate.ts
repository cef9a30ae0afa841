/**
 * What a client's certificate says of its holder, and whether a bundle of authorities vouches for it. Upstream: Go's
 * crypto/x509 (Certificate.Verify, pkix.Name) as apiserver pkg/authentication/request/x509 uses it.
 *
 * The chain is looked for here, for each request anew, because bundles change while connections last and because there
 * are two of them (clients and front proxies), where a TLS stack verifies once against one set. Path lengths, name
 * constraints and unknown critical extensions are OpenSSL's to judge, in the handshake: callers ask for both.
 */
import { X509Certificate } from 'node:crypto';
import { children, element, text } from './der.ts';

/** Authorities that are trusted for one purpose. */
export type CertificateBundle = readonly X509Certificate[];

export interface CertificateSubject {
  /** Empty where there is none; of several the last, as in Go. */
  readonly commonName: string;
  readonly organizations: readonly string[];
  /** Values of the attribute 1.3.6.1.4.1.57683.2; null for one that is no string. */
  readonly uids: ReadonlyArray<string | null>;
}

const commonNameId = '550403';
const organizationId = '55040a';
const uidId = '2b0601040183c25302';
/** Numeric, printable, T.61, IA5, UTF-8 and BMP strings. */
const stringTags: ReadonlySet<number> = new Set([0x0c, 0x12, 0x13, 0x14, 0x16, 0x1e]);
const explicitVersion = 0xa0;

/** Throws for what is no certificate. */
export function certificateSubject(certificate: X509Certificate): CertificateSubject {
  const [toBeSigned] = children(element(certificate.raw));
  const fields = toBeSigned ? children(toBeSigned) : [];
  // version?, serial, algorithm, issuer, validity, subject
  const subject = fields[fields[0]?.tag === explicitVersion ? 5 : 4];
  let commonName = '';
  const organizations: string[] = [];
  const uids: Array<string | null> = [];
  for (const pair of subject ? children(subject).flatMap(children) : []) {
    const [id, value] = children(pair);
    if (!id || !value) continue;
    const isString = stringTags.has(value.tag);
    const hex = Buffer.from(id.content).toString('hex');
    if (hex === uidId) uids.push(isString ? text(value) : null);
    else if (!isString) continue;
    else if (hex === commonNameId) commonName = text(value);
    else if (hex === organizationId) organizations.push(text(value));
  }
  return { commonName, organizations, uids };
}

const pemBlock = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

/** The certificates of a PEM text. Throws when there is none, or one that cannot be read. */
export function parseBundle(pem: string): CertificateBundle {
  const blocks = pem.match(pemBlock) ?? [];
  if (blocks.length === 0) throw new Error('data does not contain any valid RSA or ECDSA certificates');
  return blocks.map(block => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      throw new Error('x509: malformed certificate', { cause });
    }
  });
}

const clientAuth = '1.3.6.1.5.5.7.3.2';
const anyUsage = '2.5.29.37.0';
/** Signature checks that one certificate may cause. Upstream: maxChainSignatureChecks. */
const maxSignatureChecks = 100;

const allowsClients = (certificate: X509Certificate): boolean => {
  const usages = certificate.keyUsage as readonly string[] | undefined;
  return !usages?.length || usages.includes(clientAuth) || usages.includes(anyUsage);
};

const goTime = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

function timeProblem(certificate: X509Certificate, nowMs: number): string | undefined {
  const from = certificate.validFromDate.getTime();
  const to = certificate.validToDate.getTime();
  const expired = 'x509: certificate has expired or is not yet valid: current time';
  if (nowMs < from) return `${expired} ${goTime(nowMs)} is before ${goTime(from)}`;
  return nowMs > to ? `${expired} ${goTime(nowMs)} is after ${goTime(to)}` : undefined;
}

/**
 * Why `roots` do not vouch for `leaf` as a client now, in Go's words; undefined when they do. `intermediates` are what
 * the client sent along; a root may be an intermediate authority itself.
 */
export function clientCertificateProblem(
  leaf: X509Certificate,
  intermediates: readonly X509Certificate[],
  roots: CertificateBundle,
  nowMs: number,
): string | undefined {
  const untimely = timeProblem(leaf, nowMs);
  if (untimely) return untimely;
  let checks = 0;
  let problem = 'x509: certificate signed by unknown authority';
  const signs = (issuer: X509Certificate, certificate: X509Certificate): boolean =>
    issuer.ca &&
    certificate.checkIssued(issuer) &&
    ++checks <= maxSignatureChecks &&
    certificate.verify(issuer.publicKey);
  const isVouchedFor = (certificate: X509Certificate, chain: readonly X509Certificate[]): boolean => {
    const path = [...chain, certificate];
    const isKnown = (other: X509Certificate): boolean => path.some(each => each.raw.equals(other.raw));
    if (!allowsClients(certificate)) {
      problem = 'x509: certificate specifies an incompatible key usage';
      return false;
    }
    if (timeProblem(certificate, nowMs)) {
      problem = timeProblem(certificate, nowMs)!;
      return false;
    }
    if (roots.some(root => root.raw.equals(certificate.raw))) return true;
    const issuers = [...roots, ...intermediates].filter(issuer => !isKnown(issuer) && signs(issuer, certificate));
    return issuers.some(issuer => isVouchedFor(issuer, path));
  };
  return isVouchedFor(leaf, []) ? undefined : problem;
}
