/** Objects as rows of cells for people. Upstream: apiserver registry/rest/table.go, printers/internalversion. */
import { genericTable, type KindTable, kindTable } from '#api/columns';
import { aggregateText, badRequest, type KubeObject, type ListMeta, validateTableOptions } from '#apimachinery';
import { fromStorage, type ServedResource } from '../scheme/resource.ts';
import type { OutputType } from './negotiation.ts';
import { asMetadata } from './partial-metadata.ts';

export interface TableOptions {
  readonly resource: ServedResource;
  readonly output: OutputType;
  readonly nowMs: number;
  /** `Metadata` when absent. */
  readonly includeObject: string | undefined;
  readonly listMeta: ListMeta;
  /** Watches send the columns with the first event only. */
  readonly columns?: boolean;
}

/** How a resource is shown; loaded when first asked for. */
export function tableFor(resource: ServedResource): Promise<KindTable> {
  return resource.table ? Promise.resolve(resource.table) : kindTable(resource.storage.group, resource.kind);
}

/** Throws 400 for a wrong includeObject. */
export function checkTableOptions(includeObject: string): void {
  const errors = validateTableOptions(includeObject);
  if (errors.length > 0) throw badRequest(`Unable to convert to Table as requested: ${aggregateText(errors)}`);
}

/** A meta.k8s.io Table of objects of the stored version. */
export function tableOf(table: KindTable, objects: readonly KubeObject[], options: TableOptions): object {
  const { output, includeObject = '', nowMs, resource } = options;
  const rows = objects.map(object => ({
    ...rowOf(table, object, nowMs),
    object: included(fromStorage(resource, object), includeObject, output),
  }));
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${output.version}`,
    metadata: options.listMeta,
    columnDefinitions: options.columns === false ? null : table.columns,
    rows: rows.length === 0 ? table.emptyRows : rows,
  };
}

/** A bookmark has nothing but a resourceVersion, which not every kind's row can show. */
function rowOf(table: KindTable, object: KubeObject, nowMs: number): ReturnType<KindTable['row']> {
  if (object.metadata.name) return table.row(object, nowMs);
  try {
    return table.row({ spec: {}, status: {}, ...object }, nowMs);
  } catch {
    return genericTable().row(object, nowMs);
  }
}

function included(object: KubeObject, include: string, output: OutputType): object | null {
  const initialEnd = object.metadata.annotations?.['k8s.io/initial-events-end'] === 'true';
  if (include === 'None' && !initialEnd) return null;
  return include === 'Object' ? object : asMetadata(object, output.version);
}
