/**
 * From an authorized request to the handler of its verb. Upstream: apiserver pkg/endpoints/installer.go, whose routes
 * these are.
 */
import {
  badRequest,
  goQuote,
  isPathSegmentName,
  notFound,
  type StatusError,
  StatusError as StatusErrorClass,
} from '#apimachinery';
import type { UserInfo } from '../authentication/user.ts';
import type { RequestInfo } from '../filters/request-info.ts';
import { createObject } from '../handlers/create.ts';
import { deleteOne } from '../handlers/delete.ts';
import { deleteCollection } from '../handlers/delete-collection.ts';
import { getObject } from '../handlers/get.ts';
import { listObjects } from '../handlers/list.ts';
import { patchObject, patchTypesOf } from '../handlers/patch.ts';
import type { Handler, HandlerDeps, Scope } from '../handlers/scope.ts';
import { subjectOf } from '../handlers/subject.ts';
import { updateObject } from '../handlers/update.ts';
import { watchObjects } from '../handlers/watch.ts';
import { header, type ServerRequest, type ServerResponse } from '../http/message.ts';
import type { ServedResource } from '../scheme/resource.ts';
import type { Scheme } from '../scheme/scheme.ts';
import { checkAccept, checkProduced, mediaTypes } from '../serialization/negotiation.ts';

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

/** 405 for a verb that a resource does not have; custom ones say more. */
function noSuchVerb({ custom, group, resource }: ServedResource, verb: string): StatusError {
  if (!custom) return noSuchMethod();
  return new StatusErrorClass({
    code: 405,
    reason: 'MethodNotAllowed',
    message: `${verb} is not supported on resources of kind ${JSON.stringify(`${resource}.${group}`)}`,
    details: { group, kind: resource },
  });
}

/** Handlers of subresources, by `group/resource/subresource` of the request and then by verb. */
export type SubresourceHandlers = ReadonlyMap<string, Readonly<Record<string, Handler>>>;

/** Kinds that are answered rather than stored (reviews, components): by `group/resource`, then by verb. */
export type VirtualHandlers = ReadonlyMap<string, Readonly<Record<string, Handler>>>;

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
  /** Told of requests for what is to go, and in which release that is. */
  readonly deprecated: (info: RequestInfo, removedIn: string) => void;
  readonly subresources: SubresourceHandlers;
  readonly virtual: VirtualHandlers;
}

export async function dispatch(
  deps: DispatchDeps,
  request: ServerRequest,
  info: RequestInfo,
  user: UserInfo,
  warn: (text: string) => void,
): Promise<ServerResponse> {
  checkPath(info, deps.scheme);
  const resource = deps.scheme.find(info.group, info.version, info.resource);
  if (!resource || resource.hidden) throw isBuiltin(info.group, deps.scheme) ? noSuchPath() : new PageNotFound();
  if (resource.custom && !inScope(resource, info)) throw new PageNotFound();
  if (!resource.custom) checkRoute(request, info, resource);
  if (info.verb === 'watch' && request.method !== 'GET') throw noSuchMethod();
  const name = info.parts[1] ?? '';
  const namespace = resource.namespaced ? info.namespace : '';
  const { audit } = request;
  const scope: Scope = {
    deps: audit ? { ...deps, registry: deps.registry.timed(() => audit.timer('etcd')) } : deps,
    request,
    info,
    user,
    resource,
    subject: subjectOf(resource, info.subresource),
    warn,
    ...(audit && { annotate: (key, value, level) => audit.annotateAdmission(key, value, level) }),
    name,
    namespace,
    about: {
      group: resource.group,
      resource: resource.kind === 'ComponentStatus' ? 'componentstatus' : resource.resource,
    },
  };
  const deprecation = deprecationOf(resource);
  if (deprecation !== undefined && resource.custom) warn(deprecation);
  const subresource = info.subresource !== '';
  const handler = subresource ? subresourceHandler(deps, resource, info) : mainHandler(deps, resource, info, name);
  if (!tunnels.has(info.subresource) && !resource.custom) checkMediaTypes(request, info, resource);
  if (deprecation !== undefined) {
    warn(deprecation);
    const removedIn = /unavailable in v([0-9.]+)\+/.exec(deprecation)?.[1];
    audit?.deprecated(removedIn);
    deps.deprecated(info, removedIn ?? '');
  }
  return handler(scope);
}

/** Whether the group's paths are laid out beforehand, and not as definitions come and go. */
export function isBuiltin(group: string, { groups }: Scheme): boolean {
  return groups.some(each => each.name === group);
}

/** Namespaced kinds need a namespace, but for lists and watches over all of them; others must not have one. */
function inScope({ namespaced }: ServedResource, { namespace, verb }: RequestInfo): boolean {
  return namespaced ? namespace !== '' || verb === 'list' || verb === 'watch' : namespace === '';
}

/** Every request for a kind that is to go is told so. Upstream: APILifecycleDeprecated of k8s.io/api. */
function deprecationOf({ group, version, kind, deprecation }: ServedResource): string | undefined {
  if (deprecation !== undefined) return deprecation;
  if (group !== '' || version !== 'v1') return undefined;
  if (kind === 'ComponentStatus') return 'v1 ComponentStatus is deprecated in v1.19+';
  if (kind !== 'Endpoints') return undefined;
  return 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice';
}

