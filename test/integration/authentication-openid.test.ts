/**
 * Users of a real OpenID provider: by `--oidc-*` and by an AuthenticationConfiguration, which may change while the
 * server runs; keys that are rotated, providers that are gone, claims that are elsewhere.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { systemClock } from '#base';
import { createHttpsTransport } from '#client';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { eventually } from '../support/eventually.ts';
import { type OpenidProvider, startOpenidProvider } from '../support/openid-provider.ts';

interface Who {
  readonly username: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

const reviews = '/apis/authentication.k8s.io/v1';

/** Who the bearer is to the server; undefined: nobody it knows. */
async function whoIs(server: TestApiServer, token: string): Promise<Who | undefined> {
  await using transport = createHttpsTransport({ server: server.url, caPem: server.authority.certPem, token });
  try {
    const body = { kind: 'SelfSubjectReview', apiVersion: 'authentication.k8s.io/v1' };
    const answer = await transport.request({ method: 'POST', path: `${reviews}/selfsubjectreviews`, body });
    return ((await answer.json()) as unknown as { status: { userInfo: Who } }).status.userInfo;
  } catch (error) {
    assert.equal((error as { code?: number }).code, 401, String(error));
    return undefined;
  }
}

/** Why the token is refused, as a TokenReview tells it. */
async function refusal(server: TestApiServer, token: string): Promise<string> {
  const body = { kind: 'TokenReview', apiVersion: 'authentication.k8s.io/v1', spec: { token } };
  const answer = await server.transport().request({ method: 'POST', path: `${reviews}/tokenreviews`, body });
  const { status } = (await answer.json()) as unknown as { status: { authenticated?: boolean; error?: string } };
  assert.notEqual(status.authenticated, true);
  return (status.error ?? '').replace(/^\[invalid bearer token, (.*)\]$/s, '$1');
}

const alice = { groups: ['dev', 'ops'], email: 'alice@example.org', email_verified: true };
const directory = mkdtempSync(join(tmpdir(), 'kobune-openid-'));
after(() => rmSync(directory, { recursive: true, force: true }));

let provider: OpenidProvider;
before(async () => {
  provider = await startOpenidProvider({
    accounts: { alice, bob: { groups: ['dev'], email: 'bob@example.org', email_verified: false } },
  });
});
after(() => provider[Symbol.asyncDispose]());

function file(name: string, text: string): string {
  const path = join(directory, name);
  // As editors and mounts do it: whoever reads sees the old or the new.
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
  return path;
}

/** JSON is YAML. */
function configuration(name: string, jwt: readonly object[]): string {
  return file(
    name,
    JSON.stringify({ apiVersion: 'apiserver.config.k8s.io/v1', kind: 'AuthenticationConfiguration', jwt }),
  );
}

const issuerOf = ({ issuer, authority, clientId }: OpenidProvider) => ({
  url: issuer,
  certificateAuthority: authority.certPem,
  audiences: [clientId],
});

/** Until the server has found the provider's keys. */
const ready = (server: TestApiServer, token: string): Promise<Who> =>
  eventually('the provider is known', () => whoIs(server, token));

