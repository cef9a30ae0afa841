import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { writeJson } from '../json/write.ts';
import { deepFreeze, type JsonObject, type KubeObject } from '../meta.ts';
import { anyNode, field, list, map, scalar, struct } from '../schema/build.ts';
import type { StatusError } from '../status.ts';
import { compareValues, fieldSetOf } from './compare.ts';
import { ignoreManagedFieldsTimestamps } from './entries.ts';
import { FieldManager, type FieldManagerOptions } from './field-manager.ts';
import {
  type FieldSet,
  hasPath,
  insert,
  intersectSets,
  isEmptySet,
  pathsOf,
  readSet,
  setOfFields,
  sortSet,
  subtractSet,
  subtractTree,
  unionSets,
} from './field-set.ts';
import { mergeValues, removePaths } from './merge.ts';
import { compareElements, elementText, pathText } from './path-element.ts';
import { managersFromScale, managersOfScale } from './scale.ts';
import { reconcileWithType, validateTyped } from './validate.ts';

const string = scalar('string');
const container = struct('io.k8s.api.core.v1.Container', [
  field('name', string, { omitEmpty: false }),
  field('image', string),
  field('args', list(string)),
  field('resources', struct('io.k8s.api.core.v1.Resources', [field('limits', map(scalar('quantity')))]), {
    nullable: false,
    omitEmpty: false,
  }),
  field(
    'ports',
    list(
      struct('io.k8s.api.core.v1.ContainerPort', [
        field('containerPort', scalar('int32')),
        field('protocol', string, { default: 'TCP' }),
      ]),
      { listType: 'map', listKeys: ['containerPort', 'protocol'] },
    ),
  ),
]);
const spec = struct('io.k8s.api.core.v1.Spec', [
  field('replicas', scalar('int32'), { nullable: true }),
  field('containers', list(container, { listType: 'map', listKeys: ['name'] })),
  field('selector', map(string, 'atomic')),
  field('tags', list(string, { listType: 'set' })),
  field('free', anyNode),
]);
const meta = struct('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta', [
  field('name', string),
  field('uid', string),
  field('resourceVersion', string),
  field('labels', map(string)),
  field('annotations', map(string)),
  field('managedFields', list(anyNode)),
]);
const node = struct('io.k8s.api.core.v1.Thing', [
  field('apiVersion', string),
  field('kind', string),
  field('metadata', meta, { nullable: false, omitEmpty: false }),
  field('spec', spec, { nullable: false, omitEmpty: false }),
  field('status', struct('io.k8s.api.core.v1.Status', [field('phase', string)]), { nullable: false }),
]);

const options: FieldManagerOptions = {
  node,
  apiVersion: 'v1',
  kind: 'Thing',
  subresource: '',
  builtin: true,
  resetFields: { v1: setOfFields('status') },
};
const main = new FieldManager(options);
const at = Date.parse('2026-01-01T00:00:00Z');
const later = at + 60_000;

const thing = (specValue: object, metadata: object = {}): KubeObject =>
  deepFreeze({ apiVersion: 'v1', kind: 'Thing', metadata: { name: 't', ...metadata }, spec: specValue }) as KubeObject;

/** As the server keeps it: encoded and decoded, with Go's zero values. */
const stored = (object: KubeObject): KubeObject =>
  deepFreeze(JSON.parse(writeJson({ ...object, metadata: { ...object.metadata, uid: 'u' } }, node)));

const owners = (object: KubeObject): Record<string, unknown> =>
  Object.fromEntries((object.metadata.managedFields ?? []).map(e => [`${e.manager} ${e.operation}`, e.fieldsV1]));

