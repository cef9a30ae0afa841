/**
 * What both versions of OpenAPI are written from: paths, their operations, their parameters. Upstream: apiserver
 * pkg/endpoints/installer.go (addParams, AddObjectParams), kube-openapi pkg/builder (common parameters).
 */
import type { GroupVersionKind } from '#apimachinery';
import { builtinTypes } from '../tables.ts';
import { describe } from './descriptions.ts';

export type Method = 'get' | 'put' | 'post' | 'delete' | 'options' | 'head' | 'patch';

export interface Parameter {
  readonly name: string;
  readonly in: 'query' | 'path';
  readonly type: string;
  readonly description: string;
}

/** What an answer holds: a definition, or text. */
export type Content = { readonly ref: string } | 'text' | undefined;

export interface Operation {
  readonly method: Method;
  readonly id: string;
  readonly tag: string;
  readonly description: string;
  readonly parameters: readonly Parameter[];
  readonly body?: { readonly ref: string; readonly required: boolean; readonly types: readonly string[] };
  readonly produces: readonly string[];
  readonly consumes: readonly string[];
  readonly answers: readonly (readonly [code: number, description: string, content: Content])[];
  readonly action?: string;
  readonly kind?: GroupVersionKind;
}

/** The operations of one path. */
export interface PathOperations {
  readonly path: string;
  /** Parameters of the path itself and what every operation takes. */
  readonly parameters: readonly Parameter[];
  readonly operations: readonly Operation[];
}

const json = 'application/json';
const yaml = 'application/yaml';
const protobuf = 'application/vnd.kubernetes.protobuf';
/** In which forms an object is answered. */
export const objectTypes: readonly string[] = [json, yaml, protobuf];
/** And a list, which may be a watch. */
export const watchTypes: readonly string[] = [...objectTypes, `${json};stream=watch`, `${protobuf};stream=watch`];

const typeOfScalar: Readonly<Record<string, string>> = {
  boolean: 'boolean',
  int32: 'integer',
  int64: 'integer',
};

/** The parameters that an options type stands for, sorted by name. */
export function optionsOf(typeName: string, without: readonly string[] = []): Parameter[] {
  const fields = [...builtinTypes.struct(typeName).fields.values()].filter(
    field => !['kind', 'apiVersion', 'preconditions', 'sinceTime', ...without].includes(field.name),
  );
  return fields
    .map(({ name, node }) => {
      const leaf = node.kind === 'list' ? node.element : node;
      const type = leaf.kind === 'scalar' ? (typeOfScalar[leaf.type] ?? 'string') : 'string';
      return { name, in: 'query' as const, type, description: describe(typeName, name) };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Lists put together, each name once, sorted. */
export function unite(...lists: readonly Parameter[][]): Parameter[] {
  const all = new Map(lists.flat().map(each => [each.name, each]));
  return [...all.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Every operation on objects takes it. */
export const pretty: Parameter = {
  name: 'pretty',
  in: 'query',
  type: 'string',
  description:
    "If 'true', then the output is pretty printed. Defaults to 'false' unless the user-agent indicates a browser or command-line HTTP tool (curl and wget).",
};
/** The namespace in a path. */
export const namespaceParameter: Parameter = {
  name: 'namespace',
  in: 'path',
  type: 'string',
  description: 'object name and auth scope, such as for teams and projects',
};
/** What stands after a proxied object in a path. */
export const pathParameter: Parameter = {
  name: 'path',
  in: 'path',
  type: 'string',
  description: 'path to the resource',
};

/** The name of an object in a path. */
export const nameParameter = (kind: string): Parameter => ({
  name: 'name',
  in: 'path',
  type: 'string',
  description: `name of the ${kind}`,
});

/** The first letter made large. */
export const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

/** `core` and `rbacAuthorization`: a group without its domain, in camel case. */
export function groupWord(group: string): string {
  const [first = '', ...rest] = (group === '' ? 'core' : group.replace(/\.k8s\.io$/, '')).split(/[.-]/);
  return first + rest.map(capital).join('');
}

/** `a Pod`, `an Ingress`; plurals (`Endpoints`) have no article. Upstream: endpoints/installer.go GetArticleForNoun. */
export function article(noun: string): string {
  if (/[^s]s$/.test(noun)) return noun;
  return /^[AEIOUaeiou]/.test(noun) ? `an ${noun}` : `a ${noun}`;
}

/** A path, with what its operations share drawn up to it. */
export function sharePath(
  path: string,
  parameters: readonly Parameter[],
  operations: readonly Operation[],
): PathOperations {
  const same = (a: Parameter, b: Parameter): boolean => a.name === b.name && a.description === b.description;
  const isShared = (each: Parameter): boolean =>
    operations.every(operation => operation.parameters.some(other => same(each, other)));
  return {
    path,
    parameters: unite([...parameters], operations[0]!.parameters.filter(isShared)),
    operations: operations.map(each => ({ ...each, parameters: each.parameters.filter(own => !isShared(own)) })),
  };
}

/** `/apis/apps/v1`. */
export function rootOf(group: string, version: string): string {
  return group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
}

/** A path that only answers a document of discovery. */
export function documentPath(path: string, tag: string, id: string, description: string, ref: string): PathOperations {
  const operation: Operation = {
    method: 'get',
    id,
    tag,
    description,
    parameters: [],
    produces: objectTypes,
    consumes: objectTypes,
    answers: [[200, 'OK', { ref }]],
  };
  return { path, parameters: [], operations: [operation] };
}
