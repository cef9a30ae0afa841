/**
 * A webhook that knows tokens: what it is asked and how its answers are kept, and every way in which it can fail to be
 * of use, each of which ends in 401 with a reason for TokenReviews.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { type Who, whoIs } from '../support/raw-request.ts';

interface Asked {
  readonly apiVersion: string;
  readonly kind: string;
  readonly spec: { readonly token: string; readonly audiences?: readonly string[] };
}

const directory = mkdtempSync(join(tmpdir(), 'kobune-webhook-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const asked: Asked[] = [];
let webhook: Server;
let origin: string;

const status = (asked: Asked, told: object): string =>
  JSON.stringify({ apiVersion: asked.apiVersion, kind: 'TokenReview', status: told });

/** By the token: what the webhook answers. */
const answers: Readonly<Record<string, (asked: Asked) => { code?: number; body: string; location?: string }>> = {
  good: review => ({
    body: status(review, {
      authenticated: true,
      user: { username: 'wendy', uid: 'w1', groups: ['hooks'], extra: { 'example.org/a': ['x'] } },
    }),
  }),
  aud: review => ({ body: status(review, { authenticated: true, user: { username: 'w' }, audiences: ['other'] }) }),
  no: review => ({ body: status(review, { authenticated: false }) }),
  why: review => ({ body: status(review, { authenticated: false, error: 'it is Sunday' }) }),
  garbage: () => ({ body: '<html>' }),
  otherkind: () => ({ body: JSON.stringify({ apiVersion: 'v1', kind: 'Pod', status: { authenticated: true } }) }),
  othertypes: review => ({ body: status(review, { authenticated: 'yes', user: { username: 'w' } }) }),
  huge: review => ({ body: status(review, { authenticated: true, user: { username: 'x'.repeat(17 * 1024 * 1024) } }) }),
  ten: review => ({
    body: status(review, { authenticated: false, error: 'x', user: { username: 'x'.repeat(10 << 20) } }),
  }),
  forbidden: () => ({ code: 403, body: 'no' }),
  moved: () => ({ code: 302, location: '/elsewhere', body: '' }),
  around: () => ({ code: 307, location: '/around', body: '' }),
  failing: () => ({ code: 500, body: 'oh' }),
};
let failures = 0;
let hung = 0;

before(async () => {
  webhook = createServer(async (request, response) => {
    const text = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>)).toString();
    if (text === '') {
      response.writeHead(200, { 'content-type': 'application/json' });
      return response.end(JSON.stringify({ kind: 'Moved' }));
    }
    const review = JSON.parse(text) as Asked;
    asked.push(review);
    const { token } = review.spec;
    if (token === 'hang' && hung++ === 0) return;
    if (token === 'flaky' && failures++ < 2) {
      response.writeHead(500);
      return response.end();
    }
    const answer = token === 'flaky' ? answers['good']! : answers[token];
    const { code = 200, body, location } = answer ? answer(review) : { code: 200, body: status(review, {}) };
    response.writeHead(code, { 'content-type': 'application/json', ...(location && { location }) });
    response.end(body);
  });
  await new Promise<void>(resolve => webhook.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(webhook.address() as AddressInfo).port}`;
});
after(() => {
  webhook.closeAllConnections();
  webhook.close();
});

function start(version: string, cacheTtlMs: number): Promise<TestApiServer> {
  const configFile = join(directory, 'kubeconfig');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'w', cluster: { server: `${origin}/authenticate` } }],
    users: [{ name: 'u', user: {} }],
    contexts: [{ name: 'c', context: { cluster: 'w', user: 'u' } }],
    'current-context': 'c',
  };
  writeFileSync(configFile, JSON.stringify(config));
  return startTestApiServer({ config: { authentication: { webhook: { configFile, version, cacheTtlMs } } } });
}

async function refusal(server: TestApiServer, token: string): Promise<string> {
  const body = { kind: 'TokenReview', apiVersion: 'authentication.k8s.io/v1', spec: { token } };
  const path = '/apis/authentication.k8s.io/v1/tokenreviews';
  const answer = await server.transport().request({ method: 'POST', path, body });
  const found = (await answer.json()) as unknown as { status: { authenticated?: boolean; error?: string } };
  assert.notEqual(found.status.authenticated, true, token);
  return found.status.error ?? '';
}

const api = 'https://kubernetes.default.svc.cluster.local';

describe('a token webhook', () => {
  for (const version of ['v1', 'v1beta1']) {
    test(`is asked in ${version}, once for what it knows`, async () => {
      await using server = await start(version, 60_000);
      asked.length = 0;
      for (let time = 0; time < 3; time++) {
        assert.deepEqual(await whoIs(server, { token: 'good' }), {
          username: 'wendy',
          uid: 'w1',
          groups: ['hooks', 'system:authenticated'],
          extra: { 'example.org/a': ['x'] },
        });
      }
      assert.equal(asked.length, 1);
      assert.deepEqual(asked[0]!.spec, { token: 'good', audiences: [api] });
      assert.equal(asked[0]!.apiVersion, `authentication.k8s.io/${version}`);
      for (let time = 0; time < 2; time++) assert.equal(await whoIs(server, { token: 'no' }), 'Unauthorized');
      assert.equal(asked.length, 2, 'that it does not know a token is kept too');
      for (let time = 0; time < 2; time++) assert.match(await refusal(server, 'why'), /it is Sunday/);
      assert.equal(asked.length, 4, 'errors are not');
      assert.equal(await whoIs(server, { token: 'aud' }), 'Unauthorized', 'meant for others');
    });
  }

  test('is not asked about what the server knows itself', async () => {
    await using server = await start('v1', 0);
    asked.length = 0;
    assert.equal(((await whoIs(server, { token: server.adminToken })) as Who).username, 'admin');
    assert.equal(asked.length, 0);
  });

  test('that answers anything but a review recognises nobody', async () => {
    await using server = await start('v1', 0);
    const reasons: Readonly<Record<string, RegExp>> = {
      garbage: /invalid bearer token, .*invalid character '<' looking for beginning of value/,
      otherkind: /the answer is of v1, Kind=Pod, not of authentication\.k8s\.io\/v1, Kind=TokenReview/,
      othertypes: /fields of other types than a TokenReview has/,
      huge: /the answer has more than \d+ bytes/,
      ten: /^\[invalid bearer token, x\]$/,
      forbidden: /^\[invalid bearer token, unknown\]$/,
      moved: /Kind=Moved|is missing/,
      around: /stopped after 10 redirects/,
    };
    for (const [token, reason] of Object.entries(reasons)) {
      assert.match(await refusal(server, token), reason, token);
      assert.equal(await whoIs(server, { token }), 'Unauthorized', token);
    }
  });

  test('that fails for a moment is asked again', async () => {
    await using server = await start('v1', 0);
    failures = 0;
    assert.equal(((await whoIs(server, { token: 'flaky' })) as Who).username, 'wendy');
    assert.equal(failures, 3);
  });

  test('that hangs keeps nobody else waiting', async () => {
    await using server = await start('v1', 0);
    const hanging = whoIs(server, { token: 'hang' });
    assert.equal(((await whoIs(server, { token: 'good' })) as Who).username, 'wendy');
    assert.equal(((await whoIs(server, { certificate: server.admin })) as Who).username, 'kubernetes-admin');
    webhook.closeAllConnections();
    assert.equal(await hanging, 'Unauthorized');
  });
});
