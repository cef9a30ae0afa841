/**
 * From an authorized request to the handler of its verb. Upstream: apiserver pkg/endpoints/installer.go, whose routes
 * these are.
 */
import { type StatusError, StatusError as StatusErrorClass } from '#apimachinery';
import type { UserInfo } from '../authentication/user.ts';
import type { RequestInfo } from '../filters/request-info.ts';
import { createObject } from '../handlers/create.ts';
import { deleteOne } from '../handlers/delete.ts';
import { deleteCollection } from '../handlers/delete-collection.ts';
import { getObject } from '../handlers/get.ts';
import { listObjects } from '../handlers/list.ts';
import { patchObject } from '../handlers/patch.ts';
import type { Handler, HandlerDeps, Scope } from '../handlers/scope.ts';
import { updateObject } from '../handlers/update.ts';
import { watchObjects } from '../handlers/watch.ts';
import type { ServerRequest, ServerResponse } from '../http/message.ts';
import type { ServedResource } from '../scheme/resource.ts';

/** 404 for a path that nothing serves. */
export function noSuchPath(): StatusError {
  return new StatusErrorClass({
    code: 404,
    reason: 'NotFound',
    message: 'the server could not find the requested resource',
    details: {},
  });
}

/** 405 for a method that a path does not have. */
export function noSuchMethod(): StatusError {
  return new StatusErrorClass({
    code: 405,
    reason: 'MethodNotAllowed',
    message: 'the server does not allow this method on the requested resource',
    details: {},
  });
}

/** Handlers of subresources, by `group/resource/subresource` of the request and then by verb. */
export type SubresourceHandlers = ReadonlyMap<string, Readonly<Record<string, Handler>>>;

const mainHandlers: Readonly<Record<string, Handler>> = {
  get: getObject,
  list: listObjects,
  watch: watchObjects,
  create: createObject,
  update: updateObject,
  patch: patchObject,
  delete: deleteOne,
  deletecollection: deleteCollection,
};

const objectVerbs = new Set(['get', 'update', 'patch', 'delete']);

export interface DispatchDeps extends HandlerDeps {
  readonly subresources: SubresourceHandlers;
  /** Kinds that are answered rather than stored (reviews), by `group/resource`. */
  readonly virtual: ReadonlyMap<string, Handler>;
}

export async function dispatch(
  deps: DispatchDeps,
  request: ServerRequest,
  info: RequestInfo,
  user: UserInfo,
  warn: (text: string) => void,
): Promise<ServerResponse> {
  const resource = deps.scheme.find(info.group, info.version, info.resource);
  if (!resource) throw noSuchPath();
  const name = info.parts[1] ?? '';
  const namespace = resource.namespaced ? info.namespace : '';
  if (!resource.namespaced && info.namespace !== '' && info.resource !== 'namespaces') throw noSuchPath();
  const scope: Scope = {
    deps,
    request,
    info,
    user,
    resource,
    warn,
    name,
    namespace,
    about: { group: resource.group, resource: resource.resource },
  };
  if (info.subresource !== '') return subresourceHandler(deps, resource, info)(scope);
  return mainHandler(deps, resource, info, name)(scope);
}

function mainHandler(deps: DispatchDeps, resource: ServedResource, info: RequestInfo, name: string): Handler {
  const { verb } = info;
  const virtual = deps.virtual.get(`${resource.group}/${resource.resource}`);
  if (virtual && verb === 'create') return virtual;
  if (!resource.verbs.includes(verb)) throw noSuchMethod();
  // Reading and watching work over all namespaces; everything else needs one.
  const scoped = !resource.namespaced || info.namespace !== '';
  if (!scoped && verb !== 'list' && verb !== 'watch') throw name === '' ? noSuchMethod() : noSuchPath();
  if (name === '' && objectVerbs.has(verb)) throw noSuchMethod();
  if (name !== '' && (verb === 'create' || verb === 'deletecollection')) throw noSuchMethod();
  return mainHandlers[verb]!;
}

function subresourceHandler(deps: DispatchDeps, resource: ServedResource, info: RequestInfo): Handler {
  const facts = resource.subresources.find(each => each.name === info.subresource);
  if (!facts) throw noSuchPath();
  if (resource.namespaced && info.namespace === '') throw noSuchPath();
  const handlers =
    deps.subresources.get(`${resource.group}/${resource.resource}/${info.subresource}`) ??
    deps.subresources.get(`*/*/${info.subresource}`);
  const handler = handlers?.[info.verb];
  if (!handler) throw noSuchMethod();
  return handler;
}
