/**
 * What a path asks for: verb, group, version, namespace, resource, subresource, name.
 * Upstream: apiserver pkg/endpoints/request/requestinfo.go, whose quirks (verbs by path prefix, namespaces as a scope
 * and as a resource) authorization depends on.
 */
import { isPathSegmentName, parseFieldSelector } from '#apimachinery';
import type { Query } from '../http/message.ts';

/** A path that begins as one of a resource and does not go on: 500 in plain text, as upstream answers. */
export class RequestInfoFailure extends Error {
  override readonly name = 'RequestInfoFailure';
}

export interface RequestInfo {
  readonly isResourceRequest: boolean;
  readonly path: string;
  /** Kubernetes' verb of a resource request, else the lower-case method. */
  readonly verb: string;
  readonly apiPrefix: string;
  readonly group: string;
  readonly version: string;
  readonly namespace: string;
  readonly resource: string;
  readonly subresource: string;
  readonly name: string;
  /** Resource, name, subresource and what follows. */
  readonly parts: readonly string[];
  readonly fieldSelector: string;
  readonly labelSelector: string;
}

const specialVerbs = new Set(['proxy', 'watch']);
const namespaceSubresources = new Set(['status', 'finalize']);
const verbsOfMethods: Readonly<Record<string, string>> = {
  POST: 'create',
  GET: 'get',
  HEAD: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};
const verbsWithSelectors = new Set(['list', 'watch', 'deletecollection']);

/** By index, for a pattern that ends in `/+$` takes hours over a path of nothing but slashes. */
function segments(path: string): string[] {
  let [from, to] = [0, path.length];
  while (from < to && path[from] === '/') from++;
  while (to > from && path[to - 1] === '/') to--;
  return from === to ? [] : path.slice(from, to).split('/');
}

/** Go's strconv.ParseBool as upstream's parameter codec uses it: anything but "false" and "0" is true. */
export function booleanParameter(value: string | undefined): boolean {
  if (value === undefined) return false;
  const text = value.toLowerCase();
  return text !== 'false' && text !== '0';
}

/** The name that a field selector on metadata.name asks for, as upstream narrows a list or watch for authorization. */
function nameOfSelector(query: Query): string {
  const text = query.get('fieldSelector');
  if (!text) return '';
  try {
    const name = parseFieldSelector(text).requiredValue('metadata.name') ?? '';
    return name !== '' && isPathSegmentName(name).length === 0 ? name : '';
  } catch {
    return '';
  }
}

/** Never throws but for `/watch` and `/proxy` without more, which is a bad request. */
export function requestInfo(method: string, path: string, query: Query): RequestInfo {
  const none: RequestInfo = {
    isResourceRequest: false,
    path,
    verb: method.toLowerCase(),
    apiPrefix: '',
    group: '',
    version: '',
    namespace: '',
    resource: '',
    subresource: '',
    name: '',
    parts: [],
    fieldSelector: '',
    labelSelector: '',
  };
  let parts = segments(path);
  if (parts.length < 3) return none;
  const apiPrefix = parts[0]!;
  if (apiPrefix !== 'api' && apiPrefix !== 'apis') return none;
  parts = parts.slice(1);
  let group = '';
  if (apiPrefix === 'apis') {
    if (parts.length < 3) return { ...none, apiPrefix };
    group = parts[0]!;
    parts = parts.slice(1);
  }
  const version = parts[0]!;
  parts = parts.slice(1);
  let verb = verbsOfMethods[method] ?? '';
  const byPath = specialVerbs.has(parts[0]!);
  if (byPath) {
    if (parts.length < 2) throw new RequestInfoFailure(`unable to determine kind and namespace from url, ${path}`);
    verb = parts[0]!;
    parts = parts.slice(1);
  }
  let namespace = '';
  if (parts[0] === 'namespaces' && parts.length > 1) {
    namespace = parts[1]!;
    if (parts.length > 2 && !namespaceSubresources.has(parts[2]!)) parts = parts.slice(2);
  }
  const resource = parts[0] ?? '';
  let name = parts[1] ?? '';
  const subresource = parts.length >= 3 && !specialVerbs.has(verb) ? parts[2]! : '';
  if (name === '' && verb === 'get') {
    verb = booleanParameter(query.get('watch')) ? 'watch' : 'list';
    name = nameOfSelector(query);
  }
  if (name === '' && verb === 'delete') verb = 'deletecollection';
  const selectors = !byPath && verbsWithSelectors.has(verb);
  return {
    isResourceRequest: true,
    path,
    verb,
    apiPrefix,
    group,
    version,
    namespace,
    resource,
    subresource,
    name,
    parts,
    fieldSelector: selectors ? (query.get('fieldSelector') ?? '') : '',
    labelSelector: selectors ? (query.get('labelSelector') ?? '') : '',
  };
}
