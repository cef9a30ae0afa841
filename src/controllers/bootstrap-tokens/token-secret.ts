/**
 * Secrets that hold the tokens of joining nodes. Upstream: cluster-bootstrap util/secrets, token/jws.
 */
import { createHmac } from 'node:crypto';
import type { Secret } from '#api/types';
import { canonicalTime, parseTimeMs } from '#apimachinery';

const bootstrapTokenType = 'bootstrap.kubernetes.io/token';
const tokenNamespace = 'kube-system';

export const isBootstrapToken = ({ type, metadata }: Secret): boolean =>
  type === bootstrapTokenType && metadata.namespace === tokenNamespace;

function tokenData({ data }: Secret, key: string): string {
  return Buffer.from(data?.[key] ?? '', 'base64').toString();
}

/** How long the token lasts; undefined: for ever. What cannot be read has ended. */
export function remainingMs(secret: Secret, nowMs: number): number | undefined {
  const expiration = tokenData(secret, 'expiration');
  if (expiration === '') return undefined;
  try {
    return Math.max(0, parseTimeMs(canonicalTime(expiration)) - nowMs) || 0;
  } catch {
    return 0;
  }
}

export interface SigningToken {
  readonly id: string;
  readonly secret: string;
}

/** The token, when it may sign. Upstream: pkg/controller/bootstrap/util.go. */
export function signingToken(found: Secret, nowMs: number): SigningToken | undefined {
  const named = /^bootstrap-token-([a-z0-9]{6})$/.exec(found.metadata.name ?? '')?.[1];
  const id = tokenData(found, 'token-id');
  const secret = tokenData(found, 'token-secret');
  if (named === undefined || id !== named || secret === '' || remainingMs(found, nowMs) === 0) return undefined;
  return tokenData(found, 'usage-bootstrap-signing') === 'true' ? { id, secret } : undefined;
}

const encode = (text: string): string => Buffer.from(text).toString('base64url');

/** A JWS of `content` without the content (RFC 7515, appendix F), signed with the token's secret. */
export function detachedSignature(content: string, { id, secret }: SigningToken): string {
  const header = encode(JSON.stringify({ alg: 'HS256', kid: id }));
  const signature = createHmac('sha256', secret)
    .update(`${header}.${encode(content)}`)
    .digest('base64url');
  return `${header}..${signature}`;
}
