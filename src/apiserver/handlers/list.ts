/**
 * GET of a list, whole or by pages, at the current or a given revision, sent in pieces. Upstream: apiserver
 * pkg/endpoints/handlers/get.go ListResource, pkg/storage/etcd3/store.go GetList, pkg/storage/cacher.
 */
import { builtinTypes } from '#api/tables';
import { badRequest, expired, type KubeObject, type ListMeta, protobufListPieces, writeProtobuf } from '#apimachinery';
import { StorageError } from '#storage';
import type { ServerResponse } from '../http/message.ts';
import { type ObjectItem, sentBytes } from '../registry/caches.ts';
import { apiVersionText, fromStorage, type ServedResource, storageKey, storageRange } from '../scheme/resource.ts';
import { listStruct, metadataListStruct } from '../serialization/list-structs.ts';
import { negotiateOutput, type OutputType } from '../serialization/negotiation.ts';
import { asMetadata } from '../serialization/partial-metadata.ts';
import { encodeAs, notAList } from '../serialization/respond.ts';
import { checkTableOptions, tableFor, tableOf } from '../serialization/table.ts';
import { shownFilter, shownItems } from './common.ts';
import {
  decodeContinue,
  encodeContinue,
  type ListOptions,
  listOptions,
  listRevisionOf,
  selects,
  tooLargeVersion,
  waitForRevision,
} from './list-options.ts';
import type { Scope } from './scope.ts';

interface Page {
  readonly items: readonly ObjectItem[];
  readonly meta: ListMeta;
}

/** Items are sent in pieces of about this size, so that no answer stands in the way of others on its connection. */
const pieceBytes = 256 * 1024;

export async function listObjects(scope: Scope): Promise<ServerResponse> {
  const { request, resource } = scope;
  const output = negotiateOutput(request);
  const options = listOptions(request.query, resource, false);
  const page = await readPage(scope, options);
  return respondList(scope, page, output);
}

/** What the options select, for this handler and for deletecollection. */
export async function readPage(scope: Scope, options: ListOptions): Promise<Page> {
  const page = await storedPage(scope, options);
  return { ...page, items: await shownItems(scope.resource, page.items) };
}

async function storedPage(scope: Scope, options: ListOptions): Promise<Page> {
  const { resource, deps, request } = scope;
  const cache = deps.caches.of(resource);
  const namespace = scope.namespace || namespaceOf(options, resource);
  const prefix = storageRange(resource.storage, namespace);
  if (options.continue !== '') return continued(scope, options, prefix);
  const { resourceVersion: version, resourceVersionMatch: match, limit } = options;
  if (version === '' || version === '0') await cache.fresh(request.signal);
  else await waitForRevision(cache, listRevisionOf(version), deps.clock, request.signal);
  const exact = version !== '' && version !== '0' && (match === 'Exact' || (match === '' && limit > 0));
  const filter = await shownFilter(resource, selects(options), () => cache.list({ prefix }).items);
  if (exact) {
    const revision = listRevisionOf(version);
    if (revision < cache.revision) return historic(scope, options, prefix, revision, undefined);
  }
  const name = options.fields.requiredValue('metadata.name');
  if (name !== undefined && (namespace !== '' || !resource.namespaced)) {
    const item = cache.get(storageKey(resource.storage, namespace, name));
    const items = item && (!filter || filter(item)) ? [item] : [];
    return { items, meta: { resourceVersion: String(cache.revision) } };
  }
  const index = nodeIndex(options, resource);
  const list = cache.list({
    prefix,
    ...(limit > 0 && version !== '0' && { limit }),
    ...(index && { index }),
    ...(filter && { filter }),
  });
  return paged(list.items, list.revision, list.more, list.remaining, prefix, options);
}

function paged(
  items: readonly ObjectItem[],
  revision: number,
  more: boolean,
  remaining: number,
  prefix: string,
  options: ListOptions,
): Page {
  const meta: { -readonly [K in keyof ListMeta]: ListMeta[K] } = { resourceVersion: String(revision) };
  if (more && items.length > 0) {
    meta.continue = encodeContinue({ revision, start: items.at(-1)!.key.slice(prefix.length) });
    if (options.labels.isEmpty && options.fields.isEmpty) meta.remainingItemCount = remaining;
  }
  return { items, meta };
}