test('sets: a member is a leaf or holds a dot', () => {
  const set = readSet({
    'f:a': { '.': {}, 'f:b': {} },
    'f:c': { 'k:{"name": "x"}': { '.': {} } },
    'z:?': {},
  } as JsonObject);
  assert.deepEqual(pathsOf(set).map(pathText), ['.a', '.a.b', '.c[name="x"]']);
  assert.equal(hasPath(set, ['f:c']), false);
  assert.equal(hasPath(set, ['f:c', 'k:{"name":"x"}']), true);
  assert.deepEqual(subtractSet(set, { 'f:a': {} }), { 'f:a': { 'f:b': {} }, 'f:c': { 'k:{"name":"x"}': {} } });
  assert.deepEqual(subtractTree(set, { 'f:a': {} }), { 'f:c': { 'k:{"name":"x"}': {} } });
  assert.deepEqual(sortSet({ 'k:{"n":10}': {}, 'k:{"n":9}': {}, 'v:"a"': {}, 'f:b': {}, 'f:a': {} }), {
    'f:a': {},
    'f:b': {},
    'k:{"n":9}': {},
    'k:{"n":10}': {},
    'v:"a"': {},
  });
  assert.deepEqual(Object.keys(sortSet({ 'i:2': {}, 'f:b': {}, '.': {} })), ['.', 'f:b', 'i:2']);
  assert.equal(elementText('k:{"a":1,"b":"x"}'), '[a=1,b="x"]');
  assert.ok(compareElements('v:1', 'v:"a"') < 0);
});

const paths = fc.array(fc.array(fc.constantFrom('f:a', 'f:b', 'k:{"n":1}', 'v:"x"'), { minLength: 1, maxLength: 4 }), {
  maxLength: 8,
});
const asKeys = (set: FieldSet): Set<string> => new Set(pathsOf(set).map(path => path.join('/')));
const build = (all: readonly (readonly string[])[]): FieldSet => {
  const out: FieldSet = {};
  for (const path of all) insert(out, path, Object.freeze({}));
  return out;
};

test('sets behave like sets of paths', () => {
  fc.assert(
    fc.property(paths, paths, (a, b) => {
      const [left, right] = [build(a), build(b)];
      const [x, y] = [asKeys(left), asKeys(right)];
      assert.deepEqual(x, new Set(a.map(path => path.join('/'))));
      assert.deepEqual(asKeys(unionSets(left, right)), x.union(y));
      assert.deepEqual(asKeys(intersectSets(left, right)), x.intersection(y));
      assert.deepEqual(asKeys(subtractSet(left, right)), x.difference(y));
      const under = [...x].filter(path => ![...y].some(other => path === other || path.startsWith(`${other}/`)));
      assert.deepEqual(asKeys(subtractTree(left, right)), new Set(under));
      assert.equal(isEmptySet(subtractSet(left, left)), true);
      assert.deepEqual(asKeys(readSet(sortSet(left) as JsonObject)), x);
    }),
    { numRuns: 500 },
  );
});

test('compare: what came, changed and went', () => {
  const before = {
    spec: { replicas: 1, tags: ['a', 'b'], selector: { x: '1' }, containers: [{ name: 'a', image: '1' }] },
  };
  const after = {
    spec: {
      tags: ['b', 'c'],
      selector: { x: '2' },
      containers: [
        { name: 'a', image: '2' },
        { name: 'b', ports: [{ containerPort: 1 }] },
      ],
    },
  };
  const { added, modified, removed } = compareValues(node, before, after);
  assert.deepEqual(pathsOf(modified).map(pathText), ['.spec.selector', '.spec.containers[name="a"].image']);
  assert.deepEqual(pathsOf(removed).map(pathText), ['.spec.replicas', '.spec.tags[="a"]']);
  assert.deepEqual(pathsOf(added).map(pathText), [
    '.spec.containers[name="b"]',
    '.spec.containers[name="b"].name',
    '.spec.containers[name="b"].ports',
    '.spec.containers[name="b"].ports[containerPort=1,protocol="TCP"]',
    '.spec.containers[name="b"].ports[containerPort=1,protocol="TCP"].containerPort',
    '.spec.tags[="c"]',
  ]);
});

