/** Whom a token says it is from, which is not to be believed before its signature was checked. */
import { jsonObject } from '#pki';

const google = 'accounts.google.com';

/** Undefined for what is no compact token. */
export function untrustedIssuer(token: string): string | undefined {
  const parts = token.split('.', 4);
  if (parts.length !== 3 || !/^[A-Za-z0-9_-]*$/.test(parts[1]!)) return undefined;
  const claims = jsonObject(Buffer.from(parts[1]!, 'base64url'));
  if (!claims) return undefined;
  const issuer = claims['iss'] ?? '';
  if (typeof issuer !== 'string') return undefined;
  return issuer === google ? `https://${google}` : issuer;
}
