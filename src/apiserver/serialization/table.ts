/** Objects as rows of cells for people. Upstream: apiserver registry/rest/table.go, printers/internalversion. */
import { formatTime, invalid, type KubeObject, type ListMeta, validateTableOptions } from '#apimachinery';
import type { ServedResource } from '../scheme/resource.ts';
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

const swaggerMetadata = {
  name: 'Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names',
};

/** The columns of a kind without its own: name and creation. */
const genericColumns = [
  { name: 'Name', type: 'string', format: 'name', description: swaggerMetadata.name, priority: 0 },
  { name: 'Created At', type: 'date', format: '', description: '', priority: 0 },
];

/** A meta.k8s.io Table. Throws 422 for a wrong includeObject. */
export function tableOf(objects: readonly KubeObject[], options: TableOptions): object {
  const { resource, output, includeObject = '' } = options;
  const errors = validateTableOptions(includeObject);
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind: 'TableOptions' }, '', errors);
  const rows = objects.map(object => ({
    cells: [object.metadata.name ?? '', object.metadata.creationTimestamp ?? formatTime(0)],
    object: included(object, includeObject, output, resource),
  }));
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${output.version}`,
    metadata: options.listMeta,
    columnDefinitions: options.columns === false ? null : genericColumns,
    rows,
  };
}

function included(object: KubeObject, include: string, output: OutputType, _resource: ServedResource): object | null {
  if (include === 'None') return null;
  return include === 'Object' ? object : asMetadata(object, output.version);
}
