import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { builtinGroups } from '#api/discovery';
import type { EndpointSlice, Service } from '#api/types';
import type { KubeObject } from '#apimachinery';
import { user } from '../authentication/user.ts';
import { registeredService, sortedGroups } from './api-services.ts';
import { authenticationData } from './authentication-info.ts';
import { endpointsProblem } from './availability.ts';
import { isAggregatedType, readLegacy } from './discovered.ts';
import { identityHeaders } from './identity-headers.ts';
import { aggregatedGroups, legacyGroups } from './merged-groups.ts';
import { filterSpec, mergeSpec } from './openapi/merge-specs.ts';
import { builtinServices, registrationAction, type WantedService, wantedObject } from './registration.ts';

const wanted: WantedService = { group: 'g', version: 'v1', priority: [1000, 100], management: 'true' };
const stored = (from: WantedService, change: (object: KubeObject) => object = object => object) =>
  registeredService(change(wantedObject(from) as KubeObject) as KubeObject);

describe('registration of APIServices', () => {
  const current = stored(wanted);
  const other = stored(wanted, object => ({ ...object, spec: { group: 'g', version: 'v1', versionPriority: 1 } }));
  const foreign = stored(wanted, object => ({ ...object, metadata: { name: 'v1.g' } }));
  const once: WantedService = { ...wanted, management: 'onstart' };
  const startup = stored(once);
  const state = { wanted: undefined, current: undefined, atStart: false, synced: false };
  const table = [
    ['nothing wanted, nothing there', {}, 'nothing'],
    ['wanted, not there', { wanted }, 'create'],
    ['wanted always, not there again', { wanted, synced: true }, 'create'],
    ['wanted at start, gone later', { wanted: once, synced: true }, 'nothing'],
    ['as it should be', { wanted, current }, 'nothing'],
    ['changed', { wanted, current: other }, 'update'],
    ['somebody else wrote it', { wanted, current: foreign }, 'nothing'],
    ['not wanted any more', { current, synced: true }, 'delete'],
    ['left by an older server', { current: startup, atStart: true }, 'delete'],
    ["another server's, made since", { current: startup }, 'nothing'],
  ] as const;
  for (const [what, more, action] of table) {
    it(`${what}: ${action}`, () => assert.equal(registrationAction({ ...state, ...more }), action));
  }
});

describe('groups of discovery', () => {
  const builtin = builtinGroups();
  const groups = builtin.map(({ name, versions }) => ({ name, versions: versions.map(each => each.version) }));
  const services = builtinServices({ groups }).map(each => stored(each));
  const names = (all: readonly { readonly name: string }[]): string[] => all.map(each => each.name);

  it('are those that are built in, in their order, where there are no others', () => {
    const sources = { builtin, custom: [], registered: sortedGroups(services), seen: () => undefined };
    assert.deepEqual(names(legacyGroups(sources)), names(builtin));
    assert.deepEqual(names(aggregatedGroups(sources)), names(builtin));
    assert.deepEqual(aggregatedGroups(sources), builtin);
  });

  it('stand by their priority, with what has been seen of them', () => {
    const made = (group: string, version: string, priority: readonly [number, number]) =>
      stored({ ...wanted, group, version, priority }, object => ({
        ...object,
        spec: { ...(object['spec'] as object), service: { namespace: 'n', name: 's' } },
      }));
    const remote = [
      made('first.test', 'v1', [19000, 5]),
      made('first.test', 'v2beta1', [10, 9]),
      made('z.test', 'v1', [1, 1]),
    ];
    const resources = [{ resource: 'things' }];
    const seen = (name: string) =>
      name === 'v1.z.test'
        ? undefined
        : { version: 'v1', resources: [], verbatim: { version: 'v1', resources } as never };
    const sources = { builtin, custom: [], registered: sortedGroups([...services, ...remote]), seen };
    const legacy = legacyGroups(sources);
    assert.deepEqual(names(legacy).slice(0, 4), ['', 'apiregistration.k8s.io', 'first.test', 'apps']);
    assert.equal(legacy.at(-1)!.name, 'z.test');
    assert.deepEqual(
      legacy[2]!.versions.map(each => each.version),
      ['v2beta1', 'v1'],
    );
    const aggregated = aggregatedGroups(sources);
    assert.deepEqual(names(aggregated).slice(0, 4), ['', 'apiregistration.k8s.io', 'first.test', 'apps']);
    assert.ok(!names(aggregated).includes('z.test'), 'it has not been asked yet');
    assert.equal(aggregated[2]!.versions[0]!.verbatim!.resources![0]!.resource, 'things');
  });

  it('are read from legacy documents, subresources with their parents', () => {
    const list = {
      resources: [
        { name: 'a/status', singularName: '', namespaced: true, kind: 'A', verbs: ['get'] },
        { name: 'a', singularName: 'a', namespaced: true, kind: 'A', verbs: ['get'] },
        { name: 'b/x', singularName: '', namespaced: false, kind: '', verbs: [] },
      ],
    };
    const { resources = [] } = readLegacy(Buffer.from(JSON.stringify(list)), 'v1');
    assert.deepEqual(
      resources.map(each => [each.resource, each.subresources?.[0]?.subresource]),
      [
        ['a', 'status'],
        ['b', 'x'],
      ],
    );
    const wrong = { resources: [list.resources[1], { ...list.resources[0], namespaced: false }] };
    assert.throws(() => readLegacy(Buffer.from(JSON.stringify(wrong)), 'v1'), /scope do not match/);
    assert.ok(isAggregatedType('application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList'));
    assert.ok(!isAggregatedType('application/json'));
  });
});

