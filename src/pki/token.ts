/**
 * JSON Web Tokens of ServiceAccounts: RS256, signed and checked with node:crypto.
 * Claims and key ids as upstream's pkg/serviceaccount/jwt.go, so that the OIDC documents verify them elsewhere.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';

export type TokenClaims = Readonly<Record<string, unknown>>;

/** One JSON Web Key of the discovery document (RFC 7517). */
export interface JsonWebKey {
  readonly use: 'sig';
  readonly kty: string;
  readonly kid: string;
  readonly alg: 'RS256';
  readonly n: string;
  readonly e: string;
}

/** Signs with one key, accepts the signatures of several: rotation adds a key before it removes one. */
export interface TokenKeys {
  /** A compact JWS. Time claims are the caller's. */
  sign(claims: TokenClaims): string;
  /** The claims when the signature is good, else undefined. Says nothing about expiry, audience or issuer. */
  verify(token: string): TokenClaims | undefined;
  /** Public keys, the signing one first. */
  readonly jwks: readonly JsonWebKey[];
}

const segment = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** `signingKeyPem`: RSA private key; `acceptedPems`: further public or private keys whose tokens are accepted. */
export function loadTokenKeys(signingKeyPem: string, acceptedPems: readonly string[] = []): TokenKeys {
  const privateKey = createPrivateKey(signingKeyPem);
  const accepted = new Map<string, KeyObject>();
  for (const pem of [signingKeyPem, ...acceptedPems]) {
    const key = createPublicKey(pem);
    accepted.set(keyId(key), key);
  }
  const [signingId] = accepted.keys();
  const header = segment({ alg: 'RS256', kid: signingId });
  return {
    sign(claims) {
      const content = `${header}.${segment(claims)}`;
      return `${content}.${sign('RSA-SHA256', Buffer.from(content), privateKey).toString('base64url')}`;
    },
    verify(token) {
      const [head = '', body = '', tail = '', ...rest] = token.split('.');
      const headerClaims = parse(head);
      if (rest.length > 0 || headerClaims?.['alg'] !== 'RS256') return undefined;
      const signature = Buffer.from(tail, 'base64url');
      // A decoder ignores stray characters and spare bits; a signature has one spelling, so compare the re-encoding.
      if (signature.toString('base64url') !== tail) return undefined;
      const named = accepted.get(String(headerClaims['kid']));
      const content = Buffer.from(`${head}.${body}`);
      const good = (named ? [named] : [...accepted.values()]).some(key =>
        verify('RSA-SHA256', content, key, signature),
      );
      return good ? parse(body) : undefined;
    },
    jwks: [...accepted].map(([kid, key]) => {
      const { n, e } = key.export({ format: 'jwk' }) as { n: string; e: string };
      return { use: 'sig', kty: 'RSA', kid, alg: 'RS256', n, e };
    }),
  };
}

/** Upstream's keyIDFromPublicKey: base64url of the SHA-256 of the SPKI. */
function keyId(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ format: 'der', type: 'spki' }))
    .digest('base64url');
}

function parse(text: string): TokenClaims | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as TokenClaims) : undefined;
  } catch {
    return undefined;
  }
}
