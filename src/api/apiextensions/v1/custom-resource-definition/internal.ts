/**
 * A definition's spec as upstream's internal type has it, of which validation speaks: what all versions have alike
 * stands above them. Upstream: apiextensions-apiserver pkg/apis/apiextensions/v1/conversion.go.
 *
 * Worked example: of two versions with equal schemas and different columns, `schema` is that of both and each of
 * `versions` has `columns` only; errors then name `spec.validation` and `spec.versions[i].additionalPrinterColumns`.
 */
import { semanticEqual } from '#apimachinery';
import { internalSchema, type JsonSchema } from '#apimachinery/schema';
import type { CustomResourceDefinition } from '../../../types.ts';

type Spec = CustomResourceDefinition['spec'];
export type Version = Spec['versions'][number];
export type Column = NonNullable<Version['additionalPrinterColumns']>[number];
export type Subresources = NonNullable<Version['subresources']>;
export type SelectableField = NonNullable<Version['selectableFields']>[number];

/** What may stand in a version or above all of them. */
export interface Shared {
  /** Present where `schema` is, even without a schema in it. */
  readonly validation?: { readonly openAPIV3Schema?: JsonSchema } | undefined;
  readonly subresources?: Subresources | undefined;
  readonly columns?: readonly Column[] | undefined;
  readonly selectableFields?: readonly SelectableField[] | undefined;
}

export interface InternalVersion extends Shared {
  readonly facts: Version;
}

export interface InternalSpec extends Shared {
  readonly versions: readonly InternalVersion[];
}

function sharedOf(version: Version): Shared {
  return {
    validation: (version.schema ?? undefined) as Shared['validation'],
    subresources: version.subresources ?? undefined,
    columns: version.additionalPrinterColumns ?? undefined,
    selectableFields: version.selectableFields ?? undefined,
  };
}

export function internalSpec(spec: Spec): InternalSpec {
  const all = (spec.versions ?? []).map(facts => ({ facts, ...sharedOf(facts) }));
  const [first] = all;
  if (!first) return { versions: [] };
  const names = ['validation', 'subresources', 'columns', 'selectableFields'] as const;
  const alike = names.filter(name => all.every(version => semanticEqual(version[name], first[name])));
  const above: Shared = Object.fromEntries(alike.map(name => [name, first[name]]));
  const below = Object.fromEntries(alike.map(name => [name, undefined]));
  return { ...above, versions: all.map(version => ({ ...version, ...below })) };
}

/** All schemas of a spec. */
export function schemasOf({ validation, versions }: InternalSpec): JsonSchema[] {
  return [validation, ...versions.map(version => version.validation)].flatMap(each => each?.openAPIV3Schema ?? []);
}

/** Versions as upstream's errors print them. */
export function printedVersions(spec: Spec, { versions }: InternalSpec): unknown {
  if (!spec.versions) return null;
  return versions.map(({ facts, validation, subresources, columns, selectableFields }) => ({
    Name: facts.name ?? '',
    Served: facts.served ?? false,
    Storage: facts.storage ?? false,
    Deprecated: facts.deprecated ?? false,
    DeprecationWarning: facts.deprecationWarning ?? null,
    Schema: validation ? { OpenAPIV3Schema: internalSchema(validation.openAPIV3Schema) } : null,
    Subresources: subresources ? printedSubresources(subresources) : null,
    AdditionalPrinterColumns: columns?.map(printedColumn) ?? null,
    SelectableFields: selectableFields?.map(({ jsonPath = '' }) => ({ JSONPath: jsonPath })) ?? null,
  }));
}

function printedSubresources({ status, scale }: Subresources): object {
  return {
    Status: status ? {} : null,
    Scale: scale
      ? {
          SpecReplicasPath: scale.specReplicasPath ?? '',
          StatusReplicasPath: scale.statusReplicasPath ?? '',
          LabelSelectorPath: scale.labelSelectorPath ?? null,
        }
      : null,
  };
}

function printedColumn({ name = '', type = '', format = '', description = '', priority = 0, jsonPath = '' }: Column) {
  return { Name: name, Type: type, Format: format, Description: description, Priority: priority, JSONPath: jsonPath };
}
