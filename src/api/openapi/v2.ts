/**
 * The OpenAPI v2 (Swagger 2.0) document of all that is served. Upstream: k8s.io/kube-openapi pkg/builder, pkg/handler.
 * Parameters that many operations take stand once under `parameters` (pkg/builder/parameters.go there).
 */
import { type ServedFacts, servedByDefault } from '../tables.ts';
import type { CustomResourceDefinition } from '../types.ts';
import { customPaths } from './custom-paths.ts';
import { customSchemas } from './custom-schema.ts';
import { groupVersionKinds } from './kinds.ts';
import type { Operation, Parameter, PathOperations } from './operation.ts';
import { pathsOf } from './operations.ts';
import { type Schema, SchemaWriter } from './schema.ts';
import { type ExtraSchemas, smallPaths } from './v3.ts';

/** A Swagger 2.0 document, as JSON. */
export interface OpenapiV2Document {
  readonly swagger: '2.0';
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, Schema>>;
  readonly definitions: Readonly<Record<string, Schema>>;
  readonly parameters: Readonly<Record<string, Schema>>;
  readonly securityDefinitions: Readonly<Record<string, unknown>>;
  readonly security: readonly unknown[];
}

const bearer = { description: 'Bearer Token authentication', type: 'apiKey', name: 'authorization', in: 'header' };
const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';

/** Keeps the parameters that are written once. */
class SharedParameters {
  readonly found: Map<string, Schema> = new Map();

  /** A reference to the parameter. */
  use(name: string, parameter: Schema): Schema {
    const key = `${name}-${fnvHash(goJson(parameter))}`;
    this.found.set(key, parameter);
    return { $ref: `#/parameters/${key}` };
  }
}

/** Query parameters that stay where they are: by them kubectl (to 1.26, to 1.27) sees what a server can do. */
const unshared = new Set(['dryRun', 'fieldValidation', 'name']);

/** JSON as Go's encoding/json writes it: three characters more are escaped. */
function goJson(value: unknown): string {
  const escapes: Readonly<Record<string, string>> = { '<': '\\u003c', '>': '\\u003e', '&': '\\u0026' };
  return JSON.stringify(value).replace(/[<>&]/g, character => escapes[character]!);
}

/** The first six bytes of FNV-1 with 64 bits, in the URL's base64. */
function fnvHash(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(text)) hash = BigInt.asUintN(64, hash * 0x100000001b3n) ^ BigInt(byte);
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(hash);
  return bytes.toString('base64url', 0, 6);
}

class V2Writer {
  readonly schemas: SchemaWriter = new SchemaWriter(2);
  readonly shared: SharedParameters = new SharedParameters();

  #parameter(parameter: Parameter): Schema {
    const { name, in: where, type, description } = parameter;
    const written = {
      uniqueItems: true,
      type,
      ...(description ? { description } : {}),
      name,
      in: where,
      ...(where === 'path' ? { required: true } : {}),
    };
    const keep = where === 'path' ? name === 'name' : unshared.has(name);
    return keep ? written : this.shared.use(name, written);
  }

  #body({ ref, required }: NonNullable<Operation['body']>): Schema {
    const schema = this.schemas.reference(ref);
    const written = { name: 'body', in: 'body', ...(required ? { required: true } : {}), schema };
    return ref === `${meta}DeleteOptions` || ref === `${meta}Patch` ? this.shared.use('body', written) : written;
  }

  #operation(operation: Operation): Schema {
    const { description, consumes, produces, tag, id, parameters, body, answers, action, kind } = operation;
    const all = [...(body ? [this.#body(body)] : []), ...parameters.map(each => this.#parameter(each))];
    const responses = answers.map(([code, text, content]) => {
      const schema = content === 'text' ? { type: 'string' } : content && this.schemas.reference(content.ref);
      return [code, { description: text, ...(schema ? { schema } : {}) }] as const;
    });
    return {
      description,
      ...(consumes.length > 0 ? { consumes } : {}),
      produces,
      schemes: ['https'],
      tags: [tag],
      operationId: id,
      ...(all.length > 0 ? { parameters: all } : {}),
      responses: { ...Object.fromEntries(responses), 401: { description: 'Unauthorized' } },
      ...(action ? { 'x-kubernetes-action': action } : {}),
      ...(kind
        ? { 'x-kubernetes-group-version-kind': { group: kind.group, kind: kind.kind, version: kind.version } }
        : {}),
    };
  }

  path({ operations, parameters }: PathOperations): Schema {
    const order = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch'];
    const sorted = [...operations].sort((a, b) => order.indexOf(a.method) - order.indexOf(b.method));
    return {
      ...Object.fromEntries(sorted.map(each => [each.method, this.#operation(each)])),
      ...(parameters.length > 0 ? { parameters: parameters.map(each => this.#parameter(each)) } : {}),
    };
  }

  definitions(extra?: ExtraSchemas): Record<string, Schema> {
    const found = new Map<string, Schema>();
    for (const name of this.schemas.references) {
      const custom = extra?.schema(name, this.schemas);
      const schema = custom ?? this.schemas.definition(name);
      const kinds = custom ? [] : groupVersionKinds(name, 'all');
      found.set(name, kinds.length > 0 ? { ...schema, 'x-kubernetes-group-version-kind': kinds } : schema);
    }
    return sortedObject(found);
  }
}

function sortedObject(map: ReadonlyMap<string, Schema>): Record<string, Schema> {
  return Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The document of the built-in resources, and of the custom ones that these definitions serve. */
export function openapiV2(
  options: { readonly crds?: readonly CustomResourceDefinition[]; readonly served?: ServedFacts } = {},
): OpenapiV2Document {
  const { crds = [], served = servedByDefault } = options;
  const { groups, resources } = served;
  const writer = new V2Writer();
  const paths = new Map<string, Schema>();
  const add = (path: PathOperations): unknown => paths.set(path.path, writer.path(path));
  for (const { name: group, versions } of groups) {
    for (const version of versions) {
      const own = resources.filter(each => each.group === group && each.version === version);
      for (const path of pathsOf(group, version, own)) add(path);
    }
  }
  for (const crd of crds) {
    for (const version of crd.spec.versions.filter(each => each.served)) {
      for (const path of customPaths(crd, version.name)) add(path);
    }
  }
  for (const path of smallPaths(served).values()) add(path);
  return {
    swagger: '2.0',
    info: { title: 'Kubernetes', version: '1.36' },
    paths: sortedObject(paths),
    definitions: writer.definitions(customSchemas(crds, 2)),
    parameters: sortedObject(writer.shared.found),
    securityDefinitions: { BearerToken: bearer },
    security: [{ BearerToken: [] }],
  };
}
