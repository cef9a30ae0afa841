/** The audit log of a server over HTTPS: what is told of whom, at which stage and level, and what callers can do to it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type ApiServerConfig, defaultAuditLogOptions, readAuditPolicyFile } from '#apiserver';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { type Call, call, eventsIn, eventsOf, type LoggedEvent } from '../support/audit.ts';

const folder = mkdtempSync(join(tmpdir(), 'kobune-audit-'));
const log = join(folder, 'logs', 'audit.log');
const maps = '/api/v1/namespaces/default/configmaps';

const policy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitManagedFields: true
rules:
- level: None
  userGroups: [system:serviceaccounts]
- level: Metadata
  omitStages: [RequestReceived]
  resources: [{ resources: [secrets, configmaps/status, serviceaccounts/token] }]
- level: Request
  verbs: [patch]
- level: RequestResponse
  omitManagedFields: false
  resources: [{ resources: [namespaces] }]
- level: RequestResponse
`;

function auditConfig(): Pick<ApiServerConfig, 'audit'> {
  const path = join(folder, 'policy.yaml');
  writeFileSync(path, policy);
  const rules = readAuditPolicyFile(path, text => assert.fail(text));
  return { audit: { policy: rules, log: { ...defaultAuditLogOptions, path: log }, webhook: undefined } };
}

let server: TestApiServer;
before(async () => {
  server = await startTestApiServer({ config: auditConfig() });
});
after(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

let made = 0;
async function told(what: Call, count: number): Promise<readonly LoggedEvent[]> {
  const id = `test-${++made}`;
  const answer = await call(server, { ...what, headers: { 'audit-id': id, ...what.headers } });
  assert.equal(answer.headers['audit-id'], id, 'the id that the client gave comes back');
  return eventsOf(log, id, count);
}

const stages = (events: readonly LoggedEvent[]): string[] => events.map(({ stage }) => stage);

test('a write is told when it comes and when it is answered, with what was sent and what became of it', async () => {
  const body = { metadata: { name: 'a', uid: 'mine' }, data: { k: '<v>' } };
  const events = await told({ method: 'POST', path: maps, body, headers: { 'user-agent': 'me/1' } }, 2);
  assert.deepEqual(stages(events), ['RequestReceived', 'ResponseComplete']);
  const [received, complete] = events as [LoggedEvent, LoggedEvent];
  assert.equal(received.requestObject, undefined);
  const { metadata, ...rest } = complete.responseObject as { metadata: Record<string, unknown> };
  assert.deepEqual(rest, { kind: 'ConfigMap', apiVersion: 'v1', data: { k: '<v>' } });
  assert.equal(metadata['managedFields'], undefined, 'the policy leaves field owners out');
  assert.deepEqual(complete.requestObject, { kind: 'ConfigMap', apiVersion: 'v1', ...body });
  assert.deepEqual(complete.objectRef, {
    resource: 'configmaps',
    namespace: 'default',
    name: 'a',
    uid: 'mine',
    apiVersion: 'v1',
  });
  assert.equal(complete.user.username, 'admin');
  assert.equal(complete.userAgent, 'me/1');
  assert.deepEqual(complete.sourceIPs, ['127.0.0.1']);
  assert.equal(complete.responseStatus?.code, 201);
  assert.deepEqual(complete.annotations, {
    'authorization.k8s.io/decision': 'allow',
    'authorization.k8s.io/reason': '',
  });
});

test('each level tells what it may: metadata no bodies, request no answer', async () => {
  const body = { metadata: { name: 's' }, stringData: { password: 'hidden' } };
  const secret = await told({ method: 'POST', path: '/api/v1/namespaces/default/secrets', body }, 1);
  assert.deepEqual(stages(secret), ['ResponseComplete']);
  assert.equal(JSON.stringify(secret).includes('hidden'), false);
  assert.equal(secret[0]!.objectRef?.['name'], 's');
  const headers = { 'content-type': 'application/merge-patch+json' };
  const patch = await told({ method: 'PATCH', path: `${maps}/a`, body: '{ "data": { "k": "2" } }', headers }, 2);
  assert.deepEqual(patch[1]!.requestObject, { data: { k: '2' } });
  assert.equal(patch[1]!.responseObject, undefined);
  const namespace = await told({ path: '/api/v1/namespaces/kube-system' }, 2);
  assert.equal(namespace[1]!.responseObject?.kind, 'Namespace');
});

test('a token that is issued is found by its id and not in the log', async () => {
  const account = { metadata: { name: 'robot' } };
  await call(server, { method: 'POST', path: '/api/v1/namespaces/default/serviceaccounts', body: account });
  const path = '/api/v1/namespaces/default/serviceaccounts/robot/token';
  const [event] = await told({ method: 'POST', path, body: { spec: {} } }, 1);
  assert.match(event!.annotations!['authentication.kubernetes.io/issued-credential-id']!, /^JTI=[0-9a-f-]{36}$/);
  assert.equal(event!.responseObject, undefined);
});

test('lists are told as JSON, in whatever encoding and form they are sent', async () => {
  const accepts = ['application/json', 'application/vnd.kubernetes.protobuf', 'application/yaml'];
  const items: unknown[] = [];
  for (const accept of accepts) {
    const events = await told({ path: maps, headers: { accept } }, 2);
    assert.equal(events[1]!.responseObject?.kind, 'ConfigMapList', accept);
    items.push(events[1]!.responseObject!['items']);
  }
  assert.deepEqual(items[1], items[0]);
  assert.deepEqual(items[2], items[0]);
  const table = await told({ path: maps, headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } }, 2);
  assert.equal(table[1]!.responseObject?.kind, 'Table');
  assert.equal(JSON.stringify(table[1]).includes('managedFields'), false);
});

test('a watch is told when it starts and when it ends, by itself or because its client went away', async () => {
  const events = await told({ path: `${maps}?watch=1&timeoutSeconds=1` }, 3);
  assert.deepEqual(stages(events), ['RequestReceived', 'ResponseStarted', 'ResponseComplete']);
  assert.equal(events[1]!.verb, 'watch');
  assert.equal(events[1]!.responseStatus?.code, 200);
  const gone = new AbortController();
  const transport = server.transport();
  const headers = { 'audit-id': 'gone' };
  const response = await transport.request({
    method: 'GET',
    path: maps,
    query: [['watch', '1']],
    headers,
    signal: gone.signal,
  });
  const reading = response.events()[Symbol.asyncIterator]().next();
  assert.deepEqual(stages(await eventsOf(log, 'gone', 2)), ['RequestReceived', 'ResponseStarted']);
  gone.abort();
  await reading.catch(() => {});
  assert.deepEqual(stages(await eventsOf(log, 'gone', 3)).slice(2), ['ResponseComplete']);
});

test('who is refused is told, with why, and so is who is nobody', async () => {
  const anonymous = await told({ path: maps, token: '' }, 2);
  assert.equal(anonymous[1]!.user.username, 'system:anonymous');
  assert.equal(anonymous[1]!.responseStatus?.code, 403);
  assert.equal(anonymous[1]!.annotations!['authorization.k8s.io/decision'], 'forbid');
  assert.equal(anonymous[1]!.responseObject?.kind, 'Status');
  const unknown = await told({ path: maps, token: 'wrong' }, 1);
  assert.deepEqual(stages(unknown), ['ResponseStarted']);
  assert.deepEqual(unknown[0]!.user, {});
  assert.equal(unknown[0]!.responseStatus?.code, 401);
  const deadline = await told({ path: `${maps}?timeout=never` }, 1);
  assert.deepEqual(stages(deadline), ['ResponseStarted']);
  assert.equal(deadline[0]!.responseStatus?.code, 400);
});

test('acting as somebody else shows both', async () => {
  const events = await told({ path: maps, headers: { 'impersonate-user': 'jane' } }, 2);
  assert.equal(events[0]!.impersonatedUser, undefined);
  assert.deepEqual([events[1]!.user.username, events[1]!.impersonatedUser?.username], ['admin', 'jane']);
  assert.equal(events[1]!.responseStatus?.reason, 'Forbidden');
});

test('what callers say of themselves is kept apart from what is known, and within bounds', async () => {
  const headers = {
    'x-forwarded-for': '192.0.2.7, nonsense, 2001:DB8:0::1',
    'x-real-ip': '198.51.100.1',
    'user-agent': `${'a'.repeat(2000)}`,
  };
  const [event] = await told({ path: '/version', headers }, 2);
  assert.deepEqual(event!.sourceIPs, ['192.0.2.7', '2001:db8::1', '198.51.100.1', '127.0.0.1']);
  assert.equal(event!.userAgent, `${'a'.repeat(1024)}...TRUNCATED`);
  assert.equal(event!.objectRef, undefined);
});

test('no caller can break a line of the log or end it', async () => {
  const before = eventsIn(log).length;
  const path = `${maps}?fieldSelector=%0A%22%7D&x=\u00e9"}`;
  await told({ path, headers: { 'user-agent': '"}\t{\\' } }, 2);
  const body = '{"data":{"k":"\\u2028\\n\\u0000</script>"}}';
  await told(
    { method: 'PATCH', path: `${maps}/a`, body, headers: { 'content-type': 'application/merge-patch+json' } },
    2,
  );
  const yaml = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata: {"x": "1\\n}"}\n';
  const apply = { 'content-type': 'application/apply-patch+yaml' };
  const applied = await told({ method: 'PATCH', path: `${maps}/b?fieldManager=m`, body: yaml, headers: apply }, 2);
  assert.deepEqual((applied[1]!.requestObject as { data?: object }).data, { x: '1\n}' });
  const broken = await told({ method: 'PATCH', path: `${maps}/b?fieldManager=m`, body: '{"a":', headers: apply }, 2);
  assert.equal(broken[1]!.requestObject, undefined, 'what is no JSON is left out, its request is not');
  assert.ok(eventsIn(log).length >= before + 8);
});

test('an id that the client does not give is made', async () => {
  const { headers } = await call(server, { path: '/version' });
  assert.match(String(headers['audit-id']), /^[0-9a-f-]{36}$/);
  assert.equal((await eventsOf(log, String(headers['audit-id']), 2)).length, 2);
});

test('components of this process are told of as well', async () => {
  const transport = server.transport('system:kube-scheduler', []);
  const headers = { 'audit-id': 'inside' };
  await transport.request({ method: 'GET', path: '/version', headers });
  const events = await eventsOf(log, 'inside', 2);
  assert.deepEqual([events[1]!.user.username, events[1]!.sourceIPs], ['system:kube-scheduler', ['127.0.0.1']]);
});

test('metrics count events by level', async () => {
  const account = server.transport('system:serviceaccount:kube-system:x', ['system:serviceaccounts']);
  await account.request({ method: 'GET', path: '/version' });
  const { text } = await call(server, { path: '/metrics' });
  assert.match(text, /^apiserver_audit_event_total \d+$/m);
  assert.match(text, /^apiserver_audit_level_total\{level="RequestResponse"\} \d+$/m);
  assert.match(text, /^apiserver_audit_level_total\{level="None"\} \d+$/m);
  assert.match(text, /^apiserver_audit_requests_rejected_total 0$/m);
  assert.doesNotMatch(text, /^apiserver_audit_error_total/m);
});