test('an update owns what it changes; a create what is there', () => {
  const created = main.update(null, thing({ containers: [{ name: 'a', image: '1' }] }, { labels: { l: '1' } }), {
    manager: 'm',
    nowMs: at,
  });
  assert.deepEqual(owners(created), {
    'm Update': {
      'f:metadata': { 'f:labels': { '.': {}, 'f:l': {} } },
      'f:spec': {
        'f:containers': { '.': {}, 'k:{"name":"a"}': { '.': {}, 'f:image': {}, 'f:name': {}, 'f:resources': {} } },
      },
    },
  });
  const live = stored(created);
  const patched = main.update(live, { ...live, spec: { ...(live['spec'] as object), replicas: 2 } } as KubeObject, {
    manager: 'n',
    nowMs: later,
  });
  assert.deepEqual(owners(patched)['n Update'], { 'f:spec': { 'f:replicas': {} } });
  assert.equal(patched.metadata.managedFields?.[0], live.metadata.managedFields?.[0]);
  const same = main.update(live, structuredClone(live), { manager: 'n', nowMs: later });
  assert.deepEqual(same.metadata.managedFields, live.metadata.managedFields);
});

test('empty lists and maps that Go never writes are owned by nobody', () => {
  const written = main.update(null, thing({}, { labels: {}, annotations: { a: 'b' } }), { manager: 'm', nowMs: at });
  assert.deepEqual(owners(written)['m Update'], {
    ...(owners(main.update(null, thing({}, { annotations: { a: 'b' } }), { manager: 'm', nowMs: at }))[
      'm Update'
    ] as object),
  });
});

test('status is owned by writers of status alone', () => {
  const live = stored(main.update(null, thing({ replicas: 1 }), { manager: 'm', nowMs: at }));
  const status = new FieldManager({ ...options, subresource: 'status', resetFields: { v1: setOfFields('spec') } });
  const next = { ...live, spec: { replicas: 5 }, status: { phase: 'Up' } } as KubeObject;
  const written = status.update(live, next, { manager: 'kubelet', nowMs: later });
  const entry = written.metadata.managedFields?.[1];
  assert.deepEqual(entry, {
    manager: 'kubelet',
    operation: 'Update',
    apiVersion: 'v1',
    time: '2026-01-01T00:01:00Z',
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:status': { '.': {}, 'f:phase': {} } },
    subresource: 'status',
  });
  const ignored = main.update(live, { ...live, status: { phase: 'Up' } } as KubeObject, { manager: 'x', nowMs: later });
  assert.equal(owners(ignored)['x Update'], undefined);
});

const config = (specValue: object, metadata: object = {}): Record<string, unknown> =>
  deepFreeze({ apiVersion: 'v1', kind: 'Thing', metadata: { name: 't', ...metadata }, spec: specValue });
const apply = (live: KubeObject | null, value: Record<string, unknown>, manager: string, force = false): KubeObject =>
  main.apply(live, value, { manager, force, nowMs: at });

test('apply merges, owns, shares, prunes', () => {
  const a = stored(apply(null, config({ replicas: 1, containers: [{ name: 'a', image: '1' }] }), 'a'));
  assert.deepEqual(owners(a), {
    'a Apply': {
      'f:spec': { 'f:replicas': {}, 'f:containers': { 'k:{"name":"a"}': { '.': {}, 'f:image': {}, 'f:name': {} } } },
    },
  });
  const b = stored(apply(a, config({ replicas: 1, containers: [{ name: 'b', image: '2' }] }), 'b'));
  assert.deepEqual((b['spec'] as { containers: unknown[] }).containers, [
    { name: 'a', image: '1', resources: {} },
    { name: 'b', image: '2', resources: {} },
  ]);
  const dropped = stored(apply(b, config({ replicas: 1 }), 'a'));
  assert.deepEqual(
    (dropped['spec'] as { containers: unknown[] }).containers.map(c => (c as { name: string }).name),
    ['b'],
  );
  const gone = apply(dropped, { apiVersion: 'v1', kind: 'Thing', metadata: { name: 't' } }, 'b');
  assert.deepEqual(gone['spec'], { replicas: 1 });
  assert.deepEqual(Object.keys(owners(gone)), ['a Apply']);
});