async function continued(scope: Scope, options: ListOptions, prefix: string): Promise<Page> {
  const { resourceVersion } = options;
  if (resourceVersion !== '' && resourceVersion !== '0') {
    throw badRequest('specifying resource version is not allowed when using continue');
  }
  const token = decodeContinue(options.continue);
  const cache = scope.deps.caches.of(scope.resource);
  await cache.fresh(scope.request.signal);
  if (token.revision > 0) return historic(scope, options, prefix, token.revision, prefix + token.start);
  const filter = await shownFilter(scope.resource, selects(options), () => cache.list({ prefix }).items);
  const list = cache.list({
    prefix,
    after: prefix + token.start,
    ...(options.limit > 0 && { limit: options.limit }),
    ...(filter && { filter }),
  });
  return paged(list.items, list.revision, list.more, list.remaining, prefix, options);
}

/** A page as of an earlier revision, filled up from further pages while a selector leaves it short. */
async function historic(
  scope: Scope,
  options: ListOptions,
  prefix: string,
  revision: number,
  after: string | undefined,
): Promise<Page> {
  const cache = scope.deps.caches.of(scope.resource);
  const { limit } = options;
  const items: ObjectItem[] = [];
  let from = after;
  try {
    for (;;) {
      const page = await cache.listAt(revision, {
        prefix,
        ...(from !== undefined && { after: from }),
        limit: Math.max(0, limit),
      });
      const filter = await shownFilter(scope.resource, selects(options), () => page.items);
      for (const [at, item] of page.items.entries()) {
        if (filter && !filter(item)) continue;
        items.push(item);
        if (limit > 0 && items.length === limit) {
          const left = page.remaining + page.items.length - at - 1;
          return paged(items, revision, left > 0, left, prefix, options);
        }
      }
      if (!page.more) return { items, meta: { resourceVersion: String(revision) } };
      from = page.items.at(-1)!.key;
    }
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    if (error.code === 'futureRevision') throw tooLargeVersion(revision, cache.revision);
    if (error.code !== 'compacted') throw error;
    throw compacted(after, prefix, items);
  }
}

/** 410; with a token for the inconsistent rest when the client was paging. Upstream: etcd3/errors.go. */
function compacted(after: string | undefined, prefix: string, seen: readonly ObjectItem[]): Error {
  const start = seen.at(-1)?.key ?? after;
  if (start === undefined) return expired('The resourceVersion for the provided list is too old.');
  const token = encodeContinue({ revision: -1, start: start.slice(prefix.length) });
  return expired(
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
    { continue: token },
  );
}

/** A list over all namespaces that a field selector narrows to one. */
function namespaceOf(options: ListOptions, resource: ServedResource): string {
  return resource.namespaced ? (options.fields.requiredValue('metadata.namespace') ?? '') : '';
}

/** The index that a selector can use. */
export function nodeIndex(
  options: Pick<ListOptions, 'fields'>,
  resource: ServedResource,
): { name: string; value: string } | undefined {
  if (resource.storage.group !== '' || resource.storage.resource !== 'pods') return undefined;
  const value = options.fields.requiredValue('spec.nodeName');
  return value === undefined ? undefined : { name: 'spec.nodeName', value };
}

export async function respondList(scope: Scope, page: Page, output: OutputType): Promise<ServerResponse> {
  const { resource } = scope;
  const raw = resource.storage === resource && !output.as && output.mediaType === 'application/json' && !output.pretty;
  const headers: Record<string, string> = { 'content-type': output.mediaType };
  if (raw) return { status: 200, headers, body: { kind: 'chunks', chunks: rawPieces(resource, page) } };
  if (output.mediaType === 'application/vnd.kubernetes.protobuf' && !output.as && !resource.custom) {
    return { status: 200, headers, body: { kind: 'chunks', chunks: protobufPieces(scope, page) } };
  }
  const bytes = await listBytes(scope, page, output);
  return { status: 200, headers, body: { kind: 'bytes', bytes } };
}

/** Items that are encoded before others on this thread have their turn. */
const itemsATurn = 50;

