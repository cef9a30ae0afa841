/**
 * Definitions of custom resources and the resources themselves.
 * Upstream: test/e2e/apimachinery/{custom_resource_definition,crd_watch}.go.
 */
import assert from 'node:assert/strict';
import { ApiextensionsV1Api, CustomObjectsApi, KubernetesObjectApi, PatchStrategy } from '@kubernetes/client-node';
import { eventually } from '../support/kobune.ts';
import { define } from './support/definitions.ts';
import { assertContains, mergePatch } from './support/operations.ts';
import { refusal, row, useSubject } from './support/subject.ts';

const subject = useSubject();
const api = () => subject.api(ApiextensionsV1Api);

row(
  '[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] Simple CustomResourceDefinition creating/deleting custom resource definition objects works [Conformance]',
  async () => {
    const { crd, path } = await define(subject);
    const name = crd.metadata!.name!;
    assert.deepEqual(
      crd.status!.conditions!.map(({ type, status }) => `${type}=${status}`),
      ['NamesAccepted=True', 'Established=True'],
    );
    assert.deepEqual(crd.status!.storedVersions, ['v1']);
    await api().deleteCustomResourceDefinition({ name });
    await eventually('the definition is gone', () =>
      api()
        .readCustomResourceDefinition({ name })
        .then(
          () => undefined,
          () => true,
        ),
    );
    await eventually('it is served no more', async () =>
      (await subject.request('GET', path())).status === 404 ? true : undefined,
    );
  },
);

row(
  '[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] Simple CustomResourceDefinition listing custom resource definition objects works [Conformance]',
  async () => {
    const label = subject.unique('listed');
    const labelled = [];
    for (let at = 0; at < 10; at++) labelled.push(await define(subject, { labels: { of: label } }));
    await using other = await define(subject);
    const { items } = await api().listCustomResourceDefinition({ labelSelector: `of=${label}` });
    const expected = labelled.map(({ crd }) => [crd.metadata!.name!, crd.spec] as const);
    assert.deepEqual(new Map(items.map(item => [item.metadata!.name!, item.spec])), new Map(expected));
    await api().deleteCollectionCustomResourceDefinition({ labelSelector: `of=${label}` });
    await eventually('all of the collection are gone', async () => {
      const left = await api().listCustomResourceDefinition({ labelSelector: `of=${label}` });
      return left.items.length === 0 || undefined;
    });
    assert.ok(await api().readCustomResourceDefinition({ name: other.crd.metadata!.name! }));
  },
);

row(
  '[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] Simple CustomResourceDefinition getting/updating/patching custom resource definition status sub-resource works [Conformance]',
  async () => {
    await using definition = await define(subject);
    const name = definition.crd.metadata!.name!;
    const condition = (message: string) => ({ type: 'Tested', status: 'True', reason: 'Test', message });
    const read = await api().readCustomResourceDefinitionStatus({ name });
    assertContains(read.spec, definition.crd.spec);
    read.status!.conditions!.push(condition('replaced'));
    const replaced = await api().replaceCustomResourceDefinitionStatus({ name, body: read });
    assert.equal(replaced.status!.conditions!.at(-1)!.message, 'replaced');
    const conditions = [...definition.crd.status!.conditions!, condition('patched')];
    const body = { status: { conditions } };
    const patched = await api().patchCustomResourceDefinitionStatus({ name, body }, mergePatch);
    assert.equal(patched.status!.conditions!.at(-1)!.message, 'patched');
    const again = await api().readCustomResourceDefinition({ name });
    assert.equal(again.status!.conditions!.at(-1)!.message, 'patched');
  },
);

row(
  '[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] should include custom resource definition resources in discovery documents [Conformance]',
  async () => {
    const { groups } = await subject.get('/apis');
    const group = groups.find((each: any) => each.name === 'apiextensions.k8s.io');
    assert.ok(group?.versions.some((each: any) => each.groupVersion === 'apiextensions.k8s.io/v1'));
    assert.deepEqual((await subject.get('/apis/apiextensions.k8s.io')).versions, group.versions);
    const { resources } = await subject.get('/apis/apiextensions.k8s.io/v1');
    const names = resources.map((each: any) => each.name);
    assert.deepEqual(names, ['customresourcedefinitions', 'customresourcedefinitions/status']);
  },
);

row(
  '[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] custom resource defaulting for requests and from storage works [Conformance]',
  async () => {
    const properties = { a: { type: 'string' }, b: { type: 'string' } };
    await using definition = await define(subject, { schema: { type: 'object', properties } });
    const objects = KubernetesObjectApi.makeApiClient(subject.config);
    const { group, plural, crd } = definition;
    const custom = subject.api(CustomObjectsApi);
    const read = (name: string): Promise<any> => custom.getClusterCustomObject({ group, version: 'v1', plural, name });
    const change = async (operations: object[]): Promise<void> => {
      const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crd.metadata!.name}`;
      const headers = { 'content-type': PatchStrategy.JsonPatch };
      assert.equal((await subject.request('PATCH', path, { headers, body: operations })).status, 200);
    };
    const at = '/spec/versions/0/schema/openAPIV3Schema/properties';

    await objects.create(definition.object('before'));
    assert.equal((await read('before')).a, undefined);
    await change([{ op: 'add', path: `${at}/a/default`, value: 'A' }]);
    await eventually(
      'an object of before has the default when read',
      async () => ((await read('before')).a === 'A' ? true : undefined),
      5_000,
    );
    const created: any = await objects.create(definition.object('after'));
    assert.equal(created.a, 'A');
    await change([
      { op: 'remove', path: `${at}/a/default` },
      { op: 'add', path: `${at}/b/default`, value: 'B' },
    ]);
    await eventually('the other default shows', async () => ((await read('after')).b === 'B' ? true : undefined));
    assert.equal((await read('after')).a, 'A', 'what was stored stays');
    assert.equal((await read('before')).a, undefined, 'what was shown alone is gone');
  },
);

row(
  '[sig-api-machinery] CustomResourceDefinition Watch [Privileged:ClusterAdmin] CustomResourceDefinition Watch watch on custom resource definition objects [Conformance]',
  async () => {
    await using definition = await define(subject);
    const { group, plural } = definition;
    const custom = subject.api(CustomObjectsApi);
    const where = { group, version: 'v1', plural };
    const list: any = await custom.listClusterCustomObject(where);
    const watchOf = (name: string) =>
      subject.watch(definition.path(), {
        fieldSelector: `metadata.name=${name}`,
        resourceVersion: list.metadata.resourceVersion,
      });
    using first = await watchOf('first');
    using second = await watchOf('second');
    for (const [name, watch] of [
      ['first', first],
      ['second', second],
    ] as const) {
      const made: any = await custom.createClusterCustomObject({ ...where, body: definition.object(name) });
      assert.equal((await watch.next('ADDED')).metadata.uid, made.metadata.uid);
      const body = { content: 'changed' };
      await custom.patchClusterCustomObject({ ...where, name, body }, mergePatch);
      assert.equal((await watch.next('MODIFIED')).content, 'changed');
      await custom.deleteClusterCustomObject({ ...where, name });
      await watch.next('DELETED');
      await refusal(404, custom.getClusterCustomObject({ ...where, name }));
    }
    for (const watch of [first, second]) assert.equal(watch.seen.length, 3);
  },
);
