/** What becomes of the default roles and bindings of a store when a server starts on it again. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemClock } from '#base';
import { createMemoryStore } from '#storage';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { eventually } from '../support/eventually.ts';
import { type Sent, send } from '../support/http.ts';

const group = '/apis/rbac.authorization.k8s.io/v1';

interface Stored {
  readonly rules?: ReadonlyArray<{ readonly verbs: readonly string[] }>;
  readonly subjects?: ReadonlyArray<{ readonly kind: string; readonly name: string }>;
  readonly metadata: { readonly resourceVersion: string };
}

async function get(server: TestApiServer, path: string): Promise<Stored> {
  return JSON.parse((await send(server, { path: `${group}/${path}` })).text) as Stored;
}

async function patch(server: TestApiServer, path: string, body: object): Promise<void> {
  const headers = { 'content-type': 'application/merge-patch+json' };
  const { code, text } = await send(server, { method: 'PATCH', path: `${group}/${path}`, headers, body });
  assert.equal(code, 200, text);
}

/** Authorizers follow the store by a watch. */
async function eventuallyAllowed(server: TestApiServer, sent: Sent): Promise<void> {
  await eventually('the binding holds', async () => ((await send(server, sent)).code === 200 ? true : undefined));
}

describe('the default policy in a store that was there', () => {
  it('binds to public information whom discovery was bound to, where there was no such binding yet', async () => {
    const store = createMemoryStore({ clock: systemClock });
    const subjects = [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'guest' }];
    const metadata = { annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'false', a: 'b' } };
    const viewer = 'clusterrolebindings/system:public-info-viewer';
    await (async () => {
      await using server = await startTestApiServer({ store });
      await patch(server, 'clusterrolebindings/system:discovery', { metadata, subjects });
      assert.equal((await send(server, { method: 'DELETE', path: `${group}/${viewer}` })).code, 200);
    })();
    await using server = await startTestApiServer({ store });
    const made = await get(server, viewer);
    assert.deepEqual(made.subjects, subjects);
    assert.equal((made.metadata as { annotations?: Record<string, string> }).annotations?.['a'], 'b');
  });

  it('is completed where it lacks something, and left alone where it is told to be', async () => {
    const store = createMemoryStore({ clock: systemClock });
    const untouched = await (async () => {
      await using server = await startTestApiServer({ store });
      await patch(server, 'clusterroles/system:basic-user', { rules: [] });
      await patch(server, 'clusterroles/system:discovery', {
        metadata: { annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'false' } },
        rules: [],
      });
      await patch(server, 'clusterrolebindings/system:basic-user', {
        subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'guest' }],
      });
      const gone = { method: 'DELETE', path: `${group}/clusterroles/view` };
      assert.equal((await send(server, gone)).code, 200);
      return await get(server, 'clusterroles/edit');
    })();
    await using server = await startTestApiServer({ store });
    assert.equal((await get(server, 'clusterroles/system:basic-user')).rules?.length, 3);
    assert.deepEqual((await get(server, 'clusterroles/system:discovery')).rules ?? [], []);
    const { subjects } = await get(server, 'clusterrolebindings/system:basic-user');
    assert.deepEqual(
      subjects?.map(({ name }) => name),
      ['guest', 'system:authenticated'],
    );
    assert.equal((await send(server, { path: `${group}/clusterroles/view` })).code, 200);
    assert.equal(
      (await get(server, 'clusterroles/edit')).metadata.resourceVersion,
      untouched.metadata.resourceVersion,
      'what lacks nothing is not written',
    );
    await server[Symbol.asyncDispose]();
    await store.close();
  });

  it('no longer binds all nodes to the rights of a node, unless somebody wants it so', async () => {
    const store = createMemoryStore({ clock: systemClock });
    const all = [{ kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'system:nodes' }];
    const node = { as: 'system:node:a', groups: ['system:nodes', 'system:authenticated'] };
    const secrets = { path: '/api/v1/secrets', ...node };
    {
      await using server = await startTestApiServer({ store });
      // As the early versions left it: written once, by the server itself, without owners of its fields.
      const key = '/registry/clusterrolebindings/system:node';
      const { kv } = await store.get(key);
      const binding = { ...JSON.parse(Buffer.from(kv!.value).toString()), subjects: all };
      delete binding.metadata.managedFields;
      await store.txn([], [{ type: 'delete', key }]);
      await store.txn([], [{ type: 'put', key, value: Buffer.from(JSON.stringify(binding)) }]);
      await eventuallyAllowed(server, secrets);
    }
    {
      await using server = await startTestApiServer({ store });
      assert.deepEqual((await get(server, 'clusterrolebindings/system:node')).subjects ?? [], []);
      assert.equal((await send(server, secrets)).code, 403);
      await patch(server, 'clusterrolebindings/system:node', { subjects: all });
    }
    await using server = await startTestApiServer({ store });
    await eventuallyAllowed(server, secrets);
    await server[Symbol.asyncDispose]();
    await store.close();
  });
});
