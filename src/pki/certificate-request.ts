/**
 * PKCS #10 certificate requests, as far as the API judges them: whom they are for, and whether they are signed with the
 * key that they bring. RFC 2986; upstream: pkg/apis/certificates/helpers.go ParseCSR, Go's crypto/x509.
 */
import { constants, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { children, type Element, element, SEQUENCE, text } from './der.ts';

export interface RequestSubject {
  readonly commonName: string;
  readonly organizations: readonly string[];
}

/** The other names that a request asks for, counted by kind. */
export interface RequestedNames {
  readonly dns: number;
  readonly email: number;
  readonly ip: number;
  readonly uri: number;
}

const commonNameId = '550403';
const organizationId = '55040a';

interface Request {
  readonly info: Element;
  readonly subject: Element;
  readonly key: Element;
  readonly algorithm: Element;
  readonly signature: Element;
}

/** Throws with what is wrong, in upstream's words where they are short. */
function parse(pem: string): Request {
  const match = /-----BEGIN ([^-]+)-----\r?\n([\s\S]*?)-----END \1-----/.exec(pem);
  if (match?.[1] !== 'CERTIFICATE REQUEST') throw new Error('PEM block type must be CERTIFICATE REQUEST');
  const bytes = Buffer.from(match[2]!, 'base64');
  if (bytes[0] !== SEQUENCE) throw new Error("asn1: structure error: tags don't match");
  const [info, algorithm, signature] = children(element(bytes, 0));
  const [, subject, key] = info ? children(info) : [];
  if (!info || !algorithm || !signature || !subject || !key) throw new Error('asn1: syntax error: sequence truncated');
  return { info, subject, key, algorithm, signature };
}

/** Whom the PEM text's request is for; its signature is not looked at. Throws with what is wrong. */
export function requestSubject(pem: string): RequestSubject {
  let commonName = '';
  const organizations: string[] = [];
  for (const set of children(parse(pem).subject)) {
    for (const pair of children(set)) {
      const [id, value] = children(pair);
      if (!id || !value) continue;
      const hex = Buffer.from(id.content).toString('hex');
      if (hex === commonNameId) commonName = text(value);
      if (hex === organizationId) organizations.push(text(value));
    }
  }
  return { commonName, organizations };
}

const extensionRequestId = '2a864886f70d01090e';
const alternativeNamesId = '551d11';
const attributesTag = 0xa0;
const nameTags: Readonly<Record<number, keyof RequestedNames>> = { 129: 'email', 130: 'dns', 134: 'uri', 135: 'ip' };

const idOf = (sequence: readonly Element[]): string => Buffer.from(sequence[0]?.content ?? []).toString('hex');

/** The subject alternative names of the PEM text's request. Throws with what is wrong. RFC 2985, 5280. */
export function requestedNames(pem: string): RequestedNames {
  const names = { dns: 0, email: 0, ip: 0, uri: 0 };
  const attributes = children(parse(pem).info).find(({ tag }) => tag === attributesTag);
  for (const attribute of attributes ? children(attributes) : []) {
    const [id, values] = children(attribute);
    if (!id || !values || idOf([id]) !== extensionRequestId) continue;
    for (const extension of children(values).flatMap(children)) {
      const parts = children(extension);
      if (idOf(parts) !== alternativeNamesId) continue;
      for (const { tag } of children(element(parts.at(-1)!.content, 0))) {
        const kind = nameTags[tag];
        if (kind) names[kind]++;
      }
    }
  }
  return names;
}

/** Hash of a signature algorithm by the hexadecimal of its identifier; null: the key's kind says it all. */
const hashes: Readonly<Record<string, string | null>> = {
  '2a864886f70d010105': 'sha1',
  '2a864886f70d01010b': 'sha256',
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  '2a8648ce3d0401': 'sha1',
  '2a8648ce3d040302': 'sha256',
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
  '2b6570': null,
};
const rsaPssId = '2a864886f70d01010a';
/** Hashes that RSA-PSS names in its parameters. */
const pssHashes: Readonly<Record<string, string>> = {
  '608648016503040201': 'sha256',
  '608648016503040202': 'sha384',
  '608648016503040203': 'sha512',
};
const failures: Readonly<Record<string, string>> = {
  rsa: 'crypto/rsa: verification error',
  ec: 'x509: ECDSA verification failure',
  ed25519: 'x509: Ed25519 verification failure',
};
const unimplemented = 'x509: cannot verify signature: algorithm unimplemented';

function hashOf(algorithm: Element): { hash: string | null; pss: boolean } | undefined {
  const id = Buffer.from(children(algorithm)[0]?.content ?? []).toString('hex');
  if (id === rsaPssId) {
    const named = Buffer.from(algorithm.content).toString('hex');
    const hash = Object.entries(pssHashes).find(([each]) => named.includes(each))?.[1];
    return hash ? { hash, pss: true } : undefined;
  }
  return Object.hasOwn(hashes, id) ? { hash: hashes[id]!, pss: false } : undefined;
}

/** Why a PEM text is no request that its own key signed; undefined when it is one. Upstream: CheckSignature. */
export function requestProblem(pem: string): string | undefined {
  let request: Request;
  let key: KeyObject;
  try {
    request = parse(pem);
    key = createPublicKey({ key: Buffer.from(request.key.whole), format: 'der', type: 'spki' });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const algorithm = hashOf(request.algorithm);
  if (!algorithm) return unimplemented;
  const signature = request.signature.content.subarray(1); // a bit string begins with the count of unused bits
  const padding = algorithm.pss ? { padding: constants.RSA_PKCS1_PSS_PADDING } : {};
  try {
    if (verify(algorithm.hash, request.info.whole, { key, ...padding }, signature)) return undefined;
  } catch {
    // A key of another kind than the signature's.
  }
  return failures[key.asymmetricKeyType ?? ''] ?? unimplemented;
}
