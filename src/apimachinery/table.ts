/**
 * Tables, as kubectl prints them, and objects cut down to their metadata.
 * Upstream: apimachinery pkg/apis/meta/v1/types.go (Table, PartialObjectMetadata).
 */
import type { ListMeta, ObjectMeta } from './meta.ts';

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
