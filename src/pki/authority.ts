/**
 * The cluster's own certificate authority: P-256 keys, X.509 v3 certificates for servers and clients, and signing of
 * certificate requests. The ASN.1 library is loaded when a certificate is first made, never on a warm start.
 * Certificates are minted by real time, because TLS stacks check them by it. Profiles: kubeadm's certs.go.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  randomBytes,
  type webcrypto,
  X509Certificate,
} from 'node:crypto';
import { isIP } from 'node:net';
import { promisify } from 'node:util';

/** A certificate with its private key, both PEM. */
export interface KeyPair {
  readonly certPem: string;
  readonly keyPem: string;
}

export type ExtendedUsage = 'server auth' | 'client auth';

/** As `spec.usages` of a CertificateSigningRequest names them. */
export type KeyUsage = 'digital signature' | 'key encipherment' | 'cert sign' | 'crl sign' | 'key agreement';

/** What a certificate says about its holder; for a client `commonName` is the user and `organizations` the groups. */
export interface CertificateRequest {
  readonly commonName: string;
  readonly organizations?: readonly string[];
  /** Values of the attribute that is a user's uid, 1.3.6.1.4.1.57683.2; one at most is of use. */
  readonly uids?: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
  readonly usages: readonly ExtendedUsage[];
  /** Default one year. */
  readonly validityMs?: number;
  /** Wall milliseconds of issue. */
  readonly nowMs: number;
}

/** How a certificate request is certified. */
export interface SignOptions {
  readonly keyUsages: readonly KeyUsage[];
  readonly usages: readonly ExtendedUsage[];
  readonly validityMs: number;
  readonly nowMs: number;
}

/** Signs on behalf of one CA certificate. */
export interface Authority extends KeyPair {
  /** Makes a new P-256 key and a certificate for it. */
  issue(request: CertificateRequest): Promise<KeyPair>;
  /**
   * Certifies the key, subject and subject alternative names of a PKCS #10 request (PEM); answers the certificate as
   * PEM. Throws when the request's own signature is wrong.
   */
  sign(csrPem: string, options: SignOptions): Promise<string>;
}

const yearMs = 365 * 24 * 3600 * 1000;
const backdateMs = 5 * 60 * 1000;
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const subjectAlternativeName = '2.5.29.17';
const uidAttribute = '1.3.6.1.4.1.57683.2';

const usageOids: Readonly<Record<ExtendedUsage, string>> = {
  'server auth': '1.3.6.1.5.5.7.3.1',
  'client auth': '1.3.6.1.5.5.7.3.2',
};
const keyUsageBits: Readonly<Record<KeyUsage, number>> = {
  'digital signature': 1,
  'key encipherment': 4,
  'key agreement': 16,
  'cert sign': 32,
  'crl sign': 64,
};

/** The library finds its algorithms through decorators' metadata, which the polyfill provides. */
async function x509(): Promise<typeof import('@peculiar/x509')> {
  await import('reflect-metadata');
  return import('@peculiar/x509');
}

/** Makes a new self-signed authority, valid for ten years unless told otherwise. */
export async function createAuthority(
  commonName: string,
  nowMs: number,
  validityMs: number = 10 * yearMs,
): Promise<Authority> {
  const lib = await x509();
  const { pair, keyPem } = await newKey();
  const certificate = await lib.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: [{ CN: [commonName] }],
    notBefore: new Date(nowMs - backdateMs),
    notAfter: new Date(nowMs + validityMs),
    signingAlgorithm: algorithm,
    keys: pair,
    extensions: [
      new lib.BasicConstraintsExtension(true, undefined, true),
      new lib.KeyUsagesExtension(
        keyUsageBits['digital signature'] | keyUsageBits['key encipherment'] | keyUsageBits['cert sign'],
        true,
      ),
      await lib.SubjectKeyIdentifierExtension.create(pair.publicKey),
      new lib.SubjectAlternativeNameExtension([{ type: 'dns', value: commonName }]),
    ],
  });
  return loadAuthority({ certPem: `${certificate.toString('pem').trim()}\n`, keyPem });
}

/** An authority from what {@link createAuthority} made, or from any CA certificate with its P-256 key. */
export function loadAuthority(pair: KeyPair): Authority {
  return {
    ...pair,
    async issue(request) {
      const lib = await x509();
      const { pair: keys, keyPem } = await newKey();
      const names = [
        ...(request.dnsNames ?? []).map(value => ({ type: 'dns' as const, value })),
        ...(request.ipAddresses ?? []).map(value => ({ type: 'ip' as const, value })),
      ];
      const certPem = await certify(pair, {
        subject: [
          ...(request.organizations ?? []).map(name => ({ O: [name] })),
          ...(request.uids ?? []).map(uid => ({ [uidAttribute]: [uid] })),
          { CN: [request.commonName] },
        ],
        publicKey: keys.publicKey,
        keyUsages: ['digital signature', 'key encipherment'],
        usages: request.usages,
        alternativeNames: names.length > 0 ? new lib.SubjectAlternativeNameExtension(names) : undefined,
        validityMs: request.validityMs ?? yearMs,
        nowMs: request.nowMs,
      });
      return { certPem, keyPem };
    },
    async sign(csrPem, options) {
      const lib = await x509();
      const csr = new lib.Pkcs10CertificateRequest(csrPem);
      if (!(await csr.verify())) throw new Error('the signature of the certificate request is wrong');
      return certify(pair, {
        ...options,
        subject: csr.subject,
        publicKey: (await csr.publicKey.export()) as webcrypto.CryptoKey,
        alternativeNames: csr.extensions.find(extension => extension.type === subjectAlternativeName),
      });
    },
  };
}