/** Paths that no route has although they look like a resource's. */
function checkPath(info: RequestInfo, scheme: Scheme): void {
  if (info.path.startsWith('//')) throw new PageNotFound();
  if (info.path.includes('//') && !proxies.has(info.subresource)) throw noSuchPath();
  if (info.verb === 'proxy') throw noSuchPath();
  if (info.apiPrefix === 'apis' && !scheme.hasGroup(info.group)) throw new PageNotFound();
  const name = info.parts[1] ?? '';
  const wrong = isPathSegmentName(name);
  if (wrong.length > 0) throw badRequest(`Name parameter invalid: ${goQuote(name)}: ${wrong.join(';')}`);
}

/** Upstream's routes refuse what they can neither take nor give, in this order, before any handler is asked. */
function checkMediaTypes(request: ServerRequest, info: RequestInfo, resource: ServedResource): void {
  if (info.verb === 'patch') checkPatchType(request, resource);
  if (info.subresource === 'log') checkProduced(request, ['text/plain', ...mediaTypes]);
  else checkAccept(request, info.verb === 'list' || info.verb === 'watch');
}

function checkPatchType(request: ServerRequest, resource: ServedResource): void {
  const type = (header(request, 'content-type') ?? '').split(';')[0]!.trim();
  if (patchTypesOf(resource).includes(type)) return;
  const message = '415: Unsupported Media Type';
  throw new StatusErrorClass({ code: 415, reason: 'UnsupportedMediaType', message, details: {} });
}

/** Subresources with paths of their own below. */
const proxies = new Set(['proxy']);
const proxyMethods = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']);
/** What they accept is the business of whoever is at the other end. */
const tunnels = new Set(['proxy', 'exec', 'attach', 'portforward']);

/** 404 in plain text: no server of ours has anything below the path. */
export class PageNotFound extends Error {
  override readonly name = 'PageNotFound';
}

/**
 * 404 where a built-in resource has nothing at a path, 405 for methods that no path takes. Which verbs a path has is for
 * the handlers to say.
 */
function checkRoute({ method }: ServerRequest, info: RequestInfo, resource: ServedResource): void {
  if (!isRoute(resource, info)) throw noSuchPath();
  const isProxy = proxies.has(info.subresource);
  if (info.parts.length > 3 && !isProxy) throw noSuchPath();
  if (isProxy ? !proxyMethods.has(method) : method === 'HEAD') throw noSuchMethod();
}

function isRoute(resource: ServedResource, { namespace, parts, subresource, path }: RequestInfo): boolean {
  const named = parts.length > 1;
  const { namespaced, verbs, subresources } = resource;
  const isNamespaces = resource.kind === 'Namespace';
  if (!namespaced && (isNamespaces ? /^\/api\/v1\/namespaces\/[^/]+\/namespaces(\/|$)/.test(path) : namespace !== '')) {
    return false;
  }
  const inNamespace = !namespaced || namespace !== '';
  if (subresource !== '') return inNamespace && subresources.some(each => each.name === subresource);
  if (named) return inNamespace && verbs.some(each => objectVerbs.has(each));
  return inNamespace || verbs.includes('list');
}

function mainHandler(deps: DispatchDeps, resource: ServedResource, info: RequestInfo, name: string): Handler {
  const { verb } = info;
  if (resource.custom) {
    // One handler for all paths of all definitions: what does not fit a verb is for that verb to refuse.
    const handler = mainHandlers[verb];
    if (!handler) throw noSuchVerb(resource, verb);
    return handler;
  }
  const virtual = deps.virtual.get(`${resource.group}/${resource.resource}`)?.[verb];
  if (virtual && (verb !== 'create' || name === '')) return virtual;
  if (!resource.verbs.includes(verb)) throw noSuchVerb(resource, verb);
  // Reading and watching work over all namespaces; everything else needs one.
  const scoped = !resource.namespaced || info.namespace !== '';
  if (!scoped && verb !== 'list' && verb !== 'watch') throw noSuchMethod();
  if (name === '' && objectVerbs.has(verb)) throw noSuchMethod();
  if (name !== '' && (verb === 'create' || verb === 'deletecollection')) throw noSuchMethod();
  return mainHandlers[verb]!;
}

function subresourceHandler(deps: DispatchDeps, resource: ServedResource, info: RequestInfo): Handler {
  const facts = resource.subresources.find(each => each.name === info.subresource);
  if (!facts) throw resource.custom ? notFound(resource, info.name) : noSuchPath();
  if (resource.namespaced && info.namespace === '') throw noSuchPath();
  const handlers =
    deps.subresources.get(`${resource.group}/${resource.resource}/${info.subresource}`) ??
    deps.subresources.get(`*/*/${info.subresource}`);
  const handler = handlers?.[info.verb];
  if (!handler) throw noSuchVerb(resource, info.verb);
  return handler;
}
