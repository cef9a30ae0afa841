/**
 * One etcd, the original and ours: each kind that the recorded bases have is written by one and read by the other, equal
 * in every field; an update that changes nothing leaves alone what the other wrote.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { KubeObject } from '#apimachinery';
import { systemClock } from '#base';
import { openEtcdStore } from '#storage';
import { referenceFolder } from '../reference.ts';
import { startTestApiServer } from '../support/api-server.ts';
import { etcdMissing, startEtcd } from '../support/etcd.ts';
import { startUpstream, upstreamMissing } from '../support/upstream.ts';

interface Base {
  /** Of the collection, with `${ns}`. */
  readonly path: string;
  readonly object: KubeObject;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

type Ask = (method: string, path: string, body?: unknown) => Promise<Answer>;

const reference = referenceFolder();
const missing =
  etcdMissing() ?? upstreamMissing() ?? (reference ? undefined : 'no reference data beside the repository');

test('the original and ours read what the other wrote, kind by kind', missing ? { skip: missing } : {}, async t => {
  const bases = JSON.parse(readFileSync(join(reference!, 'oracle', 'bases.json'), 'utf8')) as Record<string, Base>;
  await using etcd = await startEtcd(1);
  await using upstream = await startUpstream(etcd.endpoints);
  const store = await openEtcdStore({ endpoints: etcd.endpoints, clock: systemClock });
  t.after(() => store.close());
  const protobuf = { storageMediaType: 'application/vnd.kubernetes.protobuf' } as const;
  await using server = await startTestApiServer({ store, config: protobuf });
  const transport = server.transport();
  const theirs: Ask = (method, path, body) => upstream.request(method, path, body);
  const ours: Ask = async (method, path, body) => {
    try {
      const request = { method: method as 'GET', path, ...(body !== undefined && { body: body as object }) };
      return { status: 200, body: await (await transport.request(request)).json() };
    } catch (error) {
      const { status } = error as { status?: { code: number } };
      if (!status) throw error;
      return { status: status.code, body: status };
    }
  };
  const namespaces: Record<string, string> = { theirs: 'made-by-theirs', ours: 'made-by-ours' };
  for (const name of Object.values(namespaces)) {
    await theirs('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } };
    await theirs('POST', `/api/v1/namespaces/${name}/serviceaccounts`, account);
  }

  const nodePort = { ports: [{ port: 80, nodePort: 30123 }], type: 'NodePort' };
  const service = (name: string) => ({ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: nodePort });
  await theirs('POST', '/api/v1/namespaces/default/services', service('theirs'));
  {
    await using late = await startTestApiServer({ store, config: protobuf });
    const request = { method: 'POST', path: '/api/v1/namespaces/default/services', body: service('ours') } as const;
    await assert.rejects(late.transport().request(request), /provided port is already allocated/);
  }

  const both = { theirs: [theirs, ours], ours: [ours, theirs] } as const;
  const problems: string[] = [];
  const kinds = new Set<string>();
  for (const [name, { path: collection, object }] of Object.entries(bases)) {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: as the bases have it
    const placeholder = '${ns}';
    for (const [by, [writer, reader]] of Object.entries(both)) {
      const path = collection.replace(placeholder, namespaces[by]!);
      const made = (await writer('POST', path, replaced(object, placeholder, namespaces[by]!))) as {
        status: number;
        body: KubeObject;
      };
      // Some kinds are not served by default, some bases make what is there already.
      if (made.status >= 300 || made.body.metadata?.name === undefined) continue;
      const own = `${path}/${made.body.metadata.name}`;
      // Controllers of either server may write in between.
      let [shown, seen] = [await writer('GET', own), await reader('GET', own)];
      for (let turn = 0; turn < 10 && versionOf(shown) !== versionOf(seen); turn++)
        [shown, seen] = [await writer('GET', own), await reader('GET', own)];
      if (shown.status !== 200) continue; // a review or a token: nothing is stored
      try {
        // Two servers tell a definition's status at the same time.
        if (object.kind === 'CustomResourceDefinition') {
          const specs = [seen, shown].map(({ body }) => (body as KubeObject)['spec']);
          assert.deepEqual(specs[0], specs[1]);
          kinds.add(object.kind);
          continue;
        }
        assert.deepEqual(seen, { status: 200, body: shown.body });
        kinds.add(`${object.apiVersion} ${object.kind}`);
        const again = (await ours('PUT', own, seen.body)) as { status: number; body: KubeObject };
        if (by === 'theirs' && again.status === 200 && object.kind !== 'Event')
          assert.equal(
            again.body.metadata.resourceVersion,
            (seen.body as KubeObject).metadata.resourceVersion,
            'an update that changes nothing wrote',
          );
      } catch (error) {
        problems.push(`${name} written by ${by}: ${(error as Error).message.slice(0, 900)}`);
      }
      await theirs('DELETE', own, { gracePeriodSeconds: 0 });
    }
  }
  assert.deepEqual(problems, []);
  assert.ok(kinds.size > 55, `${kinds.size} kinds`);
  t.diagnostic(`${kinds.size} kinds`);
});

const versionOf = ({ body }: Answer): string | undefined => (body as KubeObject).metadata?.resourceVersion;

function replaced(object: KubeObject, placeholder: string, text: string): KubeObject {
  return JSON.parse(JSON.stringify(object).replaceAll(placeholder, text)) as KubeObject;
}
