/**
 * Access to resources over any transport: one object a resource, bound to a namespace when it has one. Nothing here
 * knows kinds; types are the caller's, and typed names of the common kinds are in resources.ts.
 * Upstream: client-go dynamic/simple.go, gentype/type.go.
 */
import { apiVersionOf, type Draft, groupVersionPath, type Json, type KubeList, type KubeObject } from '#apimachinery';
import type { ApiRequest, Transport, WatchEvent } from './transport.ts';

/** Names a resource; the type parameter is the shape of its objects. */
export interface ResourceName<T extends KubeObject = KubeObject> {
  readonly group: string;
  readonly version: string;
  /** Lower-case plural, as in paths. */
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Never set; carries the type of the objects. */
  readonly objectType?: T;
}

/** The content types of a PATCH. Upstream: apimachinery pkg/types/patch.go. */
export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

const patchContentTypes: Readonly<Record<PatchType, string>> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

export interface CallOptions {
  readonly signal?: AbortSignal;
}
export interface WriteOptions extends CallOptions {
  readonly dryRun?: boolean;
  readonly fieldManager?: string;
  readonly fieldValidation?: 'Ignore' | 'Warn' | 'Strict';
}
export interface PatchOptions extends WriteOptions {
  readonly type: PatchType;
  /** Only for apply: takes fields over from other managers. */
  readonly force?: boolean;
  readonly subresource?: string;
}
export interface ListOptions extends CallOptions {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Objects a page; the whole list is fetched page by page when absent from `list`. */
  readonly limit?: number;
  readonly continue?: string;
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan';
}
export interface WatchOptions extends CallOptions {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly resourceVersion?: string;
  readonly allowWatchBookmarks?: boolean;
  readonly sendInitialEvents?: boolean;
  readonly timeoutSeconds?: number;
}
export interface DeleteOptions extends CallOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly dryRun?: boolean;
}

/** A watch event whose object has the resource's type; ERROR events are thrown as StatusErrors by consumers. */
export interface TypedWatchEvent<T> {
  readonly type: WatchEvent['type'];
  readonly object: T;
}

/**
 * The verbs on one resource. Every call rejects with a StatusError for an answer of 400 or above. Objects that come
 * back may be frozen; copy to change.
 */
export interface ResourceClient<T extends KubeObject = KubeObject> {
  readonly name: ResourceName<T>;
  /** The same resource in one namespace. */
  namespace(namespace: string): ResourceClient<T>;
  get(name: string, options?: CallOptions & { readonly resourceVersion?: string }): Promise<T>;
  list(options?: ListOptions): Promise<KubeList<T>>;
  watch(options?: WatchOptions): Promise<AsyncIterable<TypedWatchEvent<T>>>;
  /** `apiVersion` and `kind` are filled in. */
  create(object: Partial<T> | Draft<Partial<T>>, options?: WriteOptions): Promise<T>;
  update(object: T | Draft<T>, options?: WriteOptions): Promise<T>;
  updateStatus(object: T | Draft<T>, options?: WriteOptions): Promise<T>;
  patch(name: string, patch: object, options: PatchOptions): Promise<T>;
  /** Server-side apply of a partial object that has a name. */
  apply(
    object: Partial<T>,
    options: WriteOptions & { readonly fieldManager: string; readonly force?: boolean },
  ): Promise<T>;
  /** Answers the deleted object, or a Status. */
  delete(name: string, options?: DeleteOptions): Promise<Json>;
  deleteCollection(options?: DeleteOptions & ListOptions): Promise<Json>;
  /** POST (or another method) to a subresource such as `eviction`, `binding`, `token`. */
  subresource(name: string, subresource: string, body: object | undefined, options?: SubresourceOptions): Promise<Json>;
}

export interface SubresourceOptions extends WriteOptions {
  readonly method?: ApiRequest['method'];
  readonly query?: ReadonlyArray<readonly [string, string]>;
}

/** Everything that a client of the API needs. */
export interface Client {
  readonly transport: Transport;
  resource<T extends KubeObject>(name: ResourceName<T>): ResourceClient<T>;
  /** GET of any path, parsed. */
  getJson(path: string, query?: ReadonlyArray<readonly [string, string]>): Promise<Json>;
}

/** A client on `transport`; `fieldManager` is sent with every write that does not name another. */
export function createClient(transport: Transport, options: { readonly fieldManager?: string } = {}): Client {
  return {
    transport,
    resource: name => resourceClient(transport, name, undefined, options.fieldManager),
    async getJson(path, query) {
      return (await transport.request({ method: 'GET', path, ...(query && { query }) })).json();
    },
  };
}