/**
 * A list as protobuf. Its length stands before it, so all items are encoded first, a few a turn; each is kept with its
 * item of the cache.
 */
async function* protobufPieces({ resource }: Scope, { items, meta }: Page): AsyncGenerator<Uint8Array> {
  const form = `message:${apiVersionText(resource)}`;
  const strip = bare(resource);
  const messages: Uint8Array[] = [];
  for (const [at, item] of items.entries()) {
    if (at % itemsATurn === itemsATurn - 1) await new Promise<void>(resolve => setImmediate(resolve));
    const encode = () => writeProtobuf(strip(fromStorage(resource, item.object)), resource.struct);
    messages.push(item.form(form, encode));
  }
  const listMeta = builtinTypes.struct('io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta');
  const typeMeta = { apiVersion: apiVersionText(resource), kind: resource.listKind };
  let parts: Uint8Array[] = [];
  let size = 0;
  for (const piece of protobufListPieces(typeMeta, writeProtobuf(meta, listMeta), messages)) {
    parts.push(piece);
    size += piece.length;
    if (size < pieceBytes) continue;
    yield Buffer.concat(parts);
    parts = [];
    size = 0;
  }
  if (parts.length > 0) yield Buffer.concat(parts);
}

/** Length of `"kind":"Pod","apiVersion":"v1",` in stored bytes: items of built-in lists are sent without. */
export function headLength(resource: ServedResource): number {
  if (resource.custom) return 0;
  return `"kind":"${resource.kind}","apiVersion":"${apiVersionText(resource)}",`.length;
}

/** Lists of custom kinds have no type that would leave out an empty token. */
function listMetaOf({ custom }: ServedResource, meta: ListMeta): ListMeta {
  return custom ? { continue: '', ...meta } : meta;
}

async function* rawPieces(resource: ServedResource, { items, meta }: Page): AsyncGenerator<Uint8Array> {
  const head = { kind: resource.listKind, apiVersion: apiVersionText(resource), metadata: listMetaOf(resource, meta) };
  let parts: Buffer[] = [Buffer.from(`${JSON.stringify(head).slice(0, -1)},"items":[`)];
  let size = 0;
  const skip = headLength(resource);
  const comma = Buffer.from(',');
  for (const [at, item] of items.entries()) {
    if (at > 0) parts.push(comma);
    const bytes = sentBytes(item, skip);
    parts.push(bytes);
    size += bytes.length;
    if (size < pieceBytes) continue;
    yield Buffer.concat(parts);
    parts = [];
    size = 0;
  }
  parts.push(Buffer.from(']}\n'));
  yield Buffer.concat(parts);
}

async function listBytes(scope: Scope, page: Page, output: OutputType): Promise<Uint8Array> {
  const { resource, request, deps } = scope;
  if (output.as === 'Table') {
    const includeObject = request.query.get('includeObject');
    checkTableOptions(includeObject ?? '');
    const options = { resource, output, nowMs: deps.clock.now(), includeObject, listMeta: page.meta };
    const stored = page.items.map(item => item.object);
    return encodeAs(tableOf(await tableFor(resource), stored, options), undefined, output);
  }
  const objects = page.items.map(item => fromStorage(resource, item.object));
  if (output.as === 'PartialObjectMetadataList') {
    const list = {
      kind: 'PartialObjectMetadataList',
      apiVersion: `meta.k8s.io/${output.version}`,
      metadata: page.meta,
      items: objects.map(object => asMetadata(object, output.version)),
    };
    return encodeAs(list, metadataListStruct(), output);
  }
  if (output.as === 'PartialObjectMetadata') {
    throw notAList(`you requested PartialObjectMetadata, but the requested object is a list (${resource.listKind})`);
  }
  return encodeAs(
    {
      kind: resource.listKind,
      apiVersion: apiVersionText(resource),
      metadata: listMetaOf(resource, page.meta),
      items: objects.map(bare(resource)),
    },
    listStruct(resource),
    output,
  );
}

/** Items of built-in lists carry neither kind nor apiVersion. */
function bare(resource: ServedResource): (object: KubeObject) => object {
  if (resource.custom) return object => object;
  return ({ kind: _kind, apiVersion: _version, ...rest }) => rest;
}