describe('--oidc-* flags', () => {
  const oidc = () => ({
    issuerUrl: provider.issuer,
    clientId: 'kubernetes',
    caFile: file('ca.pem', provider.authority.certPem),
    usernameClaim: 'sub',
    usernamePrefix: '',
    groupsClaim: 'groups',
    groupsPrefix: 'oidc:',
    signingAlgs: ['RS256'],
    requiredClaims: new Map<string, string>(),
  });

  test('a user who logged in is named after the issuer, with prefixed groups', async () => {
    await using server = await startTestApiServer({ config: { authentication: { oidc: oidc() } } });
    assert.deepEqual(await ready(server, await provider.idToken('alice')), {
      username: `${provider.issuer}#alice`,
      groups: ['oidc:dev', 'oidc:ops', 'system:authenticated'],
    });
  });

  test('e-mail addresses have no prefix, and have to be verified', async () => {
    const options = { ...oidc(), usernameClaim: 'email' };
    await using server = await startTestApiServer({ config: { authentication: { oidc: options } } });
    const { username } = await ready(server, await provider.idToken('alice'));
    assert.equal(username, 'alice@example.org');
    assert.equal(await whoIs(server, await provider.idToken('bob')), undefined);
    assert.equal(await refusal(server, await provider.idToken('bob')), 'oidc: email not verified');
  });

  test('a dash stands for no prefix; required claims have to be there with their values', async () => {
    const requiredClaims = new Map([['tenant', 'blue']]);
    const options = { ...oidc(), usernamePrefix: '-', requiredClaims };
    await using server = await startTestApiServer({ config: { authentication: { oidc: options } } });
    const { username } = await ready(server, await provider.sign({ sub: 'carol', tenant: 'blue', groups: 'one' }));
    assert.equal(username, 'carol');
    const absent = 'oidc: required claim tenant not present in ID token';
    assert.equal(await refusal(server, await provider.sign({ sub: 'carol' })), absent);
    const other = 'oidc: required claim tenant value does not match. Got = red, want = blue';
    assert.equal(await refusal(server, await provider.sign({ sub: 'carol', tenant: 'red' })), other);
  });
});

