/**
 * The audit webhook of a server: what it is sent, and that a webhook that fails, hangs, talks nonsense, redirects or is
 * not there at all costs events, counted, and no request, unless the mode is strict.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AuditOptions, defaultAuditWebhookOptions } from '#apiserver';
import { systemClock } from '#base';
import { createAuthority } from '#pki';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { call, type LoggedEvent } from '../support/audit.ts';

const folder = mkdtempSync(join(tmpdir(), 'kobune-audit-webhook-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const nowMs = systemClock.now();
const authority = await createAuthority('webhooks', nowMs);
const serving = await authority.issue({
  commonName: 'webhook',
  dnsNames: ['localhost'],
  ipAddresses: ['127.0.0.1'],
  usages: ['server auth'],
  nowMs,
});

type WebhookOptions = NonNullable<AuditOptions['webhook']>;

interface EventList {
  readonly kind: string;
  readonly apiVersion: string;
  readonly items: readonly LoggedEvent[];
}

interface Receiver extends AsyncDisposable {
  readonly url: string;
  readonly lists: EventList[];
  readonly requests: Array<{ readonly method: string; readonly url: string; readonly authorization: string }>;
}

type Answer = (response: ServerResponse, request: IncomingMessage, text: string) => void;

const ok: Answer = response => void response.end();

async function receiver(answer: Answer = ok): Promise<Receiver> {
  const lists: EventList[] = [];
  const requests: Receiver['requests'] = [];
  const keys = { cert: serving.certPem, key: serving.keyPem };
  const server: Server = createServer(keys, (request, response) => {
    let text = '';
    request.on('data', part => {
      text += part;
    });
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      requests.push({ method, url, authorization: headers.authorization ?? '' });
      if (text !== '') lists.push(JSON.parse(text) as EventList);
      answer(response, request, text);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}`,
    lists,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

let files = 0;
function audited(url: string, more: Partial<WebhookOptions> = {}): { audit: AuditOptions } {
  const configFile = join(folder, `webhook-${++files}.yaml`);
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'c',
        cluster: {
          server: `${url}/events`,
          'certificate-authority-data': Buffer.from(authority.certPem).toString('base64'),
        },
      },
    ],
    users: [{ name: 'u', user: { token: 'secret' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
  writeFileSync(configFile, JSON.stringify(config));
  const webhook = { ...defaultAuditWebhookOptions, initialBackoffMs: 1, ...more, configFile };
  return { audit: { policy: { rules: [{ level: 'Metadata', users: ['admin'] }] }, log: undefined, webhook } };
}

const batch = (more: Partial<WebhookOptions['batch']>): Partial<WebhookOptions> => ({
  batch: { ...defaultAuditWebhookOptions.batch, ...more },
});

async function metric(server: TestApiServer, name: string): Promise<string | undefined> {
  const transport = server.transport();
  const response = await transport.request({ method: 'GET', path: '/metrics' });
  const parts: Uint8Array[] = [];
  for await (const part of response.bytes()) parts.push(part);
  const lines = Buffer.concat(parts).toString().split('\n');
  return lines.find(line => line.startsWith(`${name} `) || line.startsWith(`${name}{`))?.split(' ')[1];
}

async function until(what: string, fn: () => Promise<boolean> | boolean): Promise<void> {
  for (let left = 300; left > 0; left--) {
    if (await fn()) return;
    await sleep(10);
  }
  assert.fail(`never: ${what}`);
}

const errors = 'apiserver_audit_error_total';

test('batches of events, with the credentials of the file; what is left goes out when the server stops', async () => {
  await using hook = await receiver();
  {
    await using server = await startTestApiServer({ config: audited(hook.url, batch({ maxBatchSize: 4 })) });
    for (const id of ['1', '2', '3']) await call(server, { path: '/version', headers: { 'audit-id': id } });
    await until('the first batch', () => hook.lists.length === 1);
    assert.equal(hook.lists[0]!.items.length, 4);
  }
  assert.deepEqual([hook.lists[0]!.kind, hook.lists[0]!.apiVersion], ['EventList', 'audit.k8s.io/v1']);
  const told = hook.lists.flatMap(list => list.items.map(({ auditID, stage }) => `${auditID} ${stage}`));
  const stages = ['RequestReceived', 'ResponseComplete'];
  assert.deepEqual(
    told,
    ['1', '2', '3'].flatMap(id => stages.map(stage => `${id} ${stage}`)),
  );
  assert.deepEqual(hook.requests[0], {
    method: 'POST',
    url: '/events?timeout=30s',
    authorization: 'Bearer secret',
  });
});

test('a call that fails is made again, five times in all', async () => {
  let calls = 0;
  await using hook = await receiver(response => {
    calls++;
    response.statusCode = calls % 5 === 0 ? 200 : 403;
    response.end('no');
  });
  await using server = await startTestApiServer({ config: audited(hook.url, { mode: 'blocking' }) });
  assert.equal((await call(server, { path: '/version' })).status, 200);
  assert.equal(calls, 10, 'five for each of two events');
  assert.equal(await metric(server, errors), undefined);
});

const nonsense: ReadonlyArray<readonly [what: string, answer: Answer, lost: boolean]> = [
  ['an error', response => void response.writeHead(500).end('boom'), true],
  ['nonsense', response => void response.end('}{<html>'), false],
  ['10 MB', response => void response.end('x'.repeat(10 * 1024 * 1024)), false],
  ['nothing, and hangs up', response => void response.destroy(), true],
  ['a redirect to itself', response => void response.writeHead(307, { location: '/events' }).end(), true],
  [
    'a redirect to where nobody is',
    response => void response.writeHead(307, { location: 'https://127.0.0.1:1/' }).end(),
    true,
  ],
];

for (const [what, answer, lost] of nonsense) {
  test(`a webhook that answers ${what}: requests go on, lost events are counted`, async () => {
    await using hook = await receiver(answer);
    await using server = await startTestApiServer({ config: audited(hook.url, { mode: 'blocking' }) });
    assert.equal((await call(server, { path: '/version' })).status, 200);
    assert.equal(await metric(server, errors), lost ? '2' : undefined);
    assert.equal(await metric(server, 'apiserver_audit_event_total'), '2');
  });
}

test('a redirect is followed as Go does, the credentials are not taken to another host', async () => {
  await using other = await receiver();
  const elsewhere = other.url.replace('127.0.0.1', 'localhost');
  await using hook = await receiver(response => void response.writeHead(307, { location: `${elsewhere}/moved` }).end());
  await using server = await startTestApiServer({ config: audited(hook.url, { mode: 'blocking' }) });
  await call(server, { path: '/version' });
  assert.deepEqual(other.requests[0], { method: 'POST', url: '/moved', authorization: '' });
  assert.equal(other.lists[0]!.items.length, 1);
});

test('a webhook that hangs holds no request up in batch mode; what the buffer cannot hold is lost and counted', async () => {
  await using hook = await receiver(() => {});
  const options = batch({ maxBatchSize: 1, bufferSize: 4, throttle: undefined, isAsync: false });
  const server = await startTestApiServer({ config: audited(hook.url, options) });
  for (let n = 0; n < 10; n++) assert.equal((await call(server, { path: '/version' })).status, 200);
  assert.equal(hook.lists.length, 1, 'one batch is on its way, and stays there');
  const lost = Number(await metric(server, errors));
  assert.ok(lost >= 14 && lost <= 15, `${lost} of 20 events lost`);
  await hook[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

test('strict: without the webhook nothing is served, and it is said why', async () => {
  await using hook = await receiver(response => void response.writeHead(500).end());
  await using server = await startTestApiServer({ config: audited(hook.url, { mode: 'blocking-strict' }) });
  const path = '/api/v1/namespaces/default/configmaps?a=b&c=d';
  const body = { metadata: { name: 'never' } };
  const { status, text, headers } = await call(server, { method: 'POST', path, body, headers: { 'audit-id': 'mine' } });
  assert.equal(status, 500);
  assert.equal(
    text,
    'Internal Server Error: "/api/v1/namespaces/default/configmaps?a=b&amp;c=d": failed to store audit event\n',
  );
  assert.equal(headers['audit-id'], 'mine');
  assert.equal(await metric(server, 'apiserver_audit_requests_rejected_total'), '1');
  const found = server.transport().request({ method: 'GET', path: '/api/v1/namespaces/default/configmaps/never' });
  await assert.rejects(found, /not found/, 'what was refused was not done');
});

test('strict: who is not authenticated is refused as such', async () => {
  await using hook = await receiver(response => void response.writeHead(500).end());
  const { audit } = audited(hook.url, { mode: 'blocking-strict' });
  const config = {
    audit: { ...audit, policy: { rules: [{ level: 'Metadata' as const, nonResourceURLs: ['/version'] }] } },
  };
  await using server = await startTestApiServer({ config });
  assert.equal((await call(server, { path: '/version', token: 'wrong' })).status, 401);
  assert.equal((await call(server, { path: '/version' })).status, 500);
});

test('large events lose their objects', async () => {
  await using hook = await receiver();
  const truncate = { enabled: true, maxEventSizeBytes: 2000, maxBatchSizeBytes: 20_000 };
  const { audit } = audited(hook.url, { mode: 'blocking', truncate });
  const config = { audit: { ...audit, policy: { rules: [{ level: 'RequestResponse' as const, users: ['admin'] }] } } };
  await using server = await startTestApiServer({ config });
  const path = '/api/v1/namespaces/default/configmaps';
  await call(server, { method: 'POST', path, body: { metadata: { name: 'big' }, data: { a: 'x'.repeat(4000) } } });
  const [, complete] = hook.lists.flatMap(list => list.items);
  assert.equal(complete!.annotations?.['audit.k8s.io/truncated'], 'true');
  assert.deepEqual([complete!.requestObject, complete!.responseObject], [undefined, undefined]);
  assert.equal(complete!.responseStatus?.code, 201);
});
