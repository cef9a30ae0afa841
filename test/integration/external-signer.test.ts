/** `--service-account-signing-endpoint`: tokens of ServiceAccounts that somebody else signs, over a real socket. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createClient } from '#client';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { eventually } from '../support/eventually.ts';
import { type JwtSigner, startJwtSigner } from '../support/jwt-signer.ts';

const directory = mkdtempSync(join(tmpdir(), 'kobune-signer-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const start = (signer: JwtSigner, more: object = {}): Promise<TestApiServer> =>
  startTestApiServer({
    controllers: true,
    config: { authentication: { serviceAccountSigningEndpoint: signer.path, ...more } },
  });

describe('an external signer', () => {
  let signer: JwtSigner;
  let server: TestApiServer;
  before(async () => {
    signer = await startJwtSigner(join(directory, 'signer.sock'));
    server = await start(signer);
    const path = '/api/v1/namespaces/default/serviceaccounts/default';
    await eventually('the default account', () =>
      ask('GET', path)
        .then(() => true)
        .catch(() => undefined),
    );
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await signer[Symbol.asyncDispose]();
  });

  const ask = async <T>(method: 'GET' | 'POST', path: string, body?: object): Promise<T> => {
    const { transport } = createClient(server.transport());
    const answer = await transport.request({ method, path, ...(body && { body }) });
    return (await answer.json()) as T;
  };
  const requestToken = async (seconds = 600): Promise<string> => {
    const path = '/api/v1/namespaces/default/serviceaccounts/default/token';
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: seconds } };
    return (await ask<{ status: { token: string } }>('POST', path, body)).status.token;
  };
  const review = async (token: string): Promise<{ authenticated?: boolean; user?: { username?: string } }> => {
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } };
    return (await ask<{ status: object }>('POST', '/apis/authentication.k8s.io/v1/tokenreviews', body)).status;
  };
  const claimsOf = (token: string): { exp: number; iat: number } =>
    JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());

  it('signs tokens, which are believed by the keys that it tells', async () => {
    const token = await requestToken();
    const { authenticated, user } = await review(token);
    assert.equal(authenticated, true);
    assert.equal(user?.username, 'system:serviceaccount:default:default');
    const [head, payload, signature] = token.split('.') as [string, string, string];
    const other = Buffer.from(payload, 'base64url').toString().replace(':default:default', ':kube-system:default');
    const altered = [head, Buffer.from(other).toString('base64url'), signature].join('.');
    assert.notEqual((await review(altered)).authenticated, true);
  });

  it('bounds how long tokens hold', async () => {
    const { exp, iat } = claimsOf(await requestToken(100_000));
    assert.equal(exp - iat, signer.maxTokenExpirationSeconds);
  });

  it('is asked for its keys again when a token names a new one', async () => {
    const before = await requestToken();
    signer.rotate();
    const fetched = signer.calls.fetchKeys;
    assert.equal((await review(await requestToken())).authenticated, true);
    assert.equal(signer.calls.fetchKeys, fetched + 1);
    assert.equal((await review(before)).authenticated, true, 'the key of before is still told');
    const { keys } = await ask<{ keys: Array<{ kid: string }> }>('GET', '/openid/v1/jwks');
    assert.deepEqual(
      keys.map(({ kid }) => kid),
      ['key-2', 'key-1'],
    );
  });

  const spoiled: ReadonlyArray<readonly [header: Record<string, unknown>, message: RegExp]> = [
    [{ typ: 'other' }, /while validating header: bad type/],
    [{ kid: '' }, /while validating header: key id missing/],
    [{ alg: 'HS256' }, /while validating header: bad signing algorithm "HS256"/],
    [{ jku: 'https://elsewhere' }, /while validating header: while parsing header JSON: json: unknown field "jku"/],
  ];
  for (const [header, message] of spoiled)
    it(`is not believed with a header of ${JSON.stringify(header)}`, async () => {
      signer.header = header;
      try {
        await assert.rejects(requestToken(), message);
      } finally {
        signer.header = {};
      }
    });

  it('may not sign with a key that others could not check', async () => {
    signer.isExcluded = true;
    signer.rotate();
    try {
      await assert.rejects(requestToken(), /\(kid: key-3\) is excluded from OIDC discovery docs/);
    } finally {
      signer.isExcluded = false;
    }
  });
});

describe('a server whose external signer does not suit it', () => {
  it('does not start', async () => {
    await using signer = await startJwtSigner(join(directory, 'short.sock'));
    signer.maxTokenExpirationSeconds = 60;
    await assert.rejects(start(signer), {
      message: 'max token life supported by external-jwt-signer (60s) is less than acceptable (min 600s)',
    });
    signer.maxTokenExpirationSeconds = 7200;
    await assert.rejects(start(signer, { serviceAccountMaxExpirationSeconds: 10_000 }), {
      message: /^service-account-max-token-expiration cannot be set longer than the token expiration supported by /,
    });
  });
});
