/**
 * How a page of objects is shown: the frame around the elements (kind, apiVersion, metadata, a table's columns) and how
 * one stored state becomes an element. Upstream: apiserver pkg/endpoints/handlers/response.go.
 */
import type { KubeObject, ListMeta, StructNode } from '#apimachinery';
import type { ObjectItem } from '../registry/caches.ts';
import { wireObject } from '../registry/wire-object.ts';
import { apiVersionText, fromStorage, type ServedResource } from '../scheme/resource.ts';
import { listStruct, metadataListStruct } from './list-structs.ts';
import type { OutputType } from './negotiation.ts';
import { asMetadata, metadataStruct } from './partial-metadata.ts';
import { notAList } from './respond.ts';
import { checkTableOptions, tableFor, tableOf } from './table.ts';

export interface ListForm {
  /** The list without its elements. */
  readonly frame: Readonly<Record<string, unknown>>;
  /** Where the elements stand; in every encoding nothing follows them but metadata and columns in YAML. */
  readonly elements: 'items' | 'rows';
  /** Types of the list and of an element; absent for tables and custom kinds. */
  readonly struct: StructNode | undefined;
  readonly elementStruct: StructNode | undefined;
  /** What stands there when there is none. */
  readonly empty: readonly unknown[] | null;
  element(object: KubeObject): object;
  /** The state for an element that is written as protobuf. */
  read(item: ObjectItem): KubeObject;
  /** The order of the elements; absent: that of their keys. */
  readonly compare?: ((a: KubeObject, b: KubeObject) => number) | undefined;
  /** Names what `element` makes, where it is the same for every request; what is encoded may be kept under it. */
  readonly name: string | undefined;
}

/** Go's type of the list, as upstream's texts have it: internal types by package, custom ones without. */
function goListType({ custom, group, listKind }: ServedResource): string {
  if (custom) return '*unstructured.UnstructuredList';
  const name = group === 'events.k8s.io' || group === '' ? 'core' : group.split('.')[0];
  return `*${name}.${listKind}`;
}

export interface ListFormOptions {
  readonly resource: ServedResource;
  readonly output: OutputType;
  readonly meta: ListMeta;
  readonly nowMs: number;
  readonly includeObject: string | undefined;
}

/** Throws 400 for wrong table options, 406 when one object's metadata is asked for. */
export async function listForm(options: ListFormOptions): Promise<ListForm> {
  const { resource, output, meta } = options;
  const apiVersion = `meta.k8s.io/${output.version}`;
  if (output.as === 'Table') return tableForm(options);
  if (output.as === 'PartialObjectMetadata') {
    throw notAList(`you requested PartialObjectMetadata, but the requested object is a list (${goListType(resource)})`);
  }
  if (output.as === 'PartialObjectMetadataList') {
    return {
      frame: { kind: 'PartialObjectMetadataList', apiVersion, metadata: meta },
      elements: 'items',
      struct: metadataListStruct(),
      elementStruct: metadataStruct(),
      empty: null,
      element: object => asMetadata(fromStorage(resource, object), output.version),
      read: readerOf(resource, true),
      name: `item:metadata:${output.version}`,
    };
  }
  const bare = bareObject(resource);
  return {
    frame: { kind: resource.listKind, apiVersion: apiVersionText(resource), metadata: listMetaOf(resource, meta) },
    elements: 'items',
    struct: listStruct(resource),
    elementStruct: resource.custom ? undefined : resource.struct,
    empty: [],
    element: object => bare(fromStorage(resource, object)),
    read: readerOf(resource, false),
    name: `item:${apiVersionText(resource)}`,
  };
}

async function tableForm({ resource, output, meta, nowMs, includeObject }: ListFormOptions): Promise<ListForm> {
  checkTableOptions(includeObject ?? '');
  const table = await tableFor(resource);
  const options = { resource, output, nowMs, includeObject, listMeta: meta };
  return {
    frame: {
      kind: 'Table',
      apiVersion: `meta.k8s.io/${output.version}`,
      metadata: meta,
      columnDefinitions: table.columns,
    },
    elements: 'rows',
    struct: undefined,
    elementStruct: undefined,
    empty: table.emptyRows,
    compare: table.compare,
    element: object => (tableOf(table, [object], options) as { rows: object[] }).rows[0]!,
    read: readerOf(resource, false),
    name: undefined,
  };
}

/** Other versions than the stored one are made from the decoded object, and so are those of custom kinds. */
function readerOf(resource: ServedResource, onlyMetadata: boolean): ListForm['read'] {
  if (resource.custom || resource.storage !== resource) return item => item.passing;
  return ({ bytes, modRevision }) =>
    wireObject(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), modRevision, onlyMetadata);
}

/** Items of built-in lists carry neither kind nor apiVersion. */
function bareObject(resource: ServedResource): (object: KubeObject) => object {
  if (resource.custom) return object => object;
  return ({ kind: _kind, apiVersion: _version, ...rest }) => rest;
}

/** Lists of custom kinds have no type that would leave out an empty token. */
function listMetaOf({ custom }: ServedResource, meta: ListMeta): ListMeta {
  return custom ? { continue: '', ...meta } : meta;
}

/** Length of `"kind":"Pod","apiVersion":"v1",` in stored bytes: items of built-in lists are sent without. */
export function headLength(resource: ServedResource): number {
  if (resource.custom) return 0;
  return `"kind":"${resource.kind}","apiVersion":"${apiVersionText(resource)}",`.length;
}
