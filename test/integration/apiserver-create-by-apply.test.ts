/** PUT and apply of what does not exist create it, which needs the right to create. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isStatusError } from '#apimachinery';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';

let server: TestApiServer;
const roles = '/apis/rbac.authorization.k8s.io/v1/namespaces/default';
const maps = '/api/v1/namespaces/default/configmaps';

async function grant(name: string, verbs: readonly string[]): Promise<void> {
  const admin = server.transport();
  const group = 'rbac.authorization.k8s.io';
  const rules = [{ apiGroups: ['', 'coordination.k8s.io'], resources: ['configmaps', 'leases'], verbs }];
  const role = { apiVersion: `${group}/v1`, kind: 'Role', metadata: { name }, rules };
  await admin.request({ method: 'POST', path: `${roles}/roles`, body: role });
  const subjects = [{ apiGroup: group, kind: 'User', name }];
  const roleRef = { apiGroup: group, kind: 'Role', name };
  const binding = { apiVersion: `${group}/v1`, kind: 'RoleBinding', metadata: { name }, roleRef, subjects };
  await admin.request({ method: 'POST', path: `${roles}/rolebindings`, body: binding });
}

before(async () => {
  server = await startTestApiServer();
  await grant('patcher', ['get', 'patch', 'update']);
  await grant('creator', ['get', 'patch', 'update', 'create']);
});
after(() => server[Symbol.asyncDispose]());

/** Answers the status code. */
async function apply(user: string, name: string, data: Record<string, string>): Promise<number> {
  const body = Buffer.from(JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data }));
  const headers = { 'content-type': 'application/apply-patch+yaml' };
  const query = [['fieldManager', user]] as const;
  try {
    const path = `${maps}/${name}`;
    return (await server.transport(user, []).request({ method: 'PATCH', path, query, headers, body })).status;
  } catch (error) {
    assert.ok(isStatusError(error));
    assert.match(error.message, /^configmaps "made" is forbidden: User "patcher" cannot create resource "configmaps"/);
    return error.status.code;
  }
}

test('apply', async () => {
  // RBAC is learned from a watch.
  for (let at = 0; (await apply('creator', 'other', {})) > 201; at++) assert.ok(at < 100);
  assert.equal(await apply('patcher', 'made', { a: '1' }), 403);
  assert.equal(await apply('creator', 'made', { a: '1' }), 201);
  assert.equal(await apply('patcher', 'made', { b: '2' }), 200);
});

test('PUT of a kind that it creates', async () => {
  const path = '/apis/coordination.k8s.io/v1/namespaces/default/leases/l';
  const body = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'l' } };
  const put = (user: string) => server.transport(user, []).request({ method: 'PUT', path, body });
  await assert.rejects(put('patcher'), /cannot create resource "leases"/);
  assert.equal((await put('creator')).status, 201);
});
