/**
 * Definitions as upstream's servers store them: in v1beta1, which is served no more. Upstream: apiextensions-apiserver
 * pkg/apis/apiextensions/v1/conversion.go, pkg/apis/apiextensions/v1beta1/defaults.go.
 */
import type { Draft, KubeObject } from '#apimachinery';

interface OlderColumn {
  readonly JSONPath?: string;
}

/** What a version of v1 has, and what v1beta1 may say once for all of them. */
interface Shared {
  validation?: unknown;
  subresources?: unknown;
  additionalPrinterColumns?: readonly OlderColumn[];
  selectableFields?: unknown;
}

interface OlderConversion {
  readonly strategy?: string;
  readonly webhookClientConfig?: unknown;
  readonly conversionReviewVersions?: readonly string[];
}

interface OlderVersion {
  schema?: unknown;
  subresources?: unknown;
  additionalPrinterColumns?: readonly OlderColumn[];
  selectableFields?: unknown;
}

interface OlderSpec extends Shared {
  version?: string;
  versions?: ReadonlyArray<OlderVersion & { readonly name: string }>;
  conversion?: OlderConversion;
  preserveUnknownFields?: boolean;
}

export function isOlderDefinition({ apiVersion, kind }: Pick<KubeObject, 'apiVersion' | 'kind'>): boolean {
  return kind === 'CustomResourceDefinition' && apiVersion === 'apiextensions.k8s.io/v1beta1';
}

/** The definition in v1. */
export function newerDefinition(older: Draft<KubeObject>): Draft<KubeObject> {
  const { version, versions, validation, subresources, additionalPrinterColumns, selectableFields, ...rest } = older[
    'spec'
  ] as OlderSpec;
  const shared: OlderVersion = {
    ...(validation !== undefined && { schema: validation }),
    ...(subresources !== undefined && { subresources }),
    ...(additionalPrinterColumns && { additionalPrinterColumns }),
    ...(selectableFields !== undefined && { selectableFields }),
  };
  const all = versions ?? (version ? [{ name: version, served: true, storage: true }] : []);
  const spec = {
    ...rest,
    preserveUnknownFields: rest.preserveUnknownFields ?? true,
    ...(rest.conversion && { conversion: newerConversion(rest.conversion) }),
    versions: all.map(each => newerVersion({ ...each, ...shared })),
  };
  return { ...older, apiVersion: 'apiextensions.k8s.io/v1', spec } as Draft<KubeObject>;
}

function newerVersion({ additionalPrinterColumns: columns, ...version }: OlderVersion): object {
  if (!columns) return version;
  return {
    ...version,
    additionalPrinterColumns: columns.map(({ JSONPath: jsonPath, ...own }) => ({ ...own, jsonPath })),
  };
}

function newerConversion({ strategy, webhookClientConfig, conversionReviewVersions }: OlderConversion): object {
  const webhook = {
    ...(webhookClientConfig !== undefined && { clientConfig: webhookClientConfig }),
    ...(conversionReviewVersions && { conversionReviewVersions }),
  };
  return { strategy, ...(webhookClientConfig !== undefined || conversionReviewVersions ? { webhook } : {}) };
}
