/** The group version kinds that a definition stands for: `x-kubernetes-group-version-kind`. */
import type { GroupVersion, GroupVersionKind } from '#apimachinery';
import { builtinTypes, groups, resources } from '../tables.ts';

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';

/** Kinds that every group version has a copy of. */
const shared = new Set([`${meta}DeleteOptions`, `${meta}WatchEvent`]);
/** Kinds that the core group alone names. */
const coreMeta = new Set(
  ['APIGroup', 'APIGroupList', 'APIResourceList', 'APIVersions', 'Status'].map(name => meta + name),
);

function listKind(facts: (typeof resources)[number]): [string, GroupVersionKind][] {
  const name = `${facts.typeName}List`;
  if (!builtinTypes.has(name)) return [];
  return [[name, { group: facts.group, version: facts.version, kind: `${facts.kind}List` }]];
}

const own: ReadonlyMap<string, GroupVersionKind> = new Map([
  ...resources.map(
    facts => [facts.typeName, { group: facts.group, version: facts.version, kind: facts.kind }] as const,
  ),
  ...resources.flatMap(listKind),
  ...resources.flatMap(facts => facts.subresources.map(each => [each.typeName, each.kind] as const)),
]);

/** The kinds of a definition in the document of a group version; without one, in the document of all. */
export function groupVersionKinds(
  name: string,
  within?: GroupVersion,
): { group: string; kind: string; version: string }[] {
  const kind = name.slice(name.lastIndexOf('.') + 1);
  if (coreMeta.has(name)) return [{ group: '', kind, version: 'v1' }];
  if (shared.has(name)) {
    const all = within
      ? [within]
      : groups.flatMap(group => group.versions.map(version => ({ group: group.name, version })));
    const versions = [{ group: '', version: 'v1' }, ...all.filter(each => each.group !== '')];
    return versions.map(({ group, version }) => ({ group, kind, version }));
  }
  const found = own.get(name);
  return found ? [{ group: found.group, kind: found.kind, version: found.version }] : [];
}