test('conflicts name managers and fields; force takes over', () => {
  const a = stored(apply(null, config({ replicas: 1, selector: { x: '1' } }), 'a'));
  assert.throws(
    () => apply(a, config({ replicas: 2, selector: { x: '2' } }), 'b'),
    (error: StatusError) => {
      assert.equal(error.code, 409);
      assert.equal(
        error.message,
        'Apply failed with 2 conflicts: conflicts with "a":\n- .spec.replicas\n- .spec.selector',
      );
      assert.deepEqual(error.status.details?.causes?.[0], {
        reason: 'FieldManagerConflict',
        message: 'conflict with "a"',
        field: '.spec.replicas',
      });
      return true;
    },
  );
  const taken = apply(a, config({ replicas: 2 }), 'b', true);
  assert.deepEqual(owners(taken), {
    'a Apply': { 'f:spec': { 'f:selector': {} } },
    'b Apply': { 'f:spec': { 'f:replicas': {} } },
  });
  const up = stored(main.update(null, thing({ replicas: 1 }), { manager: 'up', nowMs: at }));
  assert.throws(() => apply(up, config({ replicas: 2 }), 'b'), {
    message: 'Apply failed with 1 conflict: conflict with "up" using v1: .spec.replicas',
  });
  assert.deepEqual(Object.keys(owners(apply(up, config({ replicas: 1 }), 'b'))), ['b Apply', 'up Update']);
});

test('the first apply over an object without managers finds before-first-apply', () => {
  const live = stored(thing({ replicas: 1 }));
  assert.throws(() => apply(live, config({ replicas: 2 }), 'a'), {
    message: 'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .spec.replicas',
  });
  assert.equal(
    main.update(live, thing({ replicas: 3 }), { manager: 'x', nowMs: at }).metadata.managedFields,
    undefined,
  );
});

test('kubectl takes over from client-side apply', () => {
  const annotation = 'kubectl.kubernetes.io/last-applied-configuration';
  const last = JSON.stringify({ apiVersion: 'v1', kind: 'Thing', metadata: { name: 't' }, spec: { replicas: 1 } });
  const live = stored(
    main.update(null, thing({ replicas: 1 }, { annotations: { [annotation]: last } }), {
      manager: 'kubectl-client-side-apply',
      nowMs: at,
    }),
  );
  const next = apply(live, config({ replicas: 2 }), 'kubectl');
  assert.deepEqual(next['spec'], { replicas: 2 });
  assert.equal(
    next.metadata.annotations?.[annotation],
    '{"apiVersion":"v1","kind":"Thing","metadata":{"name":"t"},"spec":{"replicas":2}}\n',
  );
  assert.throws(() => apply(live, config({ replicas: 2 }), 'other'), { name: 'StatusError' });
});

test('bad configurations have upstream texts', () => {
  const rows: readonly [Record<string, unknown>, string][] = [
    [{ ...config({}), kind: 'Other' }, 'invalid object type: /v1, Kind=Other'],
    [{ ...config({}), apiVersion: '' }, 'invalid object type: /, Kind=Thing'],
    [{ ...config({}), apiVersion: 'a/b/c' }, 'invalid object type: /, Kind='],
    [config({}, { managedFields: [] }), 'metadata.managedFields must be nil'],
    [
      config({ nope: 1 }),
      'failed to create typed patch object (/t; /v1, Kind=Thing): .spec.nope: field not declared in schema',
    ],
    [
      config({ containers: 'a' }),
      'failed to create typed patch object (/t; /v1, Kind=Thing): .spec.containers: expected list, got &{a}',
    ],
    [
      config({ containers: [{ name: 'a' }, { name: 'a' }] }),
      'failed to create typed patch object (/t; /v1, Kind=Thing): .spec.containers: duplicate entries for key [name="a"]',
    ],
    [
      config({ containers: [{ name: 'a', ports: [{ containerPort: 1 }, { containerPort: 1, protocol: 'TCP' }] }] }),
      'failed to create typed patch object (/t; /v1, Kind=Thing): .spec.containers[name="a"].ports: duplicate entries for key [containerPort=1,protocol="TCP"]',
    ],
    [
      config({}, { labels: { a: 1 } }),
      'failed to create typed patch object (/t; /v1, Kind=Thing): .metadata.labels.a: expected string, got &value.valueUnstructured{Value:1}',
    ],
  ];
  for (const [value, message] of rows) assert.throws(() => apply(null, value, 'a'), { message }, message);
});

