/**
 * Bearer tokens of the Authorization header, and of a WebSocket's subprotocols, where browsers have to put them.
 * Upstream: apiserver pkg/authentication/request/{bearertoken,websocket}.
 */
import { isUtf8 } from 'node:buffer';
import { header, headerValues, removeHeaders, type ServerRequest } from '../http/message.ts';
import {
  type Authenticated,
  type AuthenticationContext,
  Refused,
  type RequestAuthenticator,
  type TokenAuthenticator,
} from './authenticator.ts';

const unknownToken = 'invalid bearer token';
const spaceWarning = 'the provided Authorization header contains extra space before the bearer token, and is ignored';

/** What a token authenticator has no opinion of is refused: nobody with a wrong token becomes anonymous. */
async function byToken(
  tokens: TokenAuthenticator,
  token: string,
  context: AuthenticationContext,
): Promise<Authenticated> {
  const found = await tokens.authenticate(token, context);
  if (!found) throw new Refused(unknownToken);
  return found;
}

export function bearerToken(tokens: TokenAuthenticator): RequestAuthenticator {
  return {
    async authenticate(request, context) {
      const [scheme = '', token, rest] = splitThree(header(request, 'authorization')?.trim() ?? '');
      if (token === undefined || scheme.toLowerCase() !== 'bearer') return undefined;
      if (token === '') {
        if (rest !== undefined) context.warn?.(spaceWarning);
        return undefined;
      }
      const found = await byToken(tokens, token, context);
      removeHeaders(request, name => name === 'authorization');
      return found;
    },
  };
}

/** Go's SplitN by one space. */
function splitThree(text: string): string[] {
  const parts = text.split(' ');
  return parts.length <= 3 ? parts : [parts[0]!, parts[1]!, parts.slice(2).join(' ')];
}

const protocolHeader = 'sec-websocket-protocol';
const protocolPrefix = 'base64url.bearer.authorization.k8s.io.';

/**
 * As Go's `(^|.*,\s*)upgrade($|\s*,)`, of which a pattern here would take hours over a long header: nothing may stand
 * before the first name, and nothing behind the last.
 */
function namesUpgrade(connection: string): boolean {
  const names = connection.split(',');
  return names.some((each, at) => {
    const name = at === 0 ? each : each.trimStart();
    return (at === names.length - 1 ? name : name.trimEnd()).toLowerCase() === 'upgrade';
  });
}

const isWebSocket = (request: ServerRequest): boolean =>
  namesUpgrade(header(request, 'connection') ?? '') && /^websocket$/i.test(header(request, 'upgrade') ?? '');

/** The token takes one subprotocol, which is not for the server's choice; another one has to be left. */
export function webSocketToken(tokens: TokenAuthenticator): RequestAuthenticator {
  return {
    async authenticate(request, context) {
      if (!isWebSocket(request)) return undefined;
      const protocols = headerValues(request, protocolHeader).flatMap(value => value.split(',').map(one => one.trim()));
      const carrying = protocols.filter(protocol => protocol.startsWith(protocolPrefix));
      const others = protocols.filter(protocol => !protocol.startsWith(protocolPrefix));
      if (carrying.length > 1) throw new Refused('multiple base64.bearer.authorization tokens specified');
      const token = carrying[0] === undefined ? '' : decodeToken(carrying[0].slice(protocolPrefix.length));
      if (token === '') return undefined;
      if (others.length === 0) throw new Refused('missing additional subprotocol');
      const found = await byToken(tokens, token, context);
      (request.headers as Record<string, string>)[protocolHeader] = others.join(',');
      return found;
    },
  };
}

function decodeToken(encoded: string): string {
  const bytes = Buffer.from(encoded, 'base64url');
  if (bytes.toString('base64url') !== encoded) throw new Refused('invalid base64.bearer.authorization token encoding');
  if (!isUtf8(bytes)) throw new Refused('invalid base64.bearer.authorization token');
  return bytes.toString();
}
