/** Laws of server-side apply, over writes drawn at random. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { writeJson } from '../json/write.ts';
import { deepFreeze, type JsonObject, type KubeObject } from '../meta.ts';
import { field, list, map, scalar, struct } from '../schema/build.ts';
import { fieldSetOf } from './compare.ts';
import { FieldManager } from './field-manager.ts';
import { type FieldSet, isEmptySet, pathsOf, readSet, subtractSet, unionSets } from './field-set.ts';
import { pathText } from './path-element.ts';

const string = scalar('string');
const item = struct('io.k8s.api.core.v1.Item', [field('name', string), field('image', string)]);
const spec = struct('io.k8s.api.core.v1.Spec', [
  field('size', scalar('int32'), { nullable: true }),
  field('items', list(item, { listType: 'map', listKeys: ['name'] })),
  field('labels', map(string)),
  field('tags', list(string, { listType: 'set' })),
]);
const meta = struct('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta', [
  field('name', string),
  field('uid', string),
  field('managedFields', list(map(string))),
]);
const node = struct('io.k8s.api.core.v1.Thing', [
  field('apiVersion', string),
  field('kind', string),
  field('metadata', meta, { nullable: false, omitEmpty: false }),
  field('spec', spec, { nullable: false, omitEmpty: false }),
]);
const options = { node, apiVersion: 'v1', kind: 'Thing', subresource: '', builtin: true, resetFields: {} };
const manager = new FieldManager(options);
const nowMs = Date.parse('2026-01-01T00:00:00Z');

interface Item {
  readonly name: string;
  readonly image?: string;
}
interface Part {
  readonly size?: number;
  readonly items?: readonly Item[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly tags?: readonly string[];
}

const thing = (part: Part): KubeObject =>
  deepFreeze({ apiVersion: 'v1', kind: 'Thing', metadata: { name: 't' }, spec: part }) as KubeObject;
const stored = (object: KubeObject): KubeObject =>
  deepFreeze(JSON.parse(writeJson({ ...object, metadata: { ...object.metadata, uid: 'u' } }, node)));

function apply(live: KubeObject | null, who: string, part: Part): KubeObject {
  const applied = thing(part) as unknown as JsonObject;
  return stored(manager.apply(live, applied, { manager: who, force: true, nowMs }));
}

const fieldsOf = (object: KubeObject, who: string): FieldSet =>
  readSet((object.metadata.managedFields?.find(each => each.manager === who)?.fieldsV1 ?? {}) as JsonObject);
const texts = (set: FieldSet): string[] => pathsOf(set).map(pathText).sort();

/** Lists as sets, for the order of items is another matter. */
function content(object: KubeObject): unknown {
  const { size, items = [], labels = {}, tags = [] } = object['spec'] as Part;
  const byName = [...items].sort((one, other) => (one.name < other.name ? -1 : 1));
  return { size, items: byName, labels: Object.fromEntries(Object.entries(labels).sort()), tags: [...tags].sort() };
}

const parts = (names: readonly string[]): fc.Arbitrary<Part> => {
  const name = fc.constantFrom(...names);
  return fc.record(
    {
      items: fc.uniqueArray(fc.record({ name, image: fc.constantFrom('1', '2') }, { requiredKeys: ['name'] }), {
        selector: each => each.name,
        minLength: 1,
        maxLength: 3,
      }),
      labels: fc.dictionary(name, fc.constantFrom('1', '2'), { minKeys: 1 }),
      tags: fc.uniqueArray(name, { minLength: 1, maxLength: 3 }),
    },
    { requiredKeys: [] },
  );
};
const any = parts(['a', 'b', 'c']);

test('what was applied is there, and is owned by who applied it last', () => {
  fc.assert(
    fc.property(any, any, (first, second) => {
      // Who applies an empty struct claims the struct itself.
      fc.pre(Object.keys(second).length > 0);
      const live = apply(apply(null, 'm', first), 'n', second);
      const claimed = fieldSetOf(node, { spec: second });
      assert.ok(isEmptySet(subtractSet(claimed, fieldsOf(live, 'n'))), texts(claimed).join(' '));
      const kept = fieldSetOf(node, { spec: live['spec'] });
      assert.ok(isEmptySet(subtractSet(claimed, kept)));
    }),
    { numRuns: 60 },
  );
});

test('the owners together own all that is there', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom('m', 'n', 'o'), any), { minLength: 1, maxLength: 4 }), writes => {
      let live: KubeObject | null = null;
      for (const [who, part] of writes) live = apply(live, who, part);
      const owned = ['m', 'n', 'o'].map(who => fieldsOf(live!, who)).reduce(unionSets);
      const present = fieldSetOf(node, { spec: live!['spec'] });
      assert.deepEqual(texts(subtractSet(present, owned)), []);
    }),
    { numRuns: 60 },
  );
});

test('managers of different fields may come in any order', () => {
  fc.assert(
    fc.property(parts(['a', 'b']), parts(['c', 'd']), (mine, others) => {
      const one = apply(apply(null, 'm', mine), 'n', others);
      const other = apply(apply(null, 'n', others), 'm', mine);
      assert.deepEqual(content(one), content(other));
      for (const who of ['m', 'n']) assert.deepEqual(texts(fieldsOf(one, who)), texts(fieldsOf(other, who)));
    }),
    { numRuns: 60 },
  );
});

test('who applies nothing more leaves what others own, and nothing else', () => {
  fc.assert(
    fc.property(any, any, (mine, others) => {
      const alone = apply(null, 'n', others);
      const both = apply(apply(null, 'm', mine), 'n', others);
      const left = apply(both, 'm', {});
      assert.deepEqual(content(left), content(alone));
      assert.deepEqual(texts(fieldsOf(left, 'n')), texts(fieldsOf(alone, 'n')));
    }),
    { numRuns: 60 },
  );
});

test('the last of several configurations of one manager is all that counts', () => {
  fc.assert(
    fc.property(fc.array(any, { minLength: 1, maxLength: 4 }), configurations => {
      let live: KubeObject | null = null;
      for (const part of configurations) live = apply(live, 'm', part);
      const once = apply(null, 'm', configurations.at(-1)!);
      assert.deepEqual(content(live!), content(once));
      assert.deepEqual(texts(fieldsOf(live!, 'm')), texts(fieldsOf(once, 'm')));
    }),
    { numRuns: 60 },
  );
});