describe('an AuthenticationConfiguration', () => {
  const mappings = { username: { expression: '"oidc:" + claims.sub' }, groups: { claim: 'groups', prefix: '' } };

  test('maps claims by expressions, and checks them and the user by rules', async () => {
    const configFile = configuration('mapped.yaml', [
      {
        issuer: issuerOf(provider),
        claimValidationRules: [
          { claim: 'tenant', requiredValue: 'blue' },
          { expression: 'claims.exp - claims.iat <= 3600.0', message: 'only short-lived tokens' },
        ],
        claimMappings: {
          username: { expression: 'claims.email_verified ? claims.email : "unverified:" + claims.sub' },
          groups: { expression: 'claims.?roles.orValue("").split(",")' },
          uid: { expression: 'claims.sub' },
          extra: [
            { key: 'example.org/tenant', valueExpression: 'claims.tenant' },
            { key: 'example.org/none', valueExpression: '""' },
            { key: 'example.org/deep', valueExpression: 'claims.deep.a__dot__b' },
          ],
        },
        userValidationRules: [
          { expression: '!user.username.startsWith("system:")', message: 'reserved' },
          { expression: 'user.groups.all(group, !group.startsWith("system:"))', message: 'reserved group' },
        ],
      },
    ]);
    await using server = await startTestApiServer({ config: { authentication: { configFile } } });
    const claims = { sub: 's1', tenant: 'blue', email: 'a@b.c', email_verified: true, deep: { 'a.b': ['x', '', 'y'] } };
    const found = await ready(server, await provider.sign({ ...claims, roles: 'one,two', jti: 'id1' }));
    assert.deepEqual(found, {
      username: 'a@b.c',
      uid: 's1',
      groups: ['one', 'two', 'system:authenticated'],
      extra: {
        'authentication.kubernetes.io/credential-id': ['JTI=id1'],
        'example.org/tenant': ['blue'],
        'example.org/deep': ['x', 'y'],
      },
    });
    const refusals: Array<[object, string]> = [
      [{ sub: null }, 'oidc: error evaluating uid claim expression: uid claim expression must return a string'],
      [
        { sub: 1 },
        'oidc: verify token: oidc: failed to unmarshal claims: json: cannot unmarshal number into Go struct field idToken.sub of type string',
      ],
      [{ tenant: undefined }, "expression 'claims.tenant' resulted in error: no such key: tenant"],
      [{ tenant: 'red' }, 'oidc: required claim tenant value does not match. Got = red, want = blue'],
      [
        { exp: Math.floor(systemClock.now() / 1000) + 7200 },
        "oidc: error evaluating claim validation expression: validation expression 'claims.exp - claims.iat <= 3600.0' failed: only short-lived tokens",
      ],
      [
        { email: 'system:admin' },
        `oidc: error evaluating user info validation rule: validation expression '!user.username.startsWith("system:")' failed: reserved`,
      ],
      [{ email: '' }, 'oidc: empty username via CEL expression is not allowed'],
      [
        { email: 3 },
        'oidc: error evaluating username claim expression: username claim expression must return a string',
      ],
      [{ deep: {} }, "expression 'claims.deep.a__dot__b' resulted in error: no such key: a__dot__b"],
      [
        { deep: { 'a.b': [1] } },
        'oidc: error evaluating extra claim expression: claims.deep.a__dot__b: expression must return a string or a list of strings',
      ],
    ];
    for (const [other, why] of refusals) {
      assert.equal(await refusal(server, await provider.sign({ ...claims, ...other })), why);
    }
  });

  test('keys that are rotated are found, and used on while the provider is gone', async () => {
    await using own = await startOpenidProvider({ accounts: { alice } });
    const configFile = configuration('rotated.yaml', [{ issuer: issuerOf(own), claimMappings: mappings }]);
    await using server = await startTestApiServer({ config: { authentication: { configFile } } });
    const old = await own.idToken('alice');
    assert.equal((await ready(server, old)).username, 'oidc:alice');
    await own.rotate();
    const fresh = await own.idToken('alice');
    assert.equal((await whoIs(server, fresh))?.username, 'oidc:alice');
    const stale = await own.sign({ sub: 'alice' });
    await own.rotate();
    own.intercept = () => ({ status: 503, body: 'gone' });
    assert.equal((await whoIs(server, stale))?.username, 'oidc:alice', 'the known key verifies without the provider');
    const why = await refusal(server, await own.sign({ sub: 'alice' }));
    assert.equal(
      why,
      'oidc: verify token: failed to verify signature: fetching keys oidc: get keys failed: 503 Service Unavailable gone',
    );
  });

  test('keys are asked for again only when what the provider said of their age is over', async () => {
    await using own = await startOpenidProvider({ accounts: { alice } });
    const configFile = configuration('kept.yaml', [{ issuer: issuerOf(own), claimMappings: mappings }]);
    await using server = await startTestApiServer({ config: { authentication: { configFile } } });
    await ready(server, await own.idToken('alice'));
    const asked = (): number => own.counts.get('/jwks') ?? 0;
    const before = asked();
    for (const each of ['a', 'b']) await refusal(server, await own.sign({ sub: each }, { kid: `unknown-${each}` }));
    assert.equal(asked(), before + 2, 'nothing was said, so each unknown key is a question');
    const keys = await documentOf(own, '/jwks');
    own.intercept = path =>
      path === '/jwks' ? { status: 200, body: keys, headers: { 'cache-control': 'public, max-age=3600' } } : undefined;
    await refusal(server, await own.sign({ sub: 'c' }, { kid: 'unknown-c' }));
    const kept = asked();
    await refusal(server, await own.sign({ sub: 'd' }, { kid: 'unknown-d' }));
    assert.equal(asked(), kept);
  });

  test('a changed file takes over without a restart, and one that is wrong does not', async () => {
    await using other = await startOpenidProvider({ accounts: { alice } });
    const first = [{ issuer: issuerOf(provider), claimMappings: mappings }];
    const configFile = configuration('changing.yaml', first);
    await using server = await startTestApiServer({ config: { authentication: { configFile } } });
    await ready(server, await provider.idToken('alice'));
    const stranger = await other.idToken('alice');
    assert.equal(await whoIs(server, stranger), undefined);
    const reloads = async (status: string): Promise<number> => {
      const name = `apiserver_authentication_config_controller_automatic_reloads_total{status="${status}"`;
      const answer = await server.transport().request({ method: 'GET', path: '/metrics' });
      const text = Buffer.concat(await Array.fromAsync(answer.bytes())).toString();
      const line = text.split('\n').find(each => each.startsWith(name));
      return Number(line?.split(' ').at(-1) ?? 0);
    };
    file('changing.yaml', 'apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt: [{}]\n');
    await eventually('the failure is counted', async () => (await reloads('failure')) > 0);
    assert.equal((await whoIs(server, await provider.idToken('alice')))?.username, 'oidc:alice');
    configuration('changing.yaml', [...first, { issuer: issuerOf(other), claimMappings: mappings }]);
    assert.equal((await ready(server, stranger)).username, 'oidc:alice');
    assert.equal(await reloads('success'), 1);
  });

  test('groups that are elsewhere are fetched, with the access token, from where the token says', async () => {
    await using own = await startOpenidProvider({ accounts: { alice } });
    const configFile = configuration('distributed.yaml', [{ issuer: issuerOf(own), claimMappings: mappings }]);
    await using server = await startTestApiServer({ config: { authentication: { configFile } } });
    const signed = (groups: unknown): Promise<string> => own.sign({ sub: 'groups', groups });
    const answers = new Map([
      ['/groups', await signed(['far', 'away'])],
      ['/nothing', await own.sign({ sub: 'groups' })],
      ['/garbage', 'garbage'],
    ]);
    own.intercept = path => {
      const body = answers.get(path);
      return body === undefined ? undefined : { status: 200, body };
    };
    const bearer = (path: string): Promise<string> =>
      own.sign({
        sub: 'alice',
        _claim_names: { groups: 'src' },
        _claim_sources: { src: { endpoint: `${own.issuer}${path}`, access_token: 'secret' } },
      });
    // The issuer of the second token is looked for when it is first met.
    const found = await ready(server, await bearer('/groups'));
    assert.deepEqual(found.groups, ['far', 'away', 'system:authenticated']);
    const prefix = 'oidc: could not expand distributed claims: ';
    const nothing = `jwt returned by distributed claim endpoint "${own.issuer}/nothing" did not contain claim: groups`;
    assert.equal(await refusal(server, await bearer('/nothing')), prefix + nothing);
    assert.match(await refusal(server, await bearer('/garbage')), /getting untrusted issuer from endpoint .* failed/);
    const gone = 'while getting distributed claim "groups": error while getting distributed claim JWT: 404 Not Found';
    assert.equal(await refusal(server, await bearer('/gone')), prefix + gone);
  });

  test('anonymous only where the conditions say, and never with a wrong credential', async () => {
    const configFile = file(
      'anonymous.yaml',
      JSON.stringify({
        apiVersion: 'apiserver.config.k8s.io/v1beta1',
        kind: 'AuthenticationConfiguration',
        anonymous: { enabled: true, conditions: [{ path: '/livez' }] },
      }),
    );
    await using server = await startTestApiServer({ config: { authentication: { configFile } } });
    const status = async (path: string, token?: string): Promise<number> => {
      const config = { server: server.url, caPem: server.authority.certPem, ...(token !== undefined && { token }) };
      await using transport = createHttpsTransport(config);
      try {
        return (await transport.request({ method: 'GET', path })).status;
      } catch (error) {
        return (error as { code: number }).code;
      }
    };
    assert.equal(await status('/livez'), 200);
    assert.equal(await status('/readyz'), 401);
    assert.equal(await status('/livez', 'wrong'), 401);
  });

  test('every algorithm of the list is verified, signed by another implementation', async () => {
    for (const algorithm of ['RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512']) {
      await using own = await startOpenidProvider({ accounts: { alice }, algorithm });
      const configFile = configuration(`${algorithm}.yaml`, [{ issuer: issuerOf(own), claimMappings: mappings }]);
      await using server = await startTestApiServer({ config: { authentication: { configFile } } });
      assert.equal((await ready(server, await own.idToken('alice'))).username, 'oidc:alice', algorithm);
    }
  });
});

async function documentOf({ issuer, authority }: OpenidProvider, path: string): Promise<string> {
  await using transport = createHttpsTransport({ server: issuer, caPem: authority.certPem });
  const answer = await transport.request({ method: 'GET', path });
  return Buffer.concat(await Array.fromAsync(answer.bytes())).toString();
}
