/**
 * Authorization by a webhook that a kubeconfig names: what it is asked, what is made of good answers and of bad ones,
 * and a configuration file that changes while the server runs. The webhook is a real HTTPS server.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { loadAuthorizationConfiguration } from '#apiserver';
import { systemClock } from '#base';
import { createAuthority } from '#pki';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { send } from '../support/http.ts';

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void;

interface Review {
  readonly apiVersion: string;
  readonly spec: Readonly<Record<string, unknown>>;
}

const json = (response: ServerResponse, value: unknown): void => {
  response.setHeader('content-type', 'application/json');
  response.end(typeof value === 'string' ? value : JSON.stringify(value));
};
const status = (told: object) => ({ apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', status: told });

describe('a webhook that authorizes', () => {
  const directory = mkdtempSync(join(tmpdir(), 'kobune-authorization-'));
  const configurationPath = join(directory, 'authorization.yaml');
  const reviews: Review[] = [];
  const silent: ServerResponse[] = [];
  let answer: Answer = (_request, response) => json(response, status({ allowed: true }));
  let webhook: ReturnType<typeof createServer>;
  let server: TestApiServer;

  const configuration = (failurePolicy: string, more = ''): string => `
apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers:
- type: Webhook
  name: guard
  webhook:
    timeout: 400ms
    subjectAccessReviewVersion: v1
    matchConditionSubjectAccessReviewVersion: v1
    failurePolicy: ${failurePolicy}
    connectionInfo: {type: KubeConfigFile, kubeConfigFile: ${join(directory, 'webhook.kubeconfig')}}
    matchConditions:
    - expression: "!('system:serviceaccounts' in request.groups)"${more}
- {type: RBAC, name: rbac}
- {type: Node, name: node}
`;

  before(async () => {
    const nowMs = systemClock.now();
    const authority = await createAuthority('webhook-ca', nowMs);
    const serving = await authority.issue({
      commonName: 'webhook',
      dnsNames: ['localhost'],
      ipAddresses: ['127.0.0.1'],
      usages: ['server auth'],
      nowMs,
    });
    webhook = createServer({ cert: serving.certPem, key: serving.keyPem }, (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = Buffer.concat(chunks).toString();
        if (request.method === 'POST') reviews.push(JSON.parse(body) as Review);
        answer(request, response, body);
      });
    });
    await new Promise<void>(resolve => webhook.listen(0, '127.0.0.1', resolve));
    const { port } = webhook.address() as AddressInfo;
    const kubeconfig = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: 'guard',
          cluster: {
            server: `https://127.0.0.1:${port}/authorize`,
            'certificate-authority-data': Buffer.from(authority.certPem).toString('base64'),
          },
        },
      ],
      users: [{ name: 'api-server', user: { token: 'secret' } }],
      contexts: [{ name: 'guard', context: { cluster: 'guard', user: 'api-server' } }],
      'current-context': 'guard',
    };
    writeFileSync(join(directory, 'webhook.kubeconfig'), JSON.stringify(kubeconfig));
    const text = configuration('NoOpinion');
    writeFileSync(configurationPath, text);
    server = await startTestApiServer({
      config: { authorization: { ...loadAuthorizationConfiguration(text), file: { path: configurationPath, text } } },
    });
  });

  after(async () => {
    for (const response of silent) response.destroy();
    await server?.[Symbol.asyncDispose]();
    webhook?.closeAllConnections();
    webhook?.close();
    rmSync(directory, { recursive: true });
  });

  beforeEach(() => {
    reviews.length = 0;
    answer = (_request, response) => json(response, status({ allowed: true }));
  });

  let asked = 0;
  /** A request as a user who has not asked before, so that no answer is at hand. */
  const ask = async (path = '/api/v1/namespaces/default/pods', name = `user-${asked++}`) => {
    return send(server, { path, as: name });
  };

  it('is asked with the whole question, selectors too, as the user of the kubeconfig', async () => {
    let authorization: string | undefined;
    let url: string | undefined;
    answer = (request, response) => {
      authorization = request.headers.authorization;
      url = request.url;
      json(response, status({ allowed: true }));
    };
    const path = '/api/v1/namespaces/default/pods?fieldSelector=spec.nodeName%3Da&labelSelector=x%2C!y';
    assert.equal((await ask(path, 'jane')).code, 200);
    assert.equal(authorization, 'Bearer secret');
    assert.equal(url, '/authorize?timeout=400ms');
    assert.deepEqual(reviews, [
      {
        kind: 'SubjectAccessReview',
        apiVersion: 'authorization.k8s.io/v1',
        metadata: {},
        spec: {
          resourceAttributes: {
            namespace: 'default',
            verb: 'list',
            version: 'v1',
            resource: 'pods',
            fieldSelector: { requirements: [{ key: 'spec.nodeName', operator: 'In', values: ['a'] }] },
            labelSelector: {
              requirements: [
                { key: 'x', operator: 'Exists' },
                { key: 'y', operator: 'DoesNotExist' },
              ],
            },
          },
          user: 'jane',
          groups: ['system:authenticated'],
        },
        status: { allowed: false },
      },
    ]);
  });

  it('is asked once for the same question while the answer is kept', async () => {
    await ask('/api/v1/secrets', 'often');
    await ask('/api/v1/secrets', 'often');
    await ask('/api/v1/configmaps', 'often');
    assert.equal(reviews.length, 2);
  });

  it('is not asked where a condition does not hold, nor about members of system:masters', async () => {
    const path = '/api/v1/pods';
    assert.equal((await send(server, { path, as: 'system:serviceaccount:default:x' })).code, 403);
    assert.equal((await send(server, { path })).code, 200);
    assert.equal(reviews.length, 0);
  });

  it('denies for good, or leaves the word to the next', async () => {
    answer = (_request, response) => json(response, status({ denied: true, reason: 'not on a Saturday' }));
    const denied = await ask('/api');
    assert.equal(denied.code, 403);
    assert.match(denied.text, /cannot get path \\"\/api\\": not on a Saturday/);
    answer = (_request, response) => json(response, status({ allowed: false, reason: 'who knows' }));
    assert.equal((await ask('/api')).code, 200);
    assert.match((await ask('/api/v1/pods')).text, /at the cluster scope: who knows/);
    answer = (_request, response) => json(response, status({ allowed: true, denied: true }));
    const both = await ask('/api');
    assert.equal(both.code, 500);
    assert.match(both.text, /returned both allow and deny response\n$/);
  });

  const bad: ReadonlyArray<readonly [what: string, answer: Answer, says: RegExp]> = [
    ['hangs', (_request, response) => void silent.push(response), /context deadline exceeded/],
    [
      'answers garbage',
      (_request, response) => json(response, '{"a'),
      /json parse error: unexpected end of JSON input/,
    ],
    ['answers nothing', (_request, response) => response.end(), /0-length response with status code: 200/],
    [
      'answers another kind',
      (_request, response) => json(response, { apiVersion: 'v1', kind: 'Pod', status: { allowed: true } }),
      /Kind=Pod/,
    ],
    [
      'answers with 20 MB',
      (_request, response) => json(response, `{"a":"${'x'.repeat(20_000_000)}"}`),
      /more than 16777216 bytes|context deadline exceeded/,
    ],
    [
      'answers 403',
      (_request, response) => {
        response.statusCode = 403;
        response.end('no');
      },
      /: no\n$/,
    ],
    [
      'redirects for ever',
      (_request, response) => {
        response.statusCode = 307;
        response.setHeader('location', '/again');
        response.end();
      },
      /stopped after 10 redirects/,
    ],
  ];
  for (const [what, badAnswer, says] of bad) {
    it(`that ${what} decides nothing: RBAC does, and a request it does not allow is 500`, async () => {
      answer = badAnswer;
      assert.equal((await ask('/api')).code, 200);
      const refused = await ask('/api/v1/namespaces/default/pods');
      assert.equal(refused.code, 500);
      assert.match(refused.text, /^Internal Server Error: "\/api\/v1\/namespaces\/default\/pods": /);
      assert.match(refused.text, says);
    });
  }

  it('may answer with 10 MB, and from where it redirects to', async () => {
    answer = (_request, response) => json(response, status({ allowed: true, evaluationError: 'x'.repeat(10_000_000) }));
    assert.equal((await ask()).code, 200);
    answer = (request, response) => {
      if (request.url === '/there') return json(response, status({ allowed: true }));
      response.statusCode = 307;
      response.setHeader('location', '/there');
      response.end();
    };
    assert.equal((await ask()).code, 200);
  });

  it('is asked again where trying again may help', async () => {
    let left = 1;
    answer = (_request, response) => {
      if (left-- === 0) return json(response, status({ allowed: true }));
      response.statusCode = 500;
      response.end();
    };
    assert.equal((await ask()).code, 200);
    assert.equal(reviews.length, 2);
  });

  it('shows in access reviews what went wrong', async () => {
    answer = (_request, response) => json(response, '{');
    const review = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: { user: 'reviewed', resourceAttributes: { verb: 'get', resource: 'pods' } },
    };
    const path = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
    const { text } = await send(server, { method: 'POST', path, body: review });
    const told = JSON.parse(text) as { status: { allowed: boolean; evaluationError: string } };
    assert.equal(told.status.allowed, false);
    assert.match(told.status.evaluationError, /json parse error/);
  });

  it('makes what can be listed of rights incomplete', async () => {
    const path = '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews';
    const body = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectRulesReview',
      spec: { namespace: 'default' },
    };
    const { text } = await send(server, { method: 'POST', path, body, as: 'rules' });
    const told = JSON.parse(text);
    assert.equal(told.status.incomplete, true);
    assert.equal(told.status.evaluationError, 'webhook authorizer does not support user rule resolution');
    assert.ok(told.status.resourceRules.length > 0);
  });

  it('is followed as its configuration changes; a wrong one changes nothing', async () => {
    const metric = async (name: string): Promise<string[]> => {
      const { text } = await send(server, { path: '/metrics' });
      return text.split('\n').filter(line => line.startsWith(name));
    };
    const reloads = 'apiserver_authorization_config_controller_automatic_reloads_total';
    const until = async (check: () => Promise<boolean>): Promise<void> => {
      const deadline = performance.now() + 10_000;
      while (!(await check())) {
        assert.ok(performance.now() < deadline, 'the configuration was not read again');
        await systemClock.sleep(100);
      }
    };
    writeFileSync(configurationPath, configuration('Deny'));
    await until(async () => (await metric(reloads)).some(line => /status="success".* 1$/.test(line)));
    answer = (_request, response) => json(response, '{');
    assert.equal((await ask('/api')).code, 500);
    writeFileSync(configurationPath, 'kind: Nonsense');
    await until(async () => (await metric(reloads)).some(line => /status="failure".* 1$/.test(line)));
    assert.equal((await ask('/api')).code, 500);
    writeFileSync(configurationPath, configuration('Deny', "\n    - expression: request.user.startsWith('x')"));
    await until(async () => (await metric(reloads)).some(line => /status="success".* 2$/.test(line)));
    assert.equal((await ask('/api')).code, 200);
    const info = await metric('apiserver_authorization_config_controller_last_config_info');
    assert.equal(info.length, 1);
    const decisions = await metric('apiserver_authorization_decisions_total');
    assert.ok(decisions.some(line => line.includes('type="Webhook"') && line.includes('decision="denied"')));
    const excluded = await metric('apiserver_authorization_match_condition_exclusions_total');
    assert.ok(excluded.some(line => line.includes('name="guard"')));
  });
});
