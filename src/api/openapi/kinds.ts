/** The group version kinds that a definition stands for: `x-kubernetes-group-version-kind`. */
import type { GroupVersion, GroupVersionKind } from '#apimachinery';
import { builtinTypes, optionalResources, resources } from '../tables.ts';
import { registeredVersions } from './facts.gen.ts';

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';

/** Kinds that every group version has a copy of. */
const shared = new Set([`${meta}DeleteOptions`, `${meta}WatchEvent`]);
/** Kinds that the core group alone names. */
const coreMeta = new Set(
  ['APIGroup', 'APIGroupList', 'APIResourceList', 'APIVersions', 'Status'].map(name => meta + name),
);

const registered: readonly GroupVersion[] = registeredVersions.map(name => {
  const [group = '', version = ''] = name.split('/');
  return { group, version };
});

function listKind(facts: (typeof resources)[number]): [string, GroupVersionKind][] {
  const name = `${facts.typeName}List`;
  if (!builtinTypes.has(name)) return [];
  return [[name, { group: facts.group, version: facts.version, kind: `${facts.kind}List` }]];
}

const all = [...resources, ...optionalResources];

const own: ReadonlyMap<string, GroupVersionKind> = new Map([
  ...all.map(facts => [facts.typeName, { group: facts.group, version: facts.version, kind: facts.kind }] as const),
  ...all.flatMap(listKind),
  ...all.flatMap(facts => facts.subresources.map(each => [each.typeName, each.kind] as const)),
]);

/** Groups whose options the documents of custom resources do not name: those that are not in client-go's scheme. */
const notInClients = /^(admission|apiextensions|apiregistration|imagepolicy)\.k8s\.io$/;

function sharedBy(within: GroupVersion | 'custom' | 'all'): readonly GroupVersion[] {
  if (within === 'all') return registered;
  if (within === 'custom') return registered.filter(each => !notInClients.test(each.group));
  return within.group === '' ? [{ group: '', version: 'v1' }] : [{ group: '', version: 'v1' }, within];
}

/**
 * The kinds of a definition in the document of a built-in group version, in the document of custom resources, or in that
 * of all.
 */
export function groupVersionKinds(
  name: string,
  within: GroupVersion | 'custom' | 'all',
): { group: string; kind: string; version: string }[] {
  const kind = name.slice(name.lastIndexOf('.') + 1);
  if (coreMeta.has(name)) return [{ group: '', kind, version: 'v1' }];
  if (shared.has(name)) return sharedBy(within).map(({ group, version }) => ({ group, kind, version }));
  const found = own.get(name);
  return found ? [{ group: found.group, kind: found.kind, version: found.version }] : [];
}
