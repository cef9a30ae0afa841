/**
 * Values that are planted in Secrets, tokens and keys appear nowhere but where they were asked for: neither in the log at
 * its most talkative level, nor in the audit log at the level that upstream recommends for them, nor in Events, nor in
 * the refusal of anything but a body that holds them; through every way in which a request or the store can go wrong.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import {
  type ApiServer,
  type ApiServerConfig,
  createApiServer,
  defaultAuditLogOptions,
  readAuditPolicyFile,
  staticTokens,
  user,
} from '#apiserver';
import { createActivity, createLogger, MetricsRegistry, noFaults, systemClock, systemRandom } from '#base';
import { createAuthority, createTokenKey, loadTokenKeys } from '#pki';
import { createMemoryStore } from '#storage';
import { type Received, type Sent, send } from '../support/http.ts';

const plant = 'swordfish-1734-planted';
const encoded = Buffer.from(plant).toString('base64');
/** Without padding, at each of the three offsets that base64 knows. */
const needles: readonly string[] = [plant, ...['', 'x', 'xx'].map(lead => inside(lead))];

function inside(lead: string): string {
  return Buffer.from(lead + plant)
    .toString('base64')
    .slice(lead.length === 0 ? 0 : 4, -6);
}

const policy = `
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: Metadata
  resources: [{ resources: [secrets, serviceaccounts/token] }, { group: authentication.k8s.io, resources: [tokenreviews] }]
- level: RequestResponse
`;
const secrets = '/api/v1/namespaces/default/secrets';
const webhooks = '/apis/admissionregistration.k8s.io/v1';
const patchTypes = ['merge-patch+json', 'strategic-merge-patch+json', 'apply-patch+yaml', 'json-patch+json'] as const;