test('managers can be reset and edited, and are capped', () => {
  const live = stored(apply(null, config({ replicas: 1 }), 'a'));
  const put = (managedFields: unknown): KubeObject =>
    main.update(live, { ...live, metadata: { ...live.metadata, managedFields } } as KubeObject, {
      manager: 'x',
      nowMs: at,
    });
  assert.equal(put([{}]).metadata.managedFields, undefined);
  assert.equal(put([]).metadata.managedFields, undefined);
  assert.deepEqual(
    Object.keys(
      owners(
        put([
          {
            manager: 'y',
            operation: 'Update',
            apiVersion: 'v1',
            fieldsType: 'FieldsV1',
            fieldsV1: { 'f:spec': { 'f:replicas': {} } },
          },
        ]),
      ),
    ),
    ['y Update'],
  );
  assert.deepEqual(Object.keys(owners(put([{ manager: 'y', operation: 'Nope' }]))), ['a Apply']);
  let many = stored(main.update(null, thing({}, { labels: { l0: '' } }), { manager: 'm0', nowMs: at }));
  for (let i = 1; i < 14; i++) {
    const labels = { ...many.metadata.labels, [`l${i}`]: '' };
    many = main.update(many, { ...many, metadata: { ...many.metadata, labels } } as KubeObject, {
      manager: `m${i}`,
      nowMs: at + i * 1000,
    });
  }
  const names = (many.metadata.managedFields ?? []).map(entry => entry.manager);
  assert.equal(names.length, 10);
  assert.equal(names[0], 'ancient-changes');
});

test('a write that only renews times is none', () => {
  const live = stored(main.update(null, thing({ replicas: 1 }), { manager: 'm', nowMs: at }));
  const entries = live.metadata.managedFields!.map(entry => ({ ...entry, time: '2030-01-01T00:00:00Z' }));
  const next = { ...live, metadata: { ...live.metadata, managedFields: entries } };
  assert.equal(ignoreManagedFieldsTimestamps(next, live).metadata.managedFields, live.metadata.managedFields);
  const other = { ...next, spec: { replicas: 2 } } as KubeObject;
  assert.equal(ignoreManagedFieldsTimestamps(other, live), other);
  const same = (a: KubeObject, b: KubeObject): boolean => a.metadata.managedFields === b.metadata.managedFields;
  const kept = ignoreManagedFieldsTimestamps(other, live, same).metadata.managedFields;
  assert.equal(kept, live.metadata.managedFields, 'what is the same is for the kind to say');
});

test('managers in other versions are compared in theirs, and dropped when the version is gone', () => {
  const v2 = new FieldManager({
    ...options,
    apiVersion: 'v2',
    convert: (object, apiVersion) => {
      if (apiVersion !== 'v1') return undefined;
      const { count, ...rest } = (object['spec'] ?? {}) as { count?: number };
      return {
        object: {
          ...object,
          apiVersion,
          spec: { ...rest, ...(count !== undefined && { replicas: count }) },
        } as KubeObject,
        node,
      };
    },
    node: struct('T', [
      field('apiVersion', string),
      field('kind', string),
      field('metadata', meta),
      field('spec', struct('S', [field('count', scalar('int32'), { nullable: true }), field('tags', list(string))])),
    ]),
  });
  const live = stored(apply(null, config({ replicas: 1, tags: ['x'] }), 'a'));
  const inV2 = { ...live, apiVersion: 'v2', spec: { count: 1, tags: ['x'] } } as KubeObject;
  const next = v2.update(inV2, { ...inV2, spec: { count: 2, tags: ['x'] } } as KubeObject, { manager: 'm', nowMs: at });
  assert.deepEqual(owners(next), {
    'a Apply': { 'f:spec': { 'f:tags': { 'v:"x"': {} } } },
    'm Update': { 'f:spec': { 'f:count': {} } },
  });
});