function resourceClient<T extends KubeObject>(
  transport: Transport,
  resource: ResourceName<T>,
  namespace: string | undefined,
  fieldManager: string | undefined,
): ResourceClient<T> {
  const collection = (inNamespace = namespace): string => {
    const scope =
      resource.namespaced && inNamespace !== undefined ? `/namespaces/${encodeURIComponent(inNamespace)}` : '';
    return `${groupVersionPath(resource)}${scope}/${resource.resource}`;
  };
  const item = (name: string, inNamespace?: string): string => {
    const scope = inNamespace ?? namespace;
    if (resource.namespaced && scope === undefined) throw new TypeError(`${resource.resource}: no namespace given`);
    return `${collection(scope)}/${encodeURIComponent(name)}`;
  };
  const send = async (request: ApiRequest): Promise<Json> => (await transport.request(request)).json();
  const typed = (object: object): object => ({ apiVersion: apiVersionOf(resource), kind: resource.kind, ...object });
  const writeQuery = (options: WriteOptions & { force?: boolean } = {}): Array<readonly [string, string]> =>
    queryOf({
      dryRun: options.dryRun ? 'All' : undefined,
      fieldManager: options.fieldManager ?? fieldManager,
      fieldValidation: options.fieldValidation,
      force: options.force,
    });
  const put = async (object: T | Draft<T>, subresource: string, options: WriteOptions = {}): Promise<T> => {
    const { name = '', namespace: own } = (object as T).metadata;
    const path = `${item(name, own)}${subresource}`;
    return (await send({
      method: 'PUT',
      path,
      query: writeQuery(options),
      body: typed(object),
      ...abort(options),
    })) as T;
  };
  const patch = async (path: string, body: object, options: PatchOptions): Promise<T> =>
    (await send({
      method: 'PATCH',
      path: options.subresource ? `${path}/${options.subresource}` : path,
      query: writeQuery(options),
      headers: { 'content-type': patchContentTypes[options.type] },
      body,
      ...abort(options),
    })) as T;
  return {
    name: resource,
    namespace: to => resourceClient(transport, resource, to, fieldManager),
    async get(name, options = {}) {
      const query = queryOf({ resourceVersion: options.resourceVersion });
      return (await send({ method: 'GET', path: item(name), query, ...abort(options) })) as unknown as T;
    },
    list: options => listAll(send, collection(), options),
    async watch(options = {}) {
      const { signal: _, ...parameters } = options;
      const query: Array<readonly [string, string]> = [['watch', 'true'], ...queryOf(parameters)];
      if (options.sendInitialEvents) query.push(['resourceVersionMatch', 'NotOlderThan']);
      const response = await transport.request({ method: 'GET', path: collection(), query, ...abort(options) });
      return response.events() as AsyncIterable<TypedWatchEvent<T>>;
    },
    async create(object, options) {
      const own = (object as Partial<KubeObject>).metadata?.namespace;
      const path = collection(own ?? namespace);
      const query = writeQuery(options);
      return (await send({ method: 'POST', path, query, body: typed(object), ...abort(options) })) as unknown as T;
    },
    update: (object, options) => put(object, '', options),
    updateStatus: (object, options) => put(object, '/status', options),
    patch: (name, body, options) => patch(item(name), body, options),
    apply(object, options) {
      const { name = '', namespace: own } = (object as unknown as KubeObject).metadata;
      return patch(item(name, own), typed(object), { ...options, type: 'apply' });
    },
    delete(name, options = {}) {
      return send({ method: 'DELETE', path: item(name), ...deleteBody(options), ...abort(options) });
    },
    deleteCollection(options = {}) {
      const query = queryOf({ labelSelector: options.labelSelector, fieldSelector: options.fieldSelector });
      return send({ method: 'DELETE', path: collection(), query, ...deleteBody(options), ...abort(options) });
    },
    subresource(name, subresource, body, options = {}) {
      return send({
        method: options.method ?? 'POST',
        path: `${item(name)}/${subresource}`,
        query: [...writeQuery(options), ...(options.query ?? [])],
        ...(body && { body }),
        ...abort(options),
      });
    },
  };
}

/** All pages, or the one page that `limit` asked for. */
async function listAll<T extends KubeObject>(
  send: (request: ApiRequest) => Promise<Json>,
  path: string,
  options: ListOptions = {},
): Promise<KubeList<T>> {
  const { signal: _, ...parameters } = options;
  const request = { method: 'GET', path, query: queryOf(parameters), ...abort(options) } as const;
  return (await send(request)) as unknown as KubeList<T>;
}

function deleteBody({ gracePeriodSeconds, propagationPolicy, preconditions, dryRun }: DeleteOptions): {
  body?: object;
} {
  if (gracePeriodSeconds === undefined && !propagationPolicy && !preconditions && !dryRun) return {};
  return {
    body: {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
      ...(propagationPolicy && { propagationPolicy }),
      ...(preconditions && { preconditions }),
      ...(dryRun && { dryRun: ['All'] }),
    },
  };
}

const abort = (options: CallOptions | undefined): { signal?: AbortSignal } =>
  options?.signal ? { signal: options.signal } : {};

/** Query parameters of everything that is given. */
function queryOf(parameters: object): Array<readonly [string, string]> {
  const query: Array<readonly [string, string]> = [];
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== '' && value !== false) query.push([name, String(value)]);
  }
  return query;
}
