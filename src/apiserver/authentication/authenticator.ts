/**
 * Who makes a request: a client certificate, a bearer token, or nobody in particular. Upstream: apiserver
 * pkg/authentication/request/{x509,bearertoken,anonymous,union}, pkg/kubeapiserver/authenticator/config.go.
 */
import { unauthorized } from '#apimachinery';
import { header, type ServerRequest } from '../http/message.ts';
import { anonymousUser, type UserInfo, user, withAuthenticatedGroup } from './user.ts';

/** What is wrong with a token that its authenticator knows. */
export class TokenRefused extends Error {
  override readonly name = 'TokenRefused';
}

/** Understands one sort of token. Undefined: not mine; throws {@link TokenRefused}. */
export interface TokenAuthenticator {
  authenticate(token: string): Promise<{ user: UserInfo; audiences?: readonly string[] } | undefined>;
}

export interface AuthenticatorOptions {
  readonly tokens: readonly TokenAuthenticator[];
  readonly anonymous: boolean;
}

export type Authenticate = (request: ServerRequest) => Promise<UserInfo>;

/** Throws 401. */
export function authenticator(options: AuthenticatorOptions): Authenticate {
  return async request => {
    if (request.user) return request.user;
    const { clientCertificate } = request;
    if (clientCertificate && clientCertificate.name !== '') {
      const extra = { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${clientCertificate.fingerprint}`] };
      return withAuthenticatedGroup(user(clientCertificate.name, clientCertificate.groups, { extra }));
    }
    const token = bearerToken(request);
    if (token !== undefined) {
      const found = await byToken(options.tokens, token);
      if (!found) throw unauthorized();
      return withAuthenticatedGroup(found.user);
    }
    if (!options.anonymous) throw unauthorized();
    return anonymousUser;
  };
}

/** The first authenticator that knows the token; why others refused it goes to `problems`. */
export async function byToken(
  tokens: readonly TokenAuthenticator[],
  token: string,
  problems: string[] = [],
): Promise<{ user: UserInfo; audiences?: readonly string[] } | undefined> {
  for (const each of tokens) {
    try {
      const found = await each.authenticate(token);
      if (found) return found;
    } catch (error) {
      if (!(error instanceof TokenRefused)) throw error;
      problems.push(error.message);
    }
  }
  return undefined;
}

const webSocketPrefix = 'base64url.bearer.authorization.k8s.io.';

/** From the Authorization header, or a WebSocket's subprotocols, where browsers put it. */
function bearerToken(request: ServerRequest): string | undefined {
  const text = header(request, 'authorization')?.trim();
  if (text) {
    const [scheme = '', token = ''] = text.split(/\s+/, 2);
    if (scheme.toLowerCase() === 'bearer' && token !== '') return token;
  }
  for (const protocol of (header(request, 'sec-websocket-protocol') ?? '').split(',')) {
    const name = protocol.trim();
    if (name.startsWith(webSocketPrefix))
      return Buffer.from(name.slice(webSocketPrefix.length), 'base64url').toString();
  }
  return undefined;
}

/** Tokens from a fixed list. Upstream: --token-auth-file. */
export function staticTokens(entries: ReadonlyMap<string, UserInfo>): TokenAuthenticator {
  return {
    async authenticate(token) {
      const found = entries.get(token);
      return found && { user: found };
    },
  };
}