test('scale shows and returns the owners of replicas', () => {
  const path = { v1: 'spec.replicas' };
  const entries = apply(null, config({ replicas: 1, tags: ['x'] }), 'a').metadata.managedFields;
  const shown = managersOfScale(entries, path);
  assert.deepEqual(shown?.[0]?.fieldsV1, { 'f:spec': { 'f:replicas': {} } });
  assert.equal(shown?.[0]?.apiVersion, 'autoscaling/v1');
  assert.deepEqual(managersFromScale(entries, shown, 'v1', path), entries);
  const other = [{ ...shown![0]!, manager: 'b', subresource: 'scale' }];
  const back = managersFromScale(entries, other, 'v1', path);
  assert.deepEqual(
    back?.map(entry => [entry.manager, entry.apiVersion, entry.fieldsV1]),
    [
      // Without a time, as upstream has it for whoever is new to the main resource.
      ['b', 'v1', { 'f:spec': { 'f:replicas': {} } }],
      ['a', 'v1', { 'f:spec': { 'f:tags': { 'v:"x"': {} } } }],
    ],
  );
});

test('ownership of what became atomic is ownership of the whole', () => {
  assert.deepEqual(reconcileWithType({ 'f:spec': { 'f:selector': { 'f:x': {} }, 'f:replicas': {} } }, node), {
    'f:spec': { 'f:selector': {}, 'f:replicas': {} },
  });
  const set = { 'f:spec': { 'f:selector': {}, 'f:tags': { 'v:"a"': {} } } };
  assert.equal(reconcileWithType(set, node), set);
});

test('merge and remove', () => {
  const items = (...names: string[]): unknown => ({ spec: { containers: names.map(name => ({ name })) } });
  const order = (live: string[], applied: string[]): string[] => {
    const merged = mergeValues(node, items(...live), items(...applied)) as { spec: { containers: { name: string }[] } };
    return merged.spec.containers.map(({ name }) => name);
  };
  assert.deepEqual(order(['a', 'b', 'c'], ['b']), ['a', 'b', 'c']);
  assert.deepEqual(order(['a', 'b', 'c'], ['c', 'x', 'a']), ['b', 'c', 'x', 'a']);
  assert.deepEqual(order(['a', 'b'], ['x', 'b', 'a']), ['x', 'b', 'a']);
  assert.deepEqual(
    removePaths(
      node,
      { spec: { tags: ['a', 'b'], free: { x: 1 } } },
      { 'f:spec': { 'f:tags': { 'v:"a"': {} }, 'f:free': { 'f:x': {} } } },
    ),
    {
      spec: { tags: ['b'], free: null },
    },
  );
});

test('applying anything gives an object or a known error, and applying it again changes nothing', () => {
  const name = fc.constantFrom('a', 'b', 'c');
  // A map that pruning empties becomes null, upstream too, so that an empty one is not applied twice alike.
  const filled = <T>(value: fc.Arbitrary<T>) => fc.dictionary(name, value, { minKeys: 1 });
  const part = fc.record(
    {
      replicas: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constant(null)),
      // Open: a set holding an item twice by update, then applied as one item, then as none, is not settled at once
      // ([m {}], [m update tags c c], [m apply tags c], [m apply tags none]); so no doubles here.
      tags: fc.uniqueArray(name, { maxLength: 3 }),
      selector: fc.dictionary(name, name),
      containers: fc.array(fc.record({ name, image: name }, { requiredKeys: ['name'] }), { maxLength: 3 }),
      free: fc.oneof(filled(fc.oneof(name, filled(name))), name, fc.array(name)),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom('m', 'n'), part, fc.boolean()), { maxLength: 5 }), writes => {
      let live: KubeObject | null = null;
      for (const [manager, value, applied] of writes) {
        try {
          live = stored(
            applied || live === null
              ? apply(live, config(value), manager, true)
              : main.update(live, { ...thing(value), metadata: live.metadata }, { manager, nowMs: at }),
          );
        } catch (error) {
          assert.match((error as Error).message, /duplicate entries|must be nil/);
          continue;
        }
        if (!applied) continue;
        const again = apply(live, config(value), manager, false);
        assert.deepEqual(stored(again)['spec'], live['spec']);
        assert.deepEqual(again.metadata.managedFields, live.metadata.managedFields);
        const claimed = fieldSetOf(node, config(value));
        if (validateTyped(node, config(value)).length === 0) assert.ok(claimed);
      }
    }),
    { numRuns: 150 },
  );
});
