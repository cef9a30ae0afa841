/**
 * Lists in pages, and what cannot be shown as a table.
 * Upstream: test/e2e/apimachinery/{chunking,table_conversion}.go.
 */
import assert from 'node:assert/strict';
import { CoreV1Api } from '@kubernetes/client-node';
import { startTestApiServer } from '../support/api-server.ts';
import { row, useSubject } from './support/subject.ts';

const subject = useSubject();
const total = 200;
const nameOf = (index: number): string => `template-${String(index).padStart(4, '0')}`;
const template = (name: string) => ({
  metadata: { name },
  template: { spec: { containers: [{ name: 'one', image: 'none' }] } },
});

row(
  '[sig-api-machinery] Servers with support for API chunking should return chunks of results for list calls [Conformance]',
  async () => {
    const core = subject.api(CoreV1Api);
    const namespace = await subject.namespace();
    for (let index = 0; index < total; index++) {
      await core.createNamespacedPodTemplate({ namespace, body: template(nameOf(index)) });
    }
    const names: string[] = [];
    let revision: string | undefined;
    let _continue: string | undefined;
    do {
      const list = await core.listNamespacedPodTemplate({ namespace, limit: 17, ...(_continue && { _continue }) });
      assert.ok(list.items.length <= 17);
      revision ??= list.metadata!.resourceVersion!;
      assert.equal(list.metadata!.resourceVersion, revision, 'all pages are of one revision');
      names.push(...list.items.map(item => item.metadata!.name!));
      _continue = list.metadata!._continue;
      assert.equal(list.metadata!.remainingItemCount, _continue ? total - names.length : undefined);
      // What is made between two pages is in none of them.
      if (names.length === 17) await core.createNamespacedPodTemplate({ namespace, body: template('template-0050-a') });
    } while (_continue);
    assert.deepEqual(
      names,
      Array.from({ length: total }, (_, index) => nameOf(index)),
    );
    const all = await core.listNamespacedPodTemplate({ namespace, limit: total + 2 });
    assert.equal(all.items.length, total + 1);
    assert.equal(all.metadata!._continue, undefined);
  },
);

row(
  '[sig-api-machinery] Servers with support for API chunking should support continue listing from the last key if the original version has been compacted away, though the list is inconsistent [Slow] [Conformance]',
  async () => {
    // Upstream waits for the five minutes of a compaction; here the store is told.
    await using server = await startTestApiServer();
    const transport = server.transport();
    const path = '/api/v1/namespaces/default/podtemplates';
    const create = (index: number) => transport.request({ method: 'POST', path, body: template(nameOf(index)) });
    const list = async (query: ReadonlyArray<readonly [string, string]>): Promise<any> => {
      const answer = await transport
        .request({ method: 'GET', path, query: [['limit', '10'], ...query] as never })
        .catch(error => error);
      return answer instanceof Error ? (answer as any).status : answer.json();
    };
    for (let index = 0; index < 40; index++) await create(index);
    const first = await list([]);
    assert.equal(first.items.length, 10);
    await transport.request({ method: 'DELETE', path: `${path}/${nameOf(15)}` });
    await create(40);
    await server.store.compact(await server.store.currentRevision());

    const gone = await list([['continue', first.metadata.continue]]);
    assert.equal(gone.code, 410);
    assert.equal(gone.reason, 'Expired');
    const names = first.items.map((item: any) => item.metadata.name);
    let token = gone.metadata.continue;
    assert.ok(token, 'the refusal holds a token for the rest');
    let revision: string | undefined;
    do {
      const next = await list([['continue', token]]);
      revision ??= next.metadata.resourceVersion;
      assert.notEqual(revision, first.metadata.resourceVersion);
      assert.equal(next.metadata.resourceVersion, revision, 'the rest is consistent in itself');
      names.push(...next.items.map((item: any) => item.metadata.name));
      token = next.metadata.continue;
    } while (token);
    const expected = Array.from({ length: 41 }, (_, index) => nameOf(index)).filter(name => name !== nameOf(15));
    assert.deepEqual(names, expected);
  },
);

row(
  '[sig-api-machinery] Servers with support for Table transformation should return a 406 for a backend which does not implement metadata [Conformance]',
  async () => {
    const answer = await subject.request('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
      headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
      body: {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: { nonResourceAttributes: { path: '/', verb: 'get' } },
      },
    });
    assert.equal(answer.status, 406);
    assert.equal(answer.json().reason, 'NotAcceptable');
    const table = await subject.get('/api/v1/namespaces', { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' });
    assert.equal(table.kind, 'Table');
  },
);
