/**
 * The served resources that a CustomResourceDefinition describes: one a version, each with rules of its own over the
 * same stored objects. Upstream: apiextensions-apiserver pkg/apiserver/customresource_handler.go
 * getOrCreateServingInfoFor.
 */
import { customTable } from '#api/columns';
import { compareVersions } from '#api/discovery';
import type { KindRules } from '#api/kind';
import { builtinTypes } from '#api/tables';
import type { CustomResourceDefinition } from '#api/types';
import type { StructNode } from '#apimachinery';
import {
  compileStructural,
  type JsonSchema,
  resourceNode,
  type Structural,
  withPrunedDefaults,
} from '#apimachinery/schema';
import type { ScalePaths, ServedResource } from '../scheme/resource.ts';
import type { CelMetrics } from './cel-metrics.ts';
import { type CustomCodec, customCodec } from './codec.ts';
import { type Converter, converterOf } from './conversion.ts';
import { customRules } from './rules.ts';
import { selectedFields } from './selectable.ts';
import { StoredForm } from './stored-form.ts';
import type { WebhookClient } from './webhook-client.ts';

type Version = CustomResourceDefinition['spec']['versions'][number];

const objectMeta = () => builtinTypes.struct('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta');
const verbs = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'];

export interface CustomResourceDeps {
  readonly keyPrefix: string;
  readonly webhooks: WebhookClient;
  /** Whether the definition is going: then nothing new is made. */
  readonly terminating: () => boolean;
  readonly cel: CelMetrics;
  /** Aborted when the definition has changed, or gone. */
  readonly ended: AbortSignal;
}

/** What the versions of a definition share. */
interface Family {
  readonly crd: CustomResourceDefinition;
  readonly deps: CustomResourceDeps;
  readonly names: CustomResourceDefinition['spec']['names'];
  readonly stored: string;
  readonly parts: ReadonlyMap<string, () => Parts>;
  readonly converter: Converter;
  readonly siblings: NonNullable<ScalePaths['siblings']>;
  readonly storagePrefix: string;
}

/** What is made of a version's schema when it is first used: a server may hold a thousand definitions. */
interface Parts {
  readonly codec: CustomCodec;
  readonly struct: StructNode;
  readonly rules: KindRules;
}

/** Every served version and, served or not, the stored one; the stored one first. */
export function customResources(crd: CustomResourceDefinition, deps: CustomResourceDeps): ServedResource[] {
  const { versions, group } = crd.spec;
  const accepted = crd.status?.acceptedNames;
  const names = accepted?.plural ? accepted : crd.spec.names;
  const stored = versions.find(version => version.storage) ?? versions[0]!;
  const family: Family = {
    crd,
    deps,
    names,
    stored: stored.name,
    parts: new Map(versions.map(version => [version.name, once(() => partsOf(crd, version, names, deps))])),
    converter: converterOf(crd, deps.webhooks),
    siblings: siblingPaths(crd),
    storagePrefix: `${deps.keyPrefix}/${group}/${names.plural}`,
  };
  const others = versions.filter(version => version.served && version !== stored);
  return [stored, ...others].map(version => resourceOf(version, family));
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

function partsOf(
  crd: CustomResourceDefinition,
  version: Version,
  { kind, plural }: Family['names'],
  deps: CustomResourceDeps,
): Parts {
  const { group } = crd.spec;
  const raw = version.schema?.openAPIV3Schema as JsonSchema | undefined;
  const preserve = crd.spec.preserveUnknownFields === true;
  const schemaOf = (name: string): Structural | undefined => {
    const found = crd.spec.versions.find(each => each.name === name)?.schema?.openAPIV3Schema as JsonSchema | undefined;
    const written = found && compileStructural(found);
    return written && !preserve ? withPrunedDefaults(written, objectMeta()) : written;
  };
  const schema = raw && schemaOf(version.name);
  const codec = customCodec({ group, version: version.name, kind, schema, schemaOf, preserve });
  const { terminating, cel } = deps;
  return {
    codec,
    struct: resourceNode(schema, objectMeta()) as StructNode,
    rules: customRules({
      version,
      about: { group, resource: plural },
      schema,
      codec,
      selectable: selectedFields(version),
      terminating,
      cel,
    }),
  };
}

/** Where each version has its replicas. */
function siblingPaths({ spec }: CustomResourceDefinition): NonNullable<ScalePaths['siblings']> {
  const entries = spec.versions.map(({ name, subresources }) => {
    const path = subresources?.scale?.specReplicasPath;
    return [`${spec.group}/${name}`, path === undefined ? null : path.replace(/^\./, '')] as const;
  });
  return Object.fromEntries(entries);
}

function resourceOf(version: Version, family: Family): ServedResource {
  const { crd, deps, names, parts } = family;
  const { group, scope } = crd.spec;
  const own = parts.get(version.name)!;
  const selectable = selectedFields(version);
  const deprecation = version.deprecated ? deprecationOf(crd, version) : undefined;
  const { scale } = version.subresources ?? {};
  const table = once(() => customTable(version.additionalPrinterColumns));
  const resource = {
    group,
    version: version.name,
    resource: names.plural,
    singular: names.singular ?? '',
    kind: names.kind,
    listKind: names.listKind ?? `${names.kind}List`,
    namespaced: scope === 'Namespaced',
    verbs: version.served ? verbs : [],
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    subresources: subresourcesOf(version, family),
    get rules() {
      return own().rules;
    },
    get struct() {
      return own().struct;
    },
    typeName: '',
    storageVersionHash: undefined,
    storagePrefix: family.storagePrefix,
    storage: undefined as unknown as ServedResource,
    custom: true,
    ended: deps.ended,
    get codec() {
      return own().codec;
    },
    storedForm: new StoredForm({
      id: `${crd.metadata.uid}/${crd.metadata.generation}/${version.name}`,
      apiVersion: `${group}/${version.name}`,
      storedApiVersion: `${group}/${family.stored}`,
      codecOf: name => parts.get(name)?.().codec,
      converter: family.converter,
      structOf: name => parts.get(name)?.().struct,
      struct: () => own().struct,
      selectable: selectable && (object => selectable.read(object)),
    }),
    ...(deprecation !== undefined && { deprecation }),
    ...(scale && { scale: { ...scale, siblings: family.siblings } }),
    get table() {
      return table();
    },
  };
  resource.storage = resource;
  return resource;
}

function subresourcesOf(version: Version, { crd, names }: Family): ServedResource['subresources'] {
  const { status, scale } = version.subresources ?? {};
  const kind = { group: crd.spec.group, version: version.name, kind: names.kind };
  const scaleKind = { group: 'autoscaling', version: 'v1', kind: 'Scale' };
  const both = ['get', 'patch', 'update'];
  return [
    ...(status ? [{ name: 'status', kind, verbs: both, typeName: '' }] : []),
    ...(scale ? [{ name: 'scale', kind: scaleKind, verbs: both, typeName: 'io.k8s.api.autoscaling.v1.Scale' }] : []),
  ];
}

/** What is said of a deprecated version, with the newest served one that is not. */
function deprecationOf({ spec }: CustomResourceDefinition, version: Version): string {
  if (version.deprecationWarning !== undefined) return version.deprecationWarning;
  const { group, names } = spec;
  const newer = spec.versions
    .filter(({ name, served, deprecated }) => served && !deprecated && compareVersions(name, version.name) < 0)
    .map(({ name }) => name)
    .sort(compareVersions);
  const use = newer[0] === undefined ? '' : `; use ${group}/${newer[0]} ${names.kind}`;
  return `${group}/${version.name} ${names.kind} is deprecated${use}`;
}
