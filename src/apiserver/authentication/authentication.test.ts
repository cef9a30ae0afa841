import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SteppedClock } from '#base';
import { Query, type ServerRequest } from '../http/message.ts';
import { audienceAgnostic, Refused, staticTokens, type TokenAuthenticator, union } from './authenticator.ts';
import { bearerToken, webSocketToken } from './bearer-token.ts';
import { parseCsv } from './csv.ts';
import { cachedTokens } from './token-cache.ts';
import { splitServiceAccountName, user } from './user.ts';

const refusing = (why: string): TokenAuthenticator => ({
  authenticate: () => Promise.reject(new Refused(why)),
});
const known = staticTokens(new Map([['good', user('alice')]]));

function request(headers: Readonly<Record<string, string>>): ServerRequest {
  return {
    method: 'GET',
    path: '/',
    url: '/',
    query: Query.empty,
    headers: { ...headers },
    body: async () => new Uint8Array(),
    signal: new AbortController().signal,
  };
}

describe('a union of authenticators', () => {
  it('goes on after a refusal, and tells each refusal once when nobody knows the credential', async () => {
    const all = union([refusing('a'), refusing('b'), refusing('a'), known]);
    assert.equal((await all.authenticate('good', {}))?.user.name, 'alice');
    await assert.rejects(all.authenticate('other', {}), { message: '[a, b]' });
    await assert.rejects(union([refusing('a'), refusing('a')]).authenticate('x', {}), { message: 'a' });
    assert.equal(await union([known, known]).authenticate('other', {}), undefined);
  });

  it('asks who knows no audiences only for the API’s own', async () => {
    const api = audienceAgnostic(['api', 'other'], known);
    assert.deepEqual((await api.authenticate('good', { audiences: ['x', 'api'] }))?.audiences, ['api']);
    assert.equal(await api.authenticate('good', { audiences: ['x'] }), undefined);
  });
});

describe('bearer tokens', () => {
  it('are taken off the request when they are good, and refused when nobody knows them', async () => {
    const bearer = bearerToken(known);
    const good = request({ authorization: ' bearer good trailing words' });
    assert.equal((await bearer.authenticate(good, {}))?.user.name, 'alice');
    assert.equal(good.headers['authorization'], undefined);
    await assert.rejects(bearer.authenticate(request({ authorization: 'Bearer bad' }), {}), {
      message: 'invalid bearer token',
    });
    for (const authorization of ['', 'Bearer', 'Basic good', 'Bearergood', 'good']) {
      assert.equal(await bearer.authenticate(request({ authorization }), {}), undefined, authorization);
    }
  });

  it('behind too many spaces are no tokens, which is warned of', async () => {
    const warnings: string[] = [];
    const context = { warn: (text: string) => void warnings.push(text) };
    assert.equal(await bearerToken(known).authenticate(request({ authorization: 'Bearer  good' }), context), undefined);
    assert.equal(warnings.length, 1);
  });

  it('of WebSockets stand beside another subprotocol', async () => {
    const prefix = 'base64url.bearer.authorization.k8s.io.';
    const encoded = `${prefix}${Buffer.from('good').toString('base64url')}`;
    const upgrade = { connection: 'keep-alive, Upgrade', upgrade: 'websocket' };
    const socket = webSocketToken(known);
    const good = request({ ...upgrade, 'sec-websocket-protocol': `${encoded}, v4.channel.k8s.io` });
    assert.equal((await socket.authenticate(good, {}))?.user.name, 'alice');
    assert.equal(good.headers['sec-websocket-protocol'], 'v4.channel.k8s.io');
    const refused = async (protocols: string): Promise<string> => {
      const asked = socket.authenticate(request({ ...upgrade, 'sec-websocket-protocol': protocols }), {});
      return asked.then(
        () => 'accepted',
        (error: Error) => error.message,
      );
    };
    assert.equal(await refused(encoded), 'missing additional subprotocol');
    assert.equal(await refused(`${encoded}, ${encoded}, x`), 'multiple base64.bearer.authorization tokens specified');
    assert.equal(await refused(`${prefix}!!, x`), 'invalid base64.bearer.authorization token encoding');
    assert.equal(await refused(`${prefix}_w, x`), 'invalid base64.bearer.authorization token');
    const plain = request({ 'sec-websocket-protocol': `${encoded}, x` });
    assert.equal(await socket.authenticate(plain, {}), undefined, 'no upgrade, no token');
  });

  it('of WebSockets are looked for where the connection names an upgrade, however long the header is', async () => {
    const rows: readonly [connection: string, upgrades: boolean][] = [
      ['upgrade', true],
      ['Upgrade , x', true],
      ['x,\t UPGRADE', true],
      ['upgrade ', false],
      [' upgrade', false],
      ['x upgrade', false],
      ['upgraded', false],
      [`${', '.repeat(500_000)}x`, false],
    ];
    const protocol = `base64url.bearer.authorization.k8s.io.${Buffer.from('good').toString('base64url')}, x`;
    const begin = performance.now();
    for (const [connection, upgrades] of rows) {
      const asked = request({ connection, upgrade: 'websocket', 'sec-websocket-protocol': protocol });
      const found = await webSocketToken(known).authenticate(asked, {});
      assert.equal(found !== undefined, upgrades, connection.slice(0, 20));
    }
    assert.ok(performance.now() - begin < 5000);
  });
});