it('a planted secret is told to nobody who did not ask for it, whatever goes wrong', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'kobune-unlogged-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const encryption = (secret: string): string =>
    `apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n` +
    `- resources: [secrets]\n  providers: [{aesgcm: {keys: [{name: k, secret: ${secret}}]}}]\n`;
  const key = randomBytes(32).toString('base64');
  const auditPath = join(folder, 'audit.log');
  const lines: string[] = [];
  const logger = createLogger({ level: 'debug', write: line => lines.push(line), clock: systemClock });
  const store = createMemoryStore({ clock: systemClock });
  const adminToken = `${plant}-token`;
  const authority = await createAuthority('kubernetes', systemClock.now());
  const tokenKeys = loadTokenKeys(await createTokenKey());
  const names = { commonName: 'api', ipAddresses: ['127.0.0.1'], usages: ['server auth'] as const };
  const serving = await authority.issue({ ...names, nowMs: systemClock.now() });
  let port = 0;
  const start = async (encryptionProviderConfig: string): Promise<ApiServer> => {
    const config: Partial<ApiServerConfig> = {
      encryptionProviderConfig,
      encryptionProviderConfigAutomaticReload: true,
      audit: {
        policy: readAuditPolicyFile(file('policy.yaml', policy), text => assert.fail(text)),
        log: { ...defaultAuditLogOptions, path: auditPath },
        webhook: undefined,
      },
    };
    const started = await createApiServer(
      {
        store,
        clock: systemClock,
        random: systemRandom,
        logger,
        metrics: new MetricsRegistry(),
        faults: noFaults,
        activity: createActivity(),
        tokenKeys,
        tokenAuthenticators: [staticTokens(new Map([[adminToken, user('admin', ['system:masters'])]]))],
      },
      config,
    );
    await started.ready;
    const tls = { ...serving, clientCaPem: authority.certPem };
    port = (await started.listen({ host: '127.0.0.1', port: 0, tls })).port;
    return started;
  };
  const server = await start(file('encryption.yaml', encryption(key)));

  const refusals: Received[] = [];
  const ask = async (sent: Sent, code: number): Promise<Received> => {
    const received = await send({ port, adminToken }, sent);
    assert.equal(received.code, code, `${sent.method} ${sent.path}: ${received.text.slice(0, 300)}`);
    if (code >= 400) refusals.push(received);
    return received;
  };
  const body = (name: string, more: object = {}): object => ({ metadata: { name }, stringData: { p: plant }, ...more });

  // What succeeds.
  await ask({ method: 'POST', path: secrets, body: body('a') }, 201);
  await ask({ method: 'PUT', path: `${secrets}/a`, body: body('a', { stringData: { p: plant, q: plant } }) }, 200);
  for (const type of patchTypes) {
    const patch =
      type === 'json-patch+json'
        ? [{ op: 'add', path: '/data/r', value: encoded }]
        : { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a' }, data: { r: encoded } };
    const headers = { 'content-type': `application/${type}` };
    const path = `${secrets}/a?fieldManager=t&force=true`.replace(type.startsWith('apply') ? '' : '&force=true', '');
    await ask({ method: 'PATCH', path, headers, body: JSON.stringify(patch) }, 200);
  }
  assert.ok((await ask({ path: `${secrets}/a` }, 200)).text.includes(encoded), 'who asks for it gets it');

  // What cannot be decoded, is not valid, or comes too late.
  await ask({ method: 'POST', path: secrets, body: `{"stringData":{"p":"${plant}"` }, 400);
  await ask({ method: 'POST', path: secrets, body: `metadata: {name: y}\nstringData: {p: "${plant}"}` }, 400);
  await ask({ method: 'POST', path: secrets, body: { metadata: { name: 'b' }, stringData: plant } }, 400);
  await ask({ method: 'POST', path: secrets, body: { metadata: { name: 'b' }, data: { p: plant } } }, 400);
  await ask({ method: 'POST', path: secrets, body: { metadata: { name: 'b' }, data: { p: { q: plant } } } }, 400);
  await ask({ method: 'POST', path: `${secrets}?fieldValidation=Strict`, body: body('b', { nope: plant }) }, 400);
  await ask(
    { method: 'POST', path: `${secrets}?fieldValidation=Warn&dryRun=All`, body: body('b', { no: plant }) },
    201,
  );
  await ask({ method: 'POST', path: secrets, body: body('B') }, 422);
  await ask({ method: 'POST', path: secrets, body: body('b', { type: 'kubernetes.io/tls' }) }, 422);
  await ask({ method: 'POST', path: secrets, body: body('b', { type: 'kubernetes.io/dockerconfigjson' }) }, 422);
  const docker = { type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': plant } };
  await ask({ method: 'POST', path: secrets, body: body('b', docker) }, 422);
  await ask({ method: 'POST', path: secrets, body: body('a') }, 409);
  const stale = body('a', { metadata: { name: 'a', resourceVersion: '1' } });
  await ask({ method: 'PUT', path: `${secrets}/a`, body: stale }, 409);
  const merge = { 'content-type': 'application/merge-patch+json' };
  await ask({ method: 'PATCH', path: `${secrets}/a`, headers: merge, body: `{"data":{"p":"${plant}` }, 400);
  await ask({ method: 'PATCH', path: `${secrets}/a`, headers: merge, body: { data: { p: `%${plant}` } } }, 422);
  await ask(
    { method: 'PATCH', path: `${secrets}/a`, headers: merge, body: { type: 'x', stringData: { p: plant } } },
    422,
  );
  const json = { 'content-type': 'application/json-patch+json' };
  const failing = [{ op: 'test', path: '/data/p', value: `${encoded}x` }];
  await ask({ method: 'PATCH', path: `${secrets}/a`, headers: json, body: JSON.stringify(failing) }, 422);
  await ask({ method: 'POST', path: secrets, body: body('f', { immutable: true }) }, 201);
  await ask({ method: 'PUT', path: `${secrets}/f`, body: body('f', { stringData: { p: `${plant}2` } }) }, 422);
  await ask({ method: 'POST', path: secrets, as: 'nobody', body: body('c') }, 403);

  // Credentials that are not good.
  const wrong = (authorization: string): Sent => ({ path: '/version', anonymous: true, headers: { authorization } });
  for (const header of [`Bearer ${plant}`, `Bearer x.${encoded}.y`, `Bearer ${plant.slice(0, 6)}.${plant}`])
    await ask(wrong(header), 401);
  await ask(wrong(`Basic ${Buffer.from(`admin:${plant}`).toString('base64')}`), 200);
  const review = { spec: { token: plant } };
  await ask({ method: 'POST', path: '/apis/authentication.k8s.io/v1/tokenreviews', body: review }, 201);
  await ask({ path: `/api/v1/namespaces/default/pods/${'x'.repeat(10)}`, headers: { cookie: plant } }, 404);

  // Webhooks that are called with it and fail.
  const hook = createServer((request, response) => {
    request.resume().on('end', () => response.end('nonsense'));
  });
  await new Promise<void>(resolve => hook.listen(0, '127.0.0.1', resolve));
  t.after(() => hook.close());
  const url = `https://127.0.0.1:${(hook.address() as AddressInfo).port}/`;
  const rule = { apiGroups: [''], apiVersions: ['v1'], resources: ['secrets'], operations: ['CREATE', 'UPDATE'] };
  const configured = (kind: string): object => ({
    metadata: { name: 'w' },
    webhooks: [
      {
        name: `${kind}.example.com`,
        clientConfig: { url },
        rules: [rule],
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        timeoutSeconds: 2,
      },
    ],
  });
  for (const kind of ['mutating', 'validating']) {
    const path = `${webhooks}/${kind}webhookconfigurations`;
    await ask({ method: 'POST', path, body: configured(kind) }, 201);
    for (let turn = 0; ; turn++) {
      const { code, text } = await send(
        { port, adminToken },
        { method: 'POST', path: secrets, body: body(`${kind}${turn}`) },
      );
      if (code === 500 && text.includes('failed calling webhook')) break;
      assert.ok(turn < 100);
    }
    await ask({ method: 'PUT', path: `${secrets}/a`, body: body('a', { stringData: { p: `${plant}3` } }) }, 500);
    await ask({ method: 'DELETE', path: `${path}/w` }, 200);
  }

  // A policy whose message could tell it tells only what it says; one that fails tells where.
  const matched = { resourceRules: [{ ...rule }] };
  const validations = [{ expression: "object.data['p'] == string(1 / 0)" }];
  const spec = { matchConstraints: matched, validations, failurePolicy: 'Fail' };
  await ask(
    { method: 'POST', path: `${webhooks}/validatingadmissionpolicies`, body: { metadata: { name: 'v' }, spec } },
    201,
  );
  const binding = { metadata: { name: 'v' }, spec: { policyName: 'v', validationActions: ['Deny', 'Audit'] } };
  await ask({ method: 'POST', path: `${webhooks}/validatingadmissionpolicybindings`, body: binding }, 201);
  for (let turn = 0; ; turn++) {
    const { code } = await send({ port, adminToken }, { method: 'POST', path: secrets, body: body(`p${turn}`) });
    if (code === 422) break;
    assert.ok(turn < 200);
    await systemClock.sleep(20);
  }
  await ask({ method: 'DELETE', path: `${webhooks}/validatingadmissionpolicybindings/v` }, 200);

  // A configuration that does not make sense, and a key that is gone.
  file('encryption.yaml', encryption(encoded));
  await systemClock.sleep(300);
  await server[Symbol.asyncDispose]();
  await using keyless = await start(file('other.yaml', encryption(randomBytes(32).toString('base64'))));
  await assert.rejects(start(file('wrong.yaml', encryption(encoded))), (error: Error) => {
    for (const needle of needles) assert.ok(!`${error}${error.stack}`.includes(needle), `${error}`);
    return true;
  });
  await ask({ path: `${secrets}/a` }, 500);
  await ask({ path: secrets }, 500);
  await ask({ method: 'PUT', path: `${secrets}/a`, body: body('a') }, 500);
  await ask({ method: 'DELETE', path: `${secrets}/a` }, 500);

  const events = await ask({ path: '/api/v1/events' }, 200);
  const metrics = await ask({ path: '/metrics' }, 200);
  await keyless[Symbol.asyncDispose]();
  const log = lines.join('');
  const audit = readFileSync(auditPath, 'utf8');
  assert.ok(lines.length > 3 && audit.includes('/secrets'), 'the logs are not blind');
  assert.match(audit, /patch: Invalid value: illegal base64/);
  for (const needle of [...needles, key]) {
    for (const [where, text] of Object.entries({ log, audit, events: events.text, metrics: metrics.text })) {
      const at = text.indexOf(needle);
      assert.equal(at, -1, `${needle} in the ${where}: …${text.slice(Math.max(0, at - 300), at + 100)}`);
    }
    // What a patch made is told to whoever made it, as the answer of one that succeeds does.
    const others = refusals.filter(({ text }) => !text.includes('patch: Invalid value'));
    for (const { text } of others) assert.ok(!text.includes(needle), `${needle} in a refusal: ${text.slice(0, 400)}`);
  }
});
