/**
 * A real OpenID provider (oidc-provider) over TLS on loopback, for tests: accounts log in without being asked, keys can
 * be rotated, documents counted, and the whole thing switched off for a while.
 *
 *     await using provider = await startOpenidProvider({ accounts: { alice: { groups: ['dev'] } } });
 *     const token = await provider.idToken('alice');               // by the authorization code flow
 *     const other = await provider.sign({ sub: 'alice', … });      // whatever a test wants signed by its key
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, request as httpsRequest, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { type Adapter, type Configuration, type JWK, Provider, type Stored } from 'oidc-provider';
import { systemClock } from '#base';
import { type Authority, createAuthority } from '#pki';

export type Claims = Readonly<Record<string, unknown>>;

export interface OpenidProviderOptions {
  readonly accounts: Readonly<Record<string, Claims>>;
  /** What the client's tokens are signed with; default RS256. */
  readonly algorithm?: string;
  /** Default `kubernetes`. */
  readonly clientId?: string;
  readonly port?: number;
  readonly authority?: Authority;
}

export interface OpenidProvider extends AsyncDisposable {
  readonly issuer: string;
  readonly authority: Authority;
  readonly port: number;
  readonly clientId: string;
  /** How often a path was asked for. */
  readonly counts: ReadonlyMap<string, number>;
  /** Logs an account in and answers its ID token. */
  idToken(account: string): Promise<string>;
  /** Signs claims with the current key; `iss`, `aud`, `iat` and `exp` are filled in unless given. */
  sign(claims: Claims, header?: Readonly<Record<string, unknown>>): Promise<string>;
  /** From now on another key signs, and the old one is gone. */
  rotate(): Promise<void>;
  /** Answers instead of the provider where it answers anything. */
  intercept: (path: string) => { status: number; body: string; headers?: Record<string, string> } | undefined;
}

const redirectUri = 'https://client.test/callback';
const secret = 'a secret of the client';

interface Key {
  readonly jwk: JWK;
  readonly privateKey: CryptoKey;
  readonly algorithm: string;
}

async function newKey(algorithm: string): Promise<Key> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  const kid = `key-${Math.round(systemClock.now() * 1000) + performance.now()}`;
  const jwk = { ...(await exportJWK(privateKey)), kid, alg: algorithm, use: 'sig' };
  return { jwk: jwk as JWK, privateKey, algorithm };
}