interface Certification extends SignOptions {
  readonly subject: string | Array<Record<string, string[]>>;
  readonly publicKey: webcrypto.CryptoKey;
  readonly alternativeNames: object | undefined;
}

async function certify(issuerPair: KeyPair, what: Certification): Promise<string> {
  const lib = await x509();
  const issuer = new lib.X509Certificate(issuerPair.certPem);
  const keyUsage = what.keyUsages.reduce((bits, usage) => bits | keyUsageBits[usage], 0);
  const extensions: object[] = [
    new lib.BasicConstraintsExtension(false, undefined, true),
    await lib.AuthorityKeyIdentifierExtension.create(issuer),
  ];
  if (keyUsage > 0) extensions.push(new lib.KeyUsagesExtension(keyUsage, true));
  if (what.usages.length > 0) {
    extensions.push(new lib.ExtendedKeyUsageExtension(what.usages.map(usage => usageOids[usage])));
  }
  if (what.alternativeNames) extensions.push(what.alternativeNames);
  const certificate = await lib.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: what.subject,
    issuer: issuer.subject,
    notBefore: new Date(what.nowMs - backdateMs),
    notAfter: new Date(Math.min(what.nowMs + what.validityMs, issuer.notAfter.getTime())),
    signingAlgorithm: algorithm,
    signingKey: await importSigningKey(issuerPair.keyPem),
    publicKey: what.publicKey,
    extensions: extensions as never[],
  });
  return `${certificate.toString('pem').trim()}\n`;
}

/** True when `certPem` speaks for all of `names` (DNS names and addresses) and ends more than `marginMs` from `nowMs`. */
export function certificateCovers(certPem: string, names: readonly string[], nowMs: number, marginMs: number): boolean {
  const certificate = new X509Certificate(certPem);
  if (Date.parse(certificate.validTo) - nowMs <= marginMs) return false;
  return names.every(name => (isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined);
}

/**
 * True when a certificate says that it is of an authority's name, and is of another key: of the authority that had the
 * name before. One of somebody else's authority is not.
 */
export function isOfFormerKey(certPem: string, authorityPem: string): boolean {
  const certificate = new X509Certificate(certPem);
  const authority = new X509Certificate(authorityPem);
  return certificate.issuer === authority.subject && !certificate.verify(authority.publicKey);
}

async function newKey(): Promise<{ pair: webcrypto.CryptoKeyPair; keyPem: string }> {
  const pair = (await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', pair.privateKey));
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return { pair, keyPem: key.export({ format: 'pem', type: 'sec1' }) as string };
}

async function importSigningKey(keyPem: string): Promise<webcrypto.CryptoKey> {
  const der = new Uint8Array(createPrivateKey(keyPem).export({ format: 'der', type: 'pkcs8' }));
  return (await crypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign'])) as webcrypto.CryptoKey;
}

/** 16 random bytes whose first is neither negative nor zero, as RFC 5280 4.1.2.2 asks. */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return bytes.toString('hex');
}

const generate = promisify(generateKeyPair);

/** A new RSA 2048 key for ServiceAccount tokens (RS256), PKCS #1 PEM. Takes some 100 ms, off the main thread. */
export async function createTokenKey(): Promise<string> {
  const { privateKey } = await generate('rsa', { modulusLength: 2048 });
  return privateKey.export({ format: 'pem', type: 'pkcs1' }) as string;
}

/** The public half of a PEM key, SPKI PEM. */
export function publicKeyPem(keyPem: string): string {
  return createPublicKey(keyPem).export({ format: 'pem', type: 'spki' }) as string;
}

/** A new P-256 key, and a PKCS #10 request (PEM) that is signed with it. */
export async function createCertificateRequest(
  names: Pick<CertificateRequest, 'commonName' | 'organizations' | 'dnsNames' | 'ipAddresses'>,
): Promise<{ readonly requestPem: string; readonly keyPem: string }> {
  const lib = await x509();
  const { pair, keyPem } = await newKey();
  const alternatives = [
    ...(names.dnsNames ?? []).map(value => ({ type: 'dns' as const, value })),
    ...(names.ipAddresses ?? []).map(value => ({ type: 'ip' as const, value })),
  ];
  const request = await lib.Pkcs10CertificateRequestGenerator.create({
    name: [...(names.organizations ?? []).map(name => ({ O: [name] })), { CN: [names.commonName] }],
    keys: pair,
    signingAlgorithm: algorithm,
    extensions: alternatives.length > 0 ? [new lib.SubjectAlternativeNameExtension(alternatives)] : [],
  });
  return { requestPem: `${request.toString('pem').trim()}\n`, keyPem };
}
