/**
 * Tables, as kubectl prints them, and objects cut down to their metadata.
 * Upstream: apimachinery pkg/apis/meta/v1/types.go (Table), pkg/api/meta/table, apiserver
 * pkg/endpoints/handlers/response.go (asTable, asPartialObjectMetadata), kubernetes pkg/printers.
 */
import { humanDuration } from './duration.ts';
import type { KubeList, KubeObject, ListMeta, ObjectMeta } from './meta.ts';
import { parseTimeMs } from './time.ts';

export interface TableColumn {
  readonly name: string;
  /** An OpenAPI type: string, integer, number, boolean; `date` in custom resources' columns. */
  readonly type: string;
  /** `name` marks the column that clients take for the name. */
  readonly format: string;
  readonly description: string;
  /** 0 is always shown, the rest when asked for (`-o wide`). */
  readonly priority: number;
}

export interface TableRow {
  readonly cells: readonly unknown[];
  readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason?: string }[];
  /** What `includeObject` asked for: the object, its metadata, or nothing. */
  readonly object?: unknown;
}

export interface Table {
  readonly kind: 'Table';
  readonly apiVersion: string;
  readonly metadata: ListMeta;
  readonly columnDefinitions: readonly TableColumn[];
  readonly rows: readonly TableRow[];
}

/** An object of any kind, cut down to its metadata. */
export interface PartialObjectMetadata {
  readonly kind: 'PartialObjectMetadata';
  readonly apiVersion: string;
  readonly metadata: ObjectMeta;
}

export type IncludeObject = 'None' | 'Metadata' | 'Object';

export const metaVersion = 'meta.k8s.io/v1';

/** A column that is always shown unless `priority` is above 0. */
export function tableColumn(
  name: string,
  type: string,
  description: string,
  more: Partial<TableColumn> = {},
): TableColumn {
  return { name, type, format: '', description, priority: 0, ...more };
}

/** Rows in a table, with the list's (or the one object's) metadata. */
export function newTable(
  columns: readonly TableColumn[],
  rows: readonly TableRow[],
  metadata: ListMeta,
  apiVersion: string = metaVersion,
): Table {
  return { kind: 'Table', apiVersion, metadata, columnDefinitions: columns, rows };
}

/** The metadata of an object as an object of its own. */
export function partialObjectMetadata(object: KubeObject, apiVersion: string = metaVersion): PartialObjectMetadata {
  return { kind: 'PartialObjectMetadata', apiVersion, metadata: object.metadata };
}

/** The metadata of each item of a list. */
export function partialObjectMetadataList(
  list: KubeList,
  apiVersion: string = metaVersion,
): KubeList<PartialObjectMetadata> {
  const items = list.items.map(item => partialObjectMetadata(item, apiVersion));
  return { kind: 'PartialObjectMetadataList', apiVersion, metadata: list.metadata, items };
}

/** What goes into a row's `object`. */
export function rowObject(object: KubeObject, include: IncludeObject, apiVersion: string = metaVersion): unknown {
  if (include === 'Object') return object;
  return include === 'Metadata' ? partialObjectMetadata(object, apiVersion) : null;
}

/** The cell that shows how long ago a time was; `<unknown>` for none. */
export function ageCell(time: string | null | undefined, nowMs: number): string {
  const ms = parseTimeMs(time);
  return Number.isNaN(ms) ? '<unknown>' : humanDuration(nowMs - ms);
}

/** The two columns that kinds without columns of their own have, with what OpenAPI says of the two fields. */
export function defaultColumns(describe: { readonly name: string; readonly creationTimestamp: string }): TableColumn[] {
  return [
    tableColumn('Name', 'string', describe.name, { format: 'name' }),
    tableColumn('Created At', 'date', describe.creationTimestamp),
  ];
}

/** The row of a kind without columns of its own. */
export function defaultRow(object: KubeObject, include: IncludeObject): TableRow {
  const { name = '', creationTimestamp } = object.metadata;
  return { cells: [name, creationTimestamp ?? '<unknown>'], object: rowObject(object, include) };
}