describe('availability', () => {
  const at = { namespace: 'n', name: 's', port: 443 };
  const service = (type: string, port = 443) =>
    ({ spec: { type, ports: [{ port, name: 'https' }] } }) as unknown as Service;
  const slice = (ready: boolean | undefined, name = 'https') =>
    ({
      endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready } }],
      ports: [{ name, port: 1 }],
    }) as unknown as EndpointSlice;
  const table = [
    ['no Service', undefined, [], 'ServiceNotFound'],
    ['another port', service('ClusterIP', 80), [], 'ServicePortError'],
    ['no slices', service('ClusterIP'), [], 'EndpointsNotFound'],
    ['none ready', service('ClusterIP'), [slice(false)], 'MissingEndpoints'],
    ['none of the port', service('ClusterIP'), [slice(true, 'http')], 'MissingEndpoints'],
    ['readiness unknown', service('ClusterIP'), [slice(undefined)], undefined],
    ['elsewhere', service('ExternalName', 80), [], undefined],
  ] as const;
  for (const [what, found, slices, reason] of table) {
    it(`${what}: ${reason ?? 'can be asked'}`, () => assert.equal(endpointsProblem(at, found, slices)?.reason, reason));
  }
});

describe('identity headers', () => {
  it('hold whatever a user has, in names that headers can have', () => {
    const who = user('jürgen', ['a', 'b'], { uid: 'u', extra: { 'example.com/Scope %': ['x', 'y'] } });
    assert.deepEqual(identityHeaders(who), {
      'x-remote-user': Buffer.from('jürgen').toString('latin1'),
      'x-remote-uid': 'u',
      'x-remote-group': ['a', 'b'],
      'x-remote-extra-example.com%2fscope%20%25': ['x', 'y'],
    });
  });
});

describe('OpenAPI of several servers', () => {
  const ref = (name: string) => ({ $ref: `#/definitions/${name}` });

  it('keeps what is used, and gives numbers to what differs', () => {
    const target = {
      paths: { '/a': {} },
      definitions: { A: { type: 'object' }, B: { type: 'object' } },
      parameters: {},
    };
    const source = {
      paths: { '/a': ref('Gone'), '/b': ref('A') },
      definitions: { A: { type: 'string', x: ref('B') }, B: { type: 'object' }, Gone: {}, A_v2: { type: 'number' } },
      parameters: {},
    };
    mergeSpec(target, source);
    assert.deepEqual(target, {
      paths: { '/a': {}, '/b': ref('A_v3') },
      definitions: {
        A: { type: 'object' },
        B: { type: 'object' },
        A_v3: { type: 'string', x: ref('B') },
        A_v2: { type: 'number' },
      },
      parameters: {},
    });
    assert.deepEqual(filterSpec(source, path => path === '/a').definitions['A'], undefined);
  });
});

describe('how callers are recognised, as other servers are told', () => {
  it('adds to what is there, and says nothing of a proxy without an authority', () => {
    const header = {
      usernameHeaders: ['X-Remote-User'],
      uidHeaders: [],
      groupHeaders: ['X-Remote-Group'],
      extraHeaderPrefixes: ['X-Remote-Extra-'],
      allowedNames: ['front'],
    };
    const info = { clientCaPem: '', proxyCaPem: '', requestHeader: header };
    assert.deepEqual(authenticationData({ other: 'x' }, info, 0), {});
  });
});
