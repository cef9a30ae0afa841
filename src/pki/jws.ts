/**
 * Signed tokens in compact form (RFC 7515, 7518), read and checked with node:crypto: for the cluster's own tokens and
 * for those of OpenID providers alike. The words of failures are go-jose's, which clients see in TokenReviews.
 *
 * What decides is the key, never the token: an RSA key takes RSA signatures alone, an elliptic one ECDSA of its own
 * curve's size, and there is neither `none` nor anything symmetric, so that a public key cannot be made a secret. Keys
 * and URLs in a token's header are not looked at. Not on a library, because what one would bring (fetching and caching
 * of keys, rules of claims) has to follow upstream in time and words, and this much of it is a page.
 */
import {
  constants,
  type KeyObject,
  type SignKeyObjectInput,
  sign,
  type VerifyKeyObjectInput,
  verify,
} from 'node:crypto';

export type TokenClaims = Readonly<Record<string, unknown>>;

/** A token that cannot be read as one. */
export class MalformedToken extends Error {
  override readonly name = 'MalformedToken';
}

/** A token in parts; nothing of it is to be believed before {@link signatureProblem} says so. */
export interface CompactJws {
  readonly algorithm: string;
  /** Empty: the token names no key. */
  readonly keyId: string;
  readonly isCriticalUnknown: boolean;
  readonly payload: Buffer;
  readonly signed: Buffer;
  readonly signature: Buffer;
}

interface Algorithm {
  readonly keyType: 'rsa' | 'ec';
  readonly hash: 'sha256' | 'sha384' | 'sha512';
  readonly pss?: true;
  /** Of ECDSA: two numbers of this size. */
  readonly partBytes?: number;
}

/** RFC 7518 3.1, the asymmetric ones. */
const algorithms: Readonly<Record<string, Algorithm>> = {
  ES256: { keyType: 'ec', hash: 'sha256', partBytes: 32 },
  ES384: { keyType: 'ec', hash: 'sha384', partBytes: 48 },
  ES512: { keyType: 'ec', hash: 'sha512', partBytes: 66 },
  PS256: { keyType: 'rsa', hash: 'sha256', pss: true },
  PS384: { keyType: 'rsa', hash: 'sha384', pss: true },
  PS512: { keyType: 'rsa', hash: 'sha512', pss: true },
  RS256: { keyType: 'rsa', hash: 'sha256' },
  RS384: { keyType: 'rsa', hash: 'sha384' },
  RS512: { keyType: 'rsa', hash: 'sha512' },
};

/** All that are known, sorted. */
export const signatureAlgorithms: readonly string[] = Object.keys(algorithms);

/** As Go's RawURLEncoding: line breaks and spare bits do not count. Throws a MalformedToken for what is no base64. */
function decode(part: string): Buffer {
  const at = part.search(/[^A-Za-z0-9_\r\n-]/);
  if (at >= 0) throw new MalformedToken(`illegal base64 data at input byte ${at}`);
  const letters = part.replace(/[\r\n]/g, '');
  if (letters.length % 4 === 1) throw new MalformedToken(`illegal base64 data at input byte ${part.length - 1}`);
  return Buffer.from(letters, 'base64url');
}

/** A JSON object, or undefined for anything else. */
export function jsonObject(bytes: Uint8Array): TokenClaims | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as TokenClaims) : undefined;
  } catch {
    return undefined;
  }
}

/** Throws a MalformedToken. */
export function parseCompactJws(token: string): CompactJws {
  const [head = '', body = '', tail = '', ...rest] = token.split('.', 4);
  if (rest.length > 0 || token.split('.', 3).length < 3) {
    throw new MalformedToken('go-jose/go-jose: compact JWS format must have three parts');
  }
  const headerBytes = decode(head);
  const payload = decode(body);
  const signature = decode(tail);
  const header = headerBytes.length === 0 ? {} : jsonObject(headerBytes);
  if (!header) throw new MalformedToken('invalid character in the protected header');
  return {
    algorithm: typeof header['alg'] === 'string' ? header['alg'] : '',
    keyId: typeof header['kid'] === 'string' ? header['kid'] : '',
    isCriticalUnknown: header['crit'] !== undefined || header['b64'] === false,
    payload,
    signed: Buffer.from(`${head}.${body}`),
    signature,
  };
}

const cryptoFailure = 'go-jose/go-jose: error in cryptographic primitive';

/** Why the signature is not one of `key`; undefined when it is. */
export function signatureProblem(jws: CompactJws, key: KeyObject): string | undefined {
  const algorithm = Object.hasOwn(algorithms, jws.algorithm) ? algorithms[jws.algorithm] : undefined;
  if (!algorithm || jws.isCriticalUnknown || key.type !== 'public') return cryptoFailure;
  if (key.asymmetricKeyType !== algorithm.keyType) return cryptoFailure;
  if (algorithm.partBytes !== undefined && jws.signature.length !== 2 * algorithm.partBytes) return cryptoFailure;
  try {
    if (verify(algorithm.hash, jws.signed, keyInput(algorithm, key), jws.signature)) return undefined;
  } catch {
    // A signature that does not fit the key.
  }
  return cryptoFailure;
}

function keyInput({ keyType, pss }: Algorithm, key: KeyObject): VerifyKeyObjectInput & SignKeyObjectInput {
  if (keyType === 'ec') return { key, dsaEncoding: 'ieee-p1363' };
  if (!pss) return { key };
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO };
}

const curveAlgorithms: Readonly<Record<string, string>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
};

/** The algorithm that a key signs with. Throws for a key of a kind that tokens are not signed with. */
export function signingAlgorithm(key: KeyObject): string {
  if (key.asymmetricKeyType === 'rsa') return 'RS256';
  const named = curveAlgorithms[key.asymmetricKeyDetails?.namedCurve ?? ''];
  if (key.asymmetricKeyType === 'ec' && named) return named;
  throw new Error('unknown private key type, must be rsa or ecdsa on P-256, P-384 or P-521');
}

const segment = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A function that signs claims, with key id and algorithm in the header. */
export function compactSigner(key: KeyObject, keyId: string): (claims: TokenClaims) => string {
  const name = signingAlgorithm(key);
  const algorithm = algorithms[name]!;
  const header = segment({ alg: name, kid: keyId });
  return claims => {
    const content = `${header}.${segment(claims)}`;
    return `${content}.${sign(algorithm.hash, Buffer.from(content), keyInput(algorithm, key)).toString('base64url')}`;
  };
}
