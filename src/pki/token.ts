/**
 * The keys of ServiceAccounts' tokens: one signs, several are believed. Claims and key ids as upstream's
 * pkg/serviceaccount/jwt.go, so that the OIDC documents verify them elsewhere.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import {
  compactSigner,
  jsonObject,
  MalformedToken,
  parseCompactJws,
  signatureProblem,
  signingAlgorithm,
  type TokenClaims,
} from './jws.ts';

/** One JSON Web Key of the discovery document (RFC 7517), in the order of members in which upstream writes them. */
export interface JsonWebKey {
  readonly use: 'sig';
  readonly kty: string;
  readonly kid: string;
  readonly crv?: string;
  readonly alg: string;
  readonly x?: string;
  readonly y?: string;
  readonly n?: string;
  readonly e?: string;
}

/** What checking a signature came to. */
export type TokenVerdict =
  | { readonly claims: TokenClaims; readonly problems?: undefined }
  /** Empty: it is no signed token at all. */
  | { readonly claims?: undefined; readonly problems: readonly string[] };

/** Signs with one key, accepts the signatures of several: rotation adds a key before it removes one. */
export interface TokenKeys {
  /** Where somebody else holds the key: signs in place of {@link sign}, which then throws. */
  signElsewhere?(claims: TokenClaims): Promise<string>;
  /** Resolves when whatever is to be known for checking this token is. Never rejects. */
  prepare?(token: string): Promise<void>;
  /** A compact JWS. Time claims are the caller's. */
  sign(claims: TokenClaims): string;
  /** The claims when the signature is good, else why it is not. Says nothing about expiry, audience or issuer. */
  check(token: string): TokenVerdict;
  /** The claims when the signature is good, else undefined. */
  verify(token: string): TokenClaims | undefined;
  /** Public keys, the signing one first. */
  readonly jwks: readonly JsonWebKey[];
  /** The same with further keys whose tokens are accepted, in texts as {@link loadTokenKeys} takes them. */
  alsoAccepting(acceptedPems: readonly string[]): TokenKeys;
}

/**
 * `signingKeyPem`: RSA or ECDSA private key. `acceptedPems`: texts with public or private keys whose tokens are
 * accepted as well; each may hold several. Throws for what is no key.
 */
export function loadTokenKeys(signingKeyPem: string, acceptedPems: readonly string[] = []): TokenKeys {
  const privateKey = createPrivateKey(signingKeyPem);
  const accepted = new Map<string, KeyObject>();
  for (const key of [createPublicKey(privateKey), ...acceptedPems.flatMap(publicKeysOf)]) accepted.set(keyId(key), key);
  const [signingId = ''] = accepted.keys();
  const check = (token: string): TokenVerdict => verdict(accepted, token);
  return {
    sign: compactSigner(privateKey, signingId),
    check,
    verify: token => check(token).claims,
    jwks: [...accepted].map(([kid, key]) => webKey(kid, key)),
    alsoAccepting: more => loadTokenKeys(signingKeyPem, [...acceptedPems, ...more]),
  };
}

/** Public keys by the ids under which somebody else signs with them; those of `undisclosed` are not in `jwks`. */
export function publicTokenKeys(
  keys: ReadonlyMap<string, KeyObject>,
  undisclosed: ReadonlySet<string>,
): Pick<TokenKeys, 'check' | 'verify' | 'jwks'> {
  const check = (token: string): TokenVerdict => verdict(keys, token);
  return {
    check,
    verify: token => check(token).claims,
    jwks: [...keys].filter(([kid]) => !undisclosed.has(kid)).map(([kid, key]) => webKey(kid, key)),
  };
}

/** Those that `current` answers each time it is asked, so that they can be replaced under whoever uses them. */
export function followingTokenKeys(current: () => TokenKeys): TokenKeys {
  return {
    sign: claims => current().sign(claims),
    check: token => current().check(token),
    verify: token => current().verify(token),
    get jwks() {
      return current().jwks;
    },
    alsoAccepting(more) {
      let known: { readonly of: TokenKeys; readonly keys: TokenKeys } | undefined;
      return followingTokenKeys(() => {
        const of = current();
        if (known?.of !== of) known = { of, keys: of.alsoAccepting(more) };
        return known.keys;
      });
    },
  };
}

function verdict(accepted: ReadonlyMap<string, KeyObject>, token: string): TokenVerdict {
  let jws: ReturnType<typeof parseCompactJws>;
  try {
    jws = parseCompactJws(token);
  } catch (error) {
    if (error instanceof MalformedToken) return { problems: [] };
    throw error;
  }
  const named = accepted.get(jws.keyId);
  const keys = jws.keyId === '' ? [...accepted.values()] : named ? [named] : [];
  if (keys.length === 0) return { problems: ['invalid signature, no keys found'] };
  const problems: string[] = [];
  for (const key of keys) {
    const problem = signatureProblem(jws, key);
    if (problem === undefined) {
      const claims = jsonObject(jws.payload);
      return claims ? { claims } : { problems: ['the claims are no JSON object'] };
    }
    problems.push(problem);
  }
  return { problems };
}

const pemBlock = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g;

/** Upstream: client-go util/keyutil ParsePublicKeysPEM. */
function publicKeysOf(pem: string): KeyObject[] {
  const keys: KeyObject[] = [];
  for (const [block, label = ''] of pem.matchAll(pemBlock)) {
    // Certificates and both halves of keys; what else stands there (EC PARAMETERS) is not for us.
    if (/(PRIVATE|PUBLIC) KEY$|^CERTIFICATE$/.test(label)) keys.push(createPublicKey(block));
  }
  if (keys.length === 0) throw new Error('data does not contain any valid RSA or ECDSA public keys');
  return keys;
}

function webKey(kid: string, key: KeyObject): JsonWebKey {
  const { kty = '', crv, x, y, n, e } = key.export({ format: 'jwk' });
  const alg = signingAlgorithm(key);
  return kty === 'EC'
    ? { use: 'sig', kty, kid, crv: crv!, alg, x: x!, y: y! }
    : { use: 'sig', kty, kid, alg, n: n!, e: e! };
}

/** Upstream's keyIDFromPublicKey: base64url of the SHA-256 of the SPKI. */
function keyId(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ format: 'der', type: 'spki' }))
    .digest('base64url');
}
