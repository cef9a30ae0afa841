/**
 * How others verify ServiceAccount tokens: the discovery document and the public keys. Upstream: apiserver
 * pkg/server/routes/openidmetadata.go.
 */
import type { ServiceAccountTokens } from '../authentication/service-accounts/tokens.ts';
import type { ServerResponse } from '../http/message.ts';

/** The answer, or undefined when the path is neither of the two. `host`, with its port, is where this server is. */
export function openidMetadata(
  host: string,
  asked: string,
  tokens: ServiceAccountTokens | undefined,
): ServerResponse | undefined {
  if (!tokens) return undefined;
  const path = asked.replace(/\/$/, '');
  if (path === '/.well-known/openid-configuration') {
    return document('application/json', {
      issuer: tokens.issuer,
      jwks_uri: tokens.jwksUri ?? `https://${host}/openid/v1/jwks`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: [...new Set(tokens.keys.jwks.map(({ alg }) => alg))].sort(),
    });
  }
  if (path === '/openid/v1/jwks') return document('application/jwk-set+json', { keys: tokens.keys.jwks });
  return undefined;
}

function document(type: string, value: object): ServerResponse {
  const headers = { 'content-type': type, 'cache-control': 'public, max-age=3600' };
  return { status: 200, headers, body: { kind: 'bytes', bytes: Buffer.from(JSON.stringify(value)) } };
}
