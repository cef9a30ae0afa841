/** Laws of patches, over documents drawn at random: what a diff made elsewhere must do when it is applied. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { deepFreeze } from '../meta.ts';
import { field, list, map, scalar, struct } from '../schema/build.ts';
import { applyJsonPatch } from './json-patch.ts';
import { applyMergePatch } from './merge-patch.ts';
import { applyStrategicPatch } from './strategic.ts';

type JsonMap = Record<string, unknown>;

const isMap = (value: unknown): value is JsonMap =>
  value !== null && typeof value === 'object' && !Array.isArray(value);
const same = (one: unknown, other: unknown): boolean => {
  try {
    assert.deepEqual(one, other);
    return true;
  } catch {
    return false;
  }
};
/** The same value with members sorted, for Go's maps have no order. */
const plain = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(plain);
  if (!isMap(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map(key => [key, plain(value[key])]),
  );
};

const key = fc.constantFrom('a', 'b', 'c', 'toString');
const { document } = fc.letrec<{ document: JsonMap; value: unknown }>(tie => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom('x', '', 1, 0, true),
    fc.array(fc.constantFrom('x', 1), { maxLength: 2 }),
    tie('document'),
  ),
  document: fc.dictionary(key, tie('value'), { maxKeys: 4 }) as fc.Arbitrary<JsonMap>,
}));

/** RFC 7386, from the other side. */
function mergeDiff(from: JsonMap, to: JsonMap): JsonMap {
  const patch: JsonMap = {};
  for (const name of Object.keys(from)) if (!Object.hasOwn(to, name)) patch[name] = null;
  for (const name of Object.keys(to)) {
    const [before, after] = [Object.hasOwn(from, name) ? from[name] : undefined, to[name]];
    if (same(before, after)) continue;
    patch[name] = isMap(before) && isMap(after) ? mergeDiff(before, after) : after;
  }
  return patch;
}

test('a merge patch of the difference leads to the other document, and applied again changes nothing', () => {
  fc.assert(
    fc.property(document, document, (from, to) => {
      const patch = mergeDiff(from, to);
      const made = applyMergePatch(deepFreeze(from), deepFreeze(patch));
      assert.deepEqual(plain(made), plain(to));
      assert.deepEqual(plain(applyMergePatch(made, patch)), plain(made));
    }),
    { numRuns: 500 },
  );
});

test('three ways: changes of two writers in different members meet', () => {
  fc.assert(
    fc.property(document, fc.constantFrom('x', 'y'), fc.constantFrom(1, 2), (base, mine, theirs) => {
      const ours = mergeDiff(base, { ...base, mine });
      const others = mergeDiff(base, { ...base, theirs });
      const wanted = plain({ ...base, mine, theirs });
      assert.deepEqual(plain(applyMergePatch(applyMergePatch(base, ours), others)), wanted);
      assert.deepEqual(plain(applyMergePatch(applyMergePatch(base, others), ours)), wanted);
    }),
    { numRuns: 200 },
  );
});

test('a JSON patch that tests what is there changes nothing, and a removal undoes an addition', () => {
  const pointer = (name: string): string => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  fc.assert(
    fc.property(document, fc.constantFrom('new', 'a/b', 'm~n', ''), (from, name) => {
      const tests = Object.keys(from).map(each => ({ op: 'test' as const, path: pointer(each), value: from[each] }));
      assert.deepEqual(plain(applyJsonPatch(deepFreeze(from), tests)), plain(from));
      const added = applyJsonPatch(from, [{ op: 'add', path: pointer(name), value: 1 }]) as JsonMap;
      assert.equal(added[name], 1);
      assert.deepEqual(plain(applyJsonPatch(added, [{ op: 'remove', path: pointer(name) }])), plain(from));
    }),
    { numRuns: 300 },
  );
});

const string = scalar('string');
const node = struct('io.k8s.api.core.v1.PodSpec', [
  field(
    'containers',
    list(
      struct('io.k8s.api.core.v1.Container', [
        field('name', string),
        field('image', string),
        field('args', list(string)),
      ]),
    ),
    { merge: { strategy: 'merge', key: 'name' } },
  ),
  field('finalizers', list(string), { merge: { strategy: 'merge' } }),
  field('labels', map(string)),
]);

interface Container {
  readonly name: string;
  readonly image?: string;
  readonly args?: readonly string[];
}
interface Spec {
  readonly containers: readonly Container[];
  readonly finalizers: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

const name = fc.constantFrom('a', 'b', 'c', 'd');
const spec: fc.Arbitrary<Spec> = fc.record({
  containers: fc.uniqueArray(
    fc.record({ name, image: name, args: fc.array(name, { minLength: 1, maxLength: 2 }) }, { requiredKeys: ['name'] }),
    { selector: each => each.name, maxLength: 4 },
  ),
  finalizers: fc.uniqueArray(name, { maxLength: 4 }),
  labels: fc.dictionary(name, name),
});

/** What a client of strategic merge patch sends: deletions, changes by key, and the order wanted. */
function strategicDiff(from: Spec, to: Spec): JsonMap {
  const gone = from.containers.filter(old => !to.containers.some(each => each.name === old.name));
  const changed = to.containers.flatMap(each => {
    const old = from.containers.find(other => other.name === each.name);
    if (old === undefined) return [each];
    const diff = mergeDiff(old as unknown as JsonMap, each as unknown as JsonMap);
    return Object.keys(diff).length === 0 ? [] : [{ name: each.name, ...diff }];
  });
  const added = to.finalizers.filter(each => !from.finalizers.includes(each));
  const dropped = from.finalizers.filter(each => !to.finalizers.includes(each));
  const lists = {
    containers: [...changed, ...gone.map(old => ({ name: old.name, $patch: 'delete' }))],
    '$setElementOrder/containers': to.containers.map(each => ({ name: each.name })),
    finalizers: added,
    '$deleteFromPrimitiveList/finalizers': dropped,
    '$setElementOrder/finalizers': to.finalizers,
  };
  const told = Object.entries(lists).filter(([, items]) => items.length > 0);
  return { ...Object.fromEntries(told), labels: mergeDiff(from.labels, to.labels) };
}

test('a strategic merge patch of the difference leads to the other document, in its order', () => {
  fc.assert(
    fc.property(spec, spec, (from, to) => {
      const patch = strategicDiff(from, to);
      const made = applyStrategicPatch(deepFreeze({ ...from }), deepFreeze(patch), node);
      assert.deepEqual(plain(made), plain(to));
      assert.deepEqual(plain(applyStrategicPatch(made, patch, node)), plain(to));
    }),
    { numRuns: 300 },
  );
});

test('what others put into keyed lists stays', () => {
  fc.assert(
    fc.property(spec, spec, (from, to) => {
      const live = { ...from, containers: [...from.containers, { name: 'injected', image: 'i' }] };
      const made = applyStrategicPatch(deepFreeze(live), deepFreeze(strategicDiff(from, to)), node) as unknown as Spec;
      const own = made.containers.filter(each => each.name !== 'injected');
      assert.deepEqual(plain(own), plain(to.containers));
      assert.deepEqual(
        made.containers.find(each => each.name === 'injected'),
        { name: 'injected', image: 'i' },
      );
    }),
    { numRuns: 200 },
  );
});
