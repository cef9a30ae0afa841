/**
 * What is served, in both forms of discovery, and which version.
 * Upstream: test/e2e/apimachinery/{aggregated_discovery,discovery,server_version}.go.
 */
import assert from 'node:assert/strict';
import { ApisApi, CoreApi, VersionApi } from '@kubernetes/client-node';
import { eventually } from '../support/kobune.ts';
import { define } from './support/definitions.ts';
import { row, useSubject } from './support/subject.ts';

const subject = useSubject();
const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
/** As client-go asks: the newest form first, then what it can also read. */
const preferred = `${aggregated},application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json`;

/** A resource of each group that clients count on. */
const expected = `
 v1 namespaces
admissionregistration.k8s.io v1 validatingwebhookconfigurations
apiextensions.k8s.io v1 customresourcedefinitions
apiregistration.k8s.io v1 apiservices
apps v1 deployments
authentication.k8s.io v1 tokenreviews
authorization.k8s.io v1 selfsubjectaccessreviews
autoscaling v1 horizontalpodautoscalers
autoscaling v2 horizontalpodautoscalers
batch v1 jobs
certificates.k8s.io v1 certificatesigningrequests
coordination.k8s.io v1 leases
discovery.k8s.io v1 endpointslices
events.k8s.io v1 events
networking.k8s.io v1 ingresses
node.k8s.io v1 runtimeclasses
policy v1 poddisruptionbudgets
scheduling.k8s.io v1 priorityclasses
storage.k8s.io v1 csinodes`
  .trim()
  .split('\n')
  .map(line => line.split(' '))
  .map(words => (words.length === 2 ? ['', ...words] : words) as [string, string, string]);

/** Resources of an aggregated document, as `group/version/resource`. */
function resourcesOf(document: any): Set<string> {
  assert.equal(document.kind, 'APIGroupDiscoveryList');
  const found = new Set<string>();
  for (const { metadata, versions } of document.items) {
    for (const { version, resources } of versions) {
      for (const { resource } of resources) found.add(`${metadata.name ?? ''}/${version}/${resource}`);
    }
  }
  return found;
}

async function aggregatedResources(accept: string): Promise<Set<string>> {
  const documents = await Promise.all(['/api', '/apis'].map(path => subject.get(path, { accept })));
  return new Set(documents.flatMap(document => [...resourcesOf(document)]));
}

row(
  '[sig-api-machinery] AggregatedDiscovery should support raw aggregated discovery endpoint Accept headers [Conformance]',
  async () => {
    const found = await aggregatedResources(aggregated);
    for (const each of expected) assert.ok(found.has(each.join('/')), each.join('/'));
    const answer = await subject.request('GET', '/apis', { headers: { accept: aggregated } });
    assert.equal(answer.headers['content-type'], aggregated);
    assert.match(String(answer.headers['vary']), /Accept/);
    const etag = String(answer.headers['etag']);
    const again = await subject.request('GET', '/apis', { headers: { accept: aggregated, 'if-none-match': etag } });
    assert.deepEqual([again.status, again.text], [304, '']);
    assert.equal((await subject.get('/apis', { accept: 'application/json' })).kind, 'APIGroupList');
  },
);

row(
  '[sig-api-machinery] AggregatedDiscovery should support raw aggregated discovery request for CRDs [Conformance]',
  async () => {
    await using definition = await define(subject, { scope: 'Namespaced' });
    const name = `${definition.group}/v1/${definition.plural}`;
    await eventually(
      `${name} in discovery`,
      async () => resourcesOf(await subject.get('/apis', { accept: aggregated })).has(name) || undefined,
    );
  },
);

row('[sig-api-machinery] AggregatedDiscovery should support aggregated discovery interface [Conformance]', async () => {
  const found = await aggregatedResources(preferred);
  for (const each of expected) assert.ok(found.has(each.join('/')), each.join('/'));
  // What the document of all says is what each of its parts says.
  const core = await subject.get('/api', { accept: preferred });
  const { resources } = core.items[0].versions[0];
  const legacy = await subject.get('/api/v1');
  assert.deepEqual(
    resources.map((each: any) => each.resource).sort(),
    legacy.resources
      .map((each: any) => each.name)
      .filter((name: string) => !name.includes('/'))
      .sort(),
  );
});

row(
  '[sig-api-machinery] AggregatedDiscovery should support aggregated discovery interface for CRDs [Conformance]',
  async () => {
    await using definition = await define(subject, { scope: 'Namespaced', versions: ['v1', 'v2alpha1'] });
    const group = await eventually('the group in discovery', async () => {
      const { items } = await subject.get('/apis', { accept: preferred });
      return items.find((each: any) => each.metadata.name === definition.group);
    });
    assert.deepEqual(
      group.versions.map((each: any) => each.version),
      ['v1', 'v2alpha1'],
    );
    const [resource] = group.versions[0].resources;
    assert.equal(resource.scope, 'Namespaced');
    assert.equal(resource.responseKind.kind, definition.kind);
    assert.ok(resource.verbs.includes('deletecollection'));
  },
);

row('[sig-api-machinery] Discovery should validate PreferredVersion for each APIGroup [Conformance]', async () => {
  const { groups } = await subject.api(ApisApi).getAPIVersions();
  assert.ok(groups.length > 10);
  // Groups of other tests' definitions come and go.
  for (const { name } of groups.filter(each => !each.name.endsWith('.example.com'))) {
    const group = await subject.get(`/apis/${name}/`);
    const versions = group.versions.map((each: any) => each.groupVersion);
    assert.ok(versions.includes(group.preferredVersion.groupVersion), name);
  }
});

row(
  '[sig-api-machinery] Discovery should locate the groupVersion and a resource within each APIGroup [Conformance]',
  async () => {
    for (const [group, version, resource] of expected) {
      const groupVersion = group === '' ? version : `${group}/${version}`;
      const list = await subject.get(group === '' ? `/api/${version}` : `/apis/${groupVersion}`);
      assert.equal(list.kind, 'APIResourceList');
      assert.equal(list.groupVersion, groupVersion);
      assert.ok(
        list.resources.some((each: any) => each.name === resource),
        `${groupVersion} ${resource}`,
      );
    }
    assert.deepEqual((await subject.api(CoreApi).getAPIVersions()).versions, ['v1']);
  },
);

row('[sig-api-machinery] server version should find the server version [Conformance]', async () => {
  const version = await subject.api(VersionApi).getCode();
  assert.match(version.major, /^[1-9]$/);
  assert.match(version.minor, /^[0-9]+\+?$/);
});
