/**
 * The served resources that a CustomResourceDefinition describes: one a served version, all over the stored one.
 * Upstream: apiextensions-apiserver pkg/apiserver/customresource_handler.go, pkg/registry/customresource/strategy.go.
 * Deviation: conversion is by `None` alone; CEL rules of schemas are not evaluated; defaults are not applied to what is
 * read from the store.
 */
import { customTable } from '#api/columns';
import type { KindRules } from '#api/kind';
import { builtinTypes } from '#api/tables';
import type { CustomResourceDefinition } from '#api/types';
import { type Draft, FieldPath, type KubeObject, type StructNode, semanticEqual } from '#apimachinery';
import {
  compileStructural,
  type JsonSchema,
  resourceNode,
  SchemaValidator,
  type Structural,
  validateEmbedded,
  validateListTypes,
} from '#apimachinery/schema';
import type { ServedResource } from '../scheme/resource.ts';
import { type CustomCodec, customCodec } from './codec.ts';

type Version = CustomResourceDefinition['spec']['versions'][number];

const objectMeta = () => builtinTypes.struct('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta');
const verbs = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'];

/** Every served version and, served or not, the stored one; the stored one first. */
export function customResources(crd: CustomResourceDefinition, keyPrefix: string): ServedResource[] {
  const { versions } = crd.spec;
  const stored = versions.find(version => version.storage) ?? versions[0]!;
  const hub = resourceOf(crd, stored, keyPrefix);
  const others = versions.filter(version => version.served && version !== stored);
  const made = others.map(version => ({ ...resourceOf(crd, version, keyPrefix), storage: hub }));
  return [hub, ...made];
}

function resourceOf(crd: CustomResourceDefinition, version: Version, keyPrefix: string): ServedResource {
  const { group, scope } = crd.spec;
  const names = crd.status?.acceptedNames ?? crd.spec.names;
  const raw = version.schema?.openAPIV3Schema as JsonSchema | undefined;
  const schema = raw && compileStructural(raw);
  const preserve = crd.spec.preserveUnknownFields === true;
  const codec = customCodec(schema, preserve);
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
    subresources: subresourcesOf(crd, version),
    rules: rulesOf(version, schema, raw, codec),
    struct: resourceNode(schema, objectMeta()) as StructNode,
    typeName: '',
    storageVersionHash: undefined,
    storagePrefix: `${keyPrefix}/${group}/${names.plural}`,
    storage: undefined as unknown as ServedResource,
    custom: true,
    codec,
    ...(version.subresources?.scale && { scale: version.subresources.scale }),
    table: customTable(version.additionalPrinterColumns),
  };
  resource.storage = resource;
  return resource;
}

function subresourcesOf(crd: CustomResourceDefinition, version: Version): ServedResource['subresources'] {
  const { status, scale } = version.subresources ?? {};
  const kind = { group: crd.spec.group, version: version.name, kind: crd.spec.names.kind };
  const both = ['get', 'patch', 'update'];
  return [
    ...(status ? [{ name: 'status', kind, verbs: both, typeName: '' }] : []),
    ...(scale
      ? [
          {
            name: 'scale',
            kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
            verbs: both,
            typeName: 'io.k8s.api.autoscaling.v1.Scale',
          },
        ]
      : []),
  ];
}

function rulesOf(
  version: Version,
  schema: Structural | undefined,
  raw: JsonSchema | undefined,
  codec: CustomCodec,
): KindRules {
  const hasStatus = version.subresources?.status !== undefined;
  const validator = raw && new SchemaValidator(raw);
  const root = schema && { ...schema, embeddedResource: true };
  const validate = (object: KubeObject, old: KubeObject | null) => [
    ...(validator?.validate(object, { path: FieldPath.root, ...(old && { old }) }) ?? []),
    ...validateEmbedded(object, schema, FieldPath.root, false),
    ...validateListTypes(object, root, FieldPath.root),
  ];
  return {
    defaults: codec.defaults,
    validate,
    validateStatus: validate,
    generation: { changed: (now, old) => changed(now, old, hasStatus) },
    prepareCreate(draft) {
      if (hasStatus) delete draft['status'];
    },
    prepareUpdate(draft, old) {
      if (hasStatus) keep(draft, old, 'status');
    },
    prepareStatus(draft, old) {
      const { managedFields, resourceVersion } = draft.metadata;
      draft.metadata = structuredClone(old.metadata) as typeof draft.metadata;
      if (managedFields) draft.metadata.managedFields = managedFields;
      else delete draft.metadata.managedFields;
      if (resourceVersion) draft.metadata.resourceVersion = resourceVersion;
      for (const key of new Set([...Object.keys(draft), ...Object.keys(old)])) {
        if (key !== 'status' && key !== 'metadata') keep(draft, old, key);
      }
    },
    allowUnconditionalUpdate: false,
  };
}

function keep(draft: Draft<KubeObject>, old: KubeObject, key: string): void {
  if (old[key] === undefined) delete draft[key];
  else draft[key] = structuredClone(old[key]);
}

/** Anything but metadata, and but status where that is a subresource. */
function changed(now: KubeObject, old: KubeObject, hasStatus: boolean): boolean {
  const keys = new Set([...Object.keys(now), ...Object.keys(old)]);
  keys.delete('metadata');
  if (hasStatus) keys.delete('status');
  return [...keys].some(key => !semanticEqual(now[key], old[key]));
}