export async function startOpenidProvider(options: OpenidProviderOptions): Promise<OpenidProvider> {
  const { accounts, algorithm = 'RS256', clientId = 'kubernetes' } = options;
  const nowMs = systemClock.now();
  const authority = options.authority ?? (await createAuthority('openid-ca', nowMs));
  const serving = await authority.issue({
    commonName: 'openid',
    dnsNames: ['localhost'],
    ipAddresses: ['127.0.0.1'],
    usages: ['server auth'],
    nowMs,
  });
  const counts = new Map<string, number>();
  let provider: Provider | undefined;
  const result: { intercept: OpenidProvider['intercept'] } = { intercept: () => undefined };
  const server = createServer({ cert: serving.certPem, key: serving.keyPem }, (request, response) => {
    const path = (request.url ?? '/').split('?')[0]!;
    counts.set(path, (counts.get(path) ?? 0) + 1);
    const other = result.intercept(path);
    if (other) {
      response.writeHead(other.status, { 'content-type': 'application/json', ...other.headers });
      response.end(other.body);
      return;
    }
    if (path.startsWith('/interaction/')) void login(provider!, request, response);
    else void provider!.callback()(request, response);
  });
  await new Promise<void>(resolve => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const issuer = `https://127.0.0.1:${port}`;
  let key = await newKey(algorithm);
  const make = (): Provider => new Provider(issuer, configuration(key, accounts, clientId));
  provider = make();
  return Object.assign(result, {
    issuer,
    authority,
    port,
    clientId,
    counts,
    idToken: (account: string) => logIn(issuer, authority.certPem, clientId, account),
    sign: (claims: Claims, header: Readonly<Record<string, unknown>> = {}) => {
      const seconds = Math.floor(systemClock.now() / 1000);
      const all = { iss: issuer, aud: clientId, iat: seconds, exp: seconds + 600, ...claims };
      return new SignJWT(all as JWTPayload)
        .setProtectedHeader({ alg: key.algorithm, kid: key.jwk.kid!, ...header })
        .sign(key.privateKey);
    },
    async rotate() {
      key = await newKey(algorithm);
      provider = make();
    },
    [Symbol.asyncDispose]: () => close(server),
  });
}

function close(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise(resolve => server.close(() => resolve()));
}

const dayOfSeconds = 24 * 3600;

/** Keeps what the provider has to remember, in memory. */
function memoryAdapter(): (name: string) => Adapter {
  const all = new Map<string, Stored>();
  return name => {
    const key = (id: string): string => `${name} ${id}`;
    const by = (field: string, value: string): Stored | undefined =>
      [...all].find(([id, stored]) => id.startsWith(`${name} `) && stored[field] === value)?.[1];
    return {
      upsert: async (id, payload) => void all.set(key(id), payload),
      find: async id => all.get(key(id)),
      findByUid: async uid => by('uid', uid),
      findByUserCode: async code => by('userCode', code),
      destroy: async id => void all.delete(key(id)),
      revokeByGrantId: async () => {},
      consume: async id => void all.set(key(id), { ...all.get(key(id)), consumed: true }),
    };
  };
}

function configuration(
  { jwk, algorithm }: Key,
  accounts: OpenidProviderOptions['accounts'],
  clientId: string,
): Configuration {
  const claims = new Set(Object.values(accounts).flatMap(Object.keys));
  return {
    clients: [
      {
        client_id: clientId,
        client_secret: secret,
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code'],
        response_types: ['code'],
        id_token_signed_response_alg: algorithm as 'RS256',
      },
    ],
    adapter: memoryAdapter(),
    ttl: Object.fromEntries(
      ['AccessToken', 'AuthorizationCode', 'Grant', 'IdToken', 'Interaction', 'Session'].map(name => [
        name,
        dayOfSeconds,
      ]),
    ),
    jwks: { keys: [jwk] },
    enabledJWA: { idTokenSigningAlgValues: [algorithm as 'RS256'] },
    claims: { openid: ['sub', ...claims] },
    conformIdTokenClaims: false,
    cookies: { keys: ['a key for cookies'] },
    pkce: { required: () => false },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_context, id) => {
      const found = accounts[id];
      return found && { accountId: id, claims: () => ({ sub: id, ...found }) };
    },
    async loadExistingGrant(context) {
      const grant = new context.oidc.provider.Grant({
        clientId: context.oidc.client!.clientId,
        accountId: context.oidc.session!.accountId!,
      });
      grant.addOIDCScope('openid');
      grant.addOIDCClaims([...claims]);
      await grant.save();
      return grant;
    },
  };
}

/** Whom the client hints at is logged in. */
async function login(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { params } = await provider.interactionDetails(request, response);
  const accountId = String(params['login_hint']);
  await provider.interactionFinished(request, response, { login: { accountId } });
}

interface Answer {
  readonly location: string;
  readonly cookies: readonly string[];
  readonly body: string;
}

function send(
  url: URL,
  ca: string,
  options: { method?: string; headers?: Record<string, string>; body?: string },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body } = options;
    const request = httpsRequest(url, { method, headers, ca, agent: false }, answer => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      answer.on('end', () =>
        resolve({
          location: answer.headers.location ?? '',
          cookies: (answer.headers['set-cookie'] ?? []).map(cookie => cookie.split(';')[0]!),
          body: text,
        }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** The authorization code flow, as a browser and then the client's server go through it. */
async function logIn(issuer: string, ca: string, clientId: string, account: string): Promise<string> {
  const start = new URL('/auth', issuer);
  const asked = { client_id: clientId, response_type: 'code', scope: 'openid', redirect_uri: redirectUri };
  start.search = new URLSearchParams({ ...asked, login_hint: account }).toString();
  const jar = new Map<string, string>();
  let at = start;
  for (let hop = 0; hop < 10 && !at.href.startsWith(redirectUri); hop++) {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await send(at, ca, { headers: { cookie } });
    for (const each of answer.cookies) jar.set(each.slice(0, each.indexOf('=')), each.slice(each.indexOf('=') + 1));
    if (answer.location === '') throw new Error(`the provider did not redirect: ${answer.body}`);
    at = new URL(answer.location, at);
  }
  const code = at.searchParams.get('code');
  if (!code) throw new Error(`the provider gave no code: ${at.href}`);
  const answer = await send(new URL('/token', issuer), ca, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Basic ${Buffer.from(`${clientId}:${encodeURIComponent(secret)}`).toString('base64')}`,
    },
    body: new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri: redirectUri }).toString(),
  });
  return (JSON.parse(answer.body) as { id_token: string }).id_token;
}
