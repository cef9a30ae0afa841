/**
 * Tables for people: the columns of each kind and the row of an object. A kind's functions are loaded when first asked
 * for. Upstream: k8s.io/kubernetes pkg/printers/internalversion/printers.go, apiserver pkg/registry/rest/table.go.
 */

import { type Row, type RowOf, row } from './columns/cells.ts';
import { customColumns, customRow } from './columns/custom.ts';
import { type ColumnTuple, columnTuples } from './columns/definitions.gen.ts';
import { describe } from './openapi/descriptions.ts';
import type { CustomResourceColumnDefinition } from './types.ts';

export type { Cell, Row, RowCondition } from './columns/cells.ts';

/** A column as meta.k8s.io's Table shows it. Priority 1 is shown by `kubectl get -o wide` alone. */
export interface ColumnDefinition {
  readonly name: string;
  readonly type: string;
  readonly format: string;
  readonly description: string;
  readonly priority: number;
}

/** How a kind is shown. */
export interface KindTable {
  readonly columns: readonly ColumnDefinition[];
  /** The row of an object, which must be in its storage version (a HorizontalPodAutoscaler in v2, an Event in v1). */
  row(object: object, nowMs: number): Row;
  /** The order of a list's rows; absent: that of their keys. */
  readonly compare?: ((a: object, b: object) => number) | undefined;
  /** What `rows` is when there is no object: upstream's generic table leaves it null. */
  readonly emptyRows: readonly [] | null;
}

type Loader = () => Promise<{ readonly rows: Readonly<Record<string, RowOf>> }>;

const others: Loader = () => import('./columns/others.ts');
const loaders: Readonly<Record<string, Loader>> = {
  '': () => import('./columns/core.ts'),
  'admissionregistration.k8s.io': () => import('./columns/admissionregistration.ts'),
  'apiregistration.k8s.io': others,
  apps: () => import('./columns/apps.ts'),
  autoscaling: () => import('./columns/autoscaling.ts'),
  batch: () => import('./columns/batch.ts'),
  'certificates.k8s.io': others,
  'coordination.k8s.io': others,
  'discovery.k8s.io': () => import('./columns/networking.ts'),
  'flowcontrol.apiserver.k8s.io': others,
  'networking.k8s.io': () => import('./columns/networking.ts'),
  'node.k8s.io': others,
  policy: others,
  'rbac.authorization.k8s.io': others,
  'resource.k8s.io': others,
  'scheduling.k8s.io': others,
  'storage.k8s.io': () => import('./columns/storage.ts'),
};

const objectMeta = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';

/** `@<definition>.<field>` is that field's description. */
function resolve(description: string): string {
  if (!description.startsWith('@')) return description;
  const dot = description.lastIndexOf('.');
  // The choices one by one are OpenAPI's alone.
  return describe(description.slice(1, dot), description.slice(dot + 1)).replace(
    /\n\nPossible enum values:\n[\s\S]*$/,
    '',
  );
}

/** Of kinds that are not served by default. */
const optionalTuples: Readonly<Record<string, readonly ColumnTuple[]>> = {
  ClusterTrustBundle: [
    ['Name', 'string', 'name', 0, `@${objectMeta}.name`],
    ['SignerName', 'string', '', 0, '@io.k8s.api.certificates.v1beta1.ClusterTrustBundleSpec.signerName'],
  ],
};

function tuplesOf(kind: string): readonly ColumnTuple[] | undefined {
  if (Object.hasOwn(columnTuples, kind)) return columnTuples[kind];
  return Object.hasOwn(optionalTuples, kind) ? optionalTuples[kind] : undefined;
}

function columnsOf(kind: string): ColumnDefinition[] {
  return tuplesOf(kind)!.map(([name, type, format, priority, description]) => ({
    name,
    type,
    format,
    description: resolve(description),
    priority,
  }));
}

/** The generic table: name and time of creation. */
export function genericTable(): KindTable {
  return {
    columns: [
      { name: 'Name', type: 'string', format: 'name', description: describe(objectMeta, 'name'), priority: 0 },
      {
        name: 'Created At',
        type: 'date',
        format: '',
        description: describe(objectMeta, 'creationTimestamp'),
        priority: 0,
      },
    ],
    row: object => {
      const { metadata } = object as { metadata?: { name?: string; creationTimestamp?: string | null } };
      return row(metadata?.name ?? '', metadata?.creationTimestamp ?? '0001-01-01T00:00:00Z');
    },
    emptyRows: null,
  };
}

/** The table of a kind, by the group that stores it (see ResourceFacts.storageGroup); the generic one where it has none. */
export async function kindTable(storageGroup: string, kind: string): Promise<KindTable> {
  const load = loaders[storageGroup];
  const make = load && tuplesOf(kind) ? (await load()).rows[kind] : undefined;
  if (!make) return genericTable();
  return {
    columns: columnsOf(kind),
    row: (object, nowMs) => make(object as never, nowMs),
    compare: kind === 'FlowSchema' ? byPrecedence : undefined,
    emptyRows: [],
  };
}

/** Upstream: apiserver pkg/util/flowcontrol/formatting FlowSchemaSequence. */
function byPrecedence(a: object, b: object): number {
  const key = (object: object): [number, string] => {
    const { metadata, spec } = object as { metadata: { name: string }; spec: { matchingPrecedence?: number } };
    return [spec.matchingPrecedence ?? 0, metadata.name];
  };
  const [[x, first], [y, second]] = [key(a), key(b)];
  return x - y || (first < second ? -1 : 1);
}

/** The table of a custom resource, by the printer columns of its version; without any, name and age. */
export function customTable(definitions: readonly CustomResourceColumnDefinition[] | undefined): KindTable {
  const byAge: CustomResourceColumnDefinition = {
    name: 'Age',
    type: 'date',
    description: describe(objectMeta, 'creationTimestamp'),
    jsonPath: '.metadata.creationTimestamp',
  };
  const columns = customColumns(definitions?.length ? definitions : [byAge]);
  const headers = columns.map(({ definition }) => ({
    name: definition.name,
    type: definition.type,
    format: definition.format ?? '',
    description:
      definition.description || `Custom resource definition column (in JSONPath format): ${definition.jsonPath}`,
    priority: definition.priority ?? 0,
  }));
  return {
    columns: [genericTable().columns[0]!, ...headers],
    row: (object, nowMs) => customRow(columns, object, nowMs),
    emptyRows: [],
  };
}
