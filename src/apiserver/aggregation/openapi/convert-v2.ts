/**
 * OpenAPI v2 as v3, for servers that know nothing newer. What v3 says better stays unsaid. Upstream: kube-openapi
 * pkg/openapiconv/convert.go.
 */
import type { Node, Spec } from './merge-specs.ts';

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch'];
/** Of a parameter, what describes its value. */
const valueKeys = ['type', 'format', 'uniqueItems', 'items', 'default', 'enum', 'minimum', 'maximum', 'pattern'];

export function convertToV3({ paths, definitions }: Spec): Node {
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'unversioned' },
    paths: mapped(paths, path => pathItem(path as Node)),
    components: { schemas: mapped(definitions, references) },
  };
}

function mapped(node: Node, convert: (value: unknown) => unknown): Node {
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, convert(value)]));
}

/** The same with every reference where v3 has it. */
function references(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(references);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) =>
      key === '$ref' && typeof each === 'string'
        ? [
            key,
            each
              .replace(/^#\/definitions\//, '#/components/schemas/')
              .replace(/^#\/parameters\//, '#/components/parameters/'),
          ]
        : [key, references(each)],
    ),
  );
}

function pathItem(item: Node): Node {
  const out: Node = {};
  for (const [key, value] of Object.entries(item)) {
    if (methods.includes(key)) out[key] = operation(value as Node);
    else if (key === 'parameters') out[key] = (value as Node[]).filter(each => each['in'] !== 'body').map(parameter);
    else out[key] = value;
  }
  return out;
}

function operation({ consumes, produces, schemes: _, parameters, responses, ...rest }: Node): Node {
  const all = (parameters ?? []) as Node[];
  const body = all.find(each => each['in'] === 'body');
  const others = all.filter(each => each['in'] !== 'body').map(parameter);
  const types = (given: unknown): string[] => (Array.isArray(given) && given.length > 0 ? given : ['application/json']);
  const content = (given: unknown, schema: unknown): Node =>
    Object.fromEntries(types(given).map(type => [type, { schema: references(schema) }]));
  return {
    ...rest,
    ...(others.length > 0 && { parameters: others }),
    ...(body && {
      requestBody: { content: content(consumes, body['schema']), ...(body['required'] ? { required: true } : {}) },
    }),
    responses: mapped((responses ?? {}) as Node, each => {
      const { schema, ...other } = each as Node;
      return { ...other, ...(schema !== undefined && { content: content(produces, schema) }) };
    }),
  };
}

function parameter(given: Node): Node {
  if (given['$ref'] !== undefined) return references(given) as Node;
  const out: Node = {};
  const schema: Node = {};
  for (const [key, value] of Object.entries(given)) {
    if (valueKeys.includes(key)) schema[key] = references(value);
    else if (key !== 'collectionFormat') out[key] = value;
  }
  return { ...out, schema };
}