describe('the token cache', () => {
  function counting(): { asked: string[]; tokens: TokenAuthenticator } {
    const asked: string[] = [];
    const tokens: TokenAuthenticator = {
      async authenticate(token, context) {
        asked.push(token);
        context.warn?.('remark');
        if (token === 'bad') throw new Refused('bad');
        return token === 'good' ? { user: user('alice') } : undefined;
      },
    };
    return { asked, tokens };
  }

  it('remembers a good token for its time, remarks and audiences included', async () => {
    const clock = new SteppedClock();
    const { asked, tokens } = counting();
    const cache = cachedTokens(tokens, { clock, successTtlMs: 10_000, failureTtlMs: 0, cacheErrors: true });
    const warnings: string[] = [];
    const context = { warn: (text: string) => void warnings.push(text) };
    await Promise.all([cache.authenticate('good', context), cache.authenticate('good', context)]);
    await cache.authenticate('good', context);
    assert.deepEqual(asked, ['good']);
    assert.equal(warnings.length, 3);
    await cache.authenticate('good', { audiences: ['x'] });
    assert.equal(asked.length, 2, 'for others it is another question');
    await clock.advance(10_000);
    await cache.authenticate('good', {});
    assert.equal(asked.length, 3);
  });

  it('forgets failures at once unless it is told a time, and errors unless told to keep them', async () => {
    const clock = new SteppedClock();
    const { asked, tokens } = counting();
    const forgetful = cachedTokens(tokens, { clock, successTtlMs: 10_000, failureTtlMs: 0, cacheErrors: true });
    for (let time = 0; time < 2; time++) assert.equal(await forgetful.authenticate('none', {}), undefined);
    assert.equal(asked.length, 2);
    const keeping = cachedTokens(tokens, { clock, successTtlMs: 10_000, failureTtlMs: 10_000, cacheErrors: false });
    for (let time = 0; time < 2; time++) assert.equal(await keeping.authenticate('none', {}), undefined);
    assert.equal(asked.length, 3);
    for (let time = 0; time < 2; time++) await assert.rejects(keeping.authenticate('bad', {}), { message: 'bad' });
    assert.equal(asked.length, 5);
  });
});

describe('token files', () => {
  it('are read as Go reads comma-separated values', () => {
    assert.deepEqual(parseCsv('a,b,c\r\n\nd,"e ""f"", g",\n'), [
      ['a', 'b', 'c'],
      ['d', 'e "f", g', ''],
    ]);
    assert.throws(() => parseCsv('a,"b,c\n'), {
      message: 'parse error on line 1, column 8: extraneous or missing " in quoted-field',
    });
    assert.throws(() => parseCsv('a\nb"c\n'), {
      message: 'parse error on line 2, column 2: bare " in non-quoted-field',
    });
  });
});

describe('names of ServiceAccounts', () => {
  it('have a namespace and a name that can be', () => {
    assert.deepEqual(splitServiceAccountName('system:serviceaccount:ns:a.b'), { namespace: 'ns', name: 'a.b' });
    for (const name of [
      'system:serviceaccount:ns',
      'system:serviceaccount:Ns:a',
      'system:serviceaccount:ns:a:b',
      'ns:a',
    ]) {
      assert.equal(splitServiceAccountName(name), undefined, name);
    }
  });
});
