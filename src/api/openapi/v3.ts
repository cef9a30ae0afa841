/**
 * OpenAPI v3 documents: one a group version, and the small ones beside them. Built when asked for; the caller keeps the
 * bytes. Upstream: k8s.io/kube-openapi pkg/builder3, pkg/handler3.
 */
import type { GroupVersion } from '#apimachinery';
import { type ServedFacts, servedByDefault, servedFacts } from '../tables.ts';
import type { CustomResourceDefinition } from '../types.ts';
import { customPaths } from './custom-paths.ts';
import { customSchemas } from './custom-schema.ts';
import { groupVersionKinds } from './kinds.ts';
import { capital, documentPath, groupWord, type Operation, type Parameter, type PathOperations } from './operation.ts';
import { type OpenapiResource, pathsOf } from './operations.ts';
import { type Schema, SchemaWriter } from './schema.ts';

/** An OpenAPI v3 document, as JSON. */
export interface OpenapiV3Document {
  readonly openapi: '3.0.0';
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, unknown>>;
  readonly components: {
    readonly schemas?: Readonly<Record<string, Schema>>;
    readonly securitySchemes?: Readonly<Record<string, unknown>>;
  };
}

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
const bearer = { type: 'apiKey', description: 'Bearer Token authentication', name: 'authorization', in: 'header' };

function parameterObject({ name, in: where, type, description }: Parameter): Schema {
  return {
    name,
    in: where,
    ...(description ? { description } : {}),
    ...(where === 'path' ? { required: true } : {}),
    schema: { type, uniqueItems: true },
  };
}

function contentObject(types: readonly string[], schema: Schema): Schema {
  return Object.fromEntries([...types].sort().map(type => [type, { schema }]));
}

function operationObject(operation: Operation, writer: SchemaWriter): Schema {
  const { tag, description, id, parameters, body, answers, produces, action, kind } = operation;
  const responses = answers.map(([code, text, content]) => {
    const schema = content === 'text' ? { type: 'string' } : content && writer.reference(content.ref);
    return [code, { description: text, ...(schema ? { content: contentObject(produces, schema) } : {}) }] as const;
  });
  return {
    tags: [tag],
    description,
    operationId: id,
    ...(parameters.length > 0 ? { parameters: parameters.map(parameterObject) } : {}),
    ...(body
      ? {
          requestBody: {
            content: contentObject(body.types, writer.reference(body.ref)),
            ...(body.required ? { required: true } : {}),
          },
        }
      : {}),
    responses: { ...Object.fromEntries(responses), 401: { description: 'Unauthorized' } },
    ...(action ? { 'x-kubernetes-action': action } : {}),
    ...(kind ? { 'x-kubernetes-group-version-kind': kind } : {}),
  };
}

const methodOrder = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch'];

function pathObject({ operations, parameters }: PathOperations, writer: SchemaWriter): Schema {
  const sorted = [...operations].sort((a, b) => methodOrder.indexOf(a.method) - methodOrder.indexOf(b.method));
  return {
    ...Object.fromEntries(sorted.map(each => [each.method, operationObject(each, writer)])),
    ...(parameters.length > 0 ? { parameters: parameters.map(parameterObject) } : {}),
  };
}

/** Where the schemas of a document come from beyond the built-in definitions. */
export interface ExtraSchemas {
  /** The schema of a definition that is not built in; undefined when it is. */
  schema(name: string, writer: SchemaWriter): Schema | undefined;
}

function components(
  writer: SchemaWriter,
  within: GroupVersion | 'custom',
  extra?: ExtraSchemas,
): Record<string, Schema> {
  const schemas = new Map<string, Schema>();
  // Definitions that are found on the way join the set, and the loop visits them too.
  for (const name of writer.references) {
    const custom = extra?.schema(name, writer);
    if (custom) {
      schemas.set(name, custom);
      continue;
    }
    const schema = writer.definition(name);
    const kinds = groupVersionKinds(name, within);
    schemas.set(name, kinds.length > 0 ? withKinds(schema, kinds) : schema);
  }
  return Object.fromEntries([...schemas].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Extensions stand in the order of their names. */
function withKinds(schema: Schema, kinds: readonly unknown[]): Schema {
  const entries = Object.entries(schema);
  const at = entries.findIndex(([key]) => key.startsWith('x-'));
  entries.splice(at < 0 ? entries.length : at, 0, ['x-kubernetes-group-version-kind', kinds]);
  return Object.fromEntries(entries);
}

function documentOf(
  paths: readonly PathOperations[],
  where: { readonly group: string; readonly version: string; readonly serverVersion: string },
  extra?: ExtraSchemas,
): OpenapiV3Document {
  const writer = new SchemaWriter(3);
  const pathObjects = Object.fromEntries(paths.map(each => [each.path, pathObject(each, writer)]));
  const schemas = components(writer, extra ? 'custom' : where, extra);
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: where.serverVersion },
    paths: pathObjects,
    components: {
      ...(Object.keys(schemas).length > 0 ? { schemas } : {}),
      securitySchemes: { BearerToken: bearer },
    },
  };
}

/** The document of a group version of built-in resources. */
function groupVersionDocument(
  group: string,
  version: string,
  all: readonly OpenapiResource[],
  serverVersion = '1.36',
): OpenapiV3Document {
  return documentOf(pathsOf(group, version, all), { group, version, serverVersion });
}

/** The document of a group version of custom resources: of those definitions that serve it. Undefined when none does. */
export function customOpenapiV3(
  group: string,
  version: string,
  crds: readonly CustomResourceDefinition[],
): OpenapiV3Document | undefined {
  const own = crds.filter(
    ({ spec }) => spec.group === group && spec.versions.some(each => each.served && each.name === version),
  );
  if (own.length === 0) return undefined;
  const paths = own.flatMap(crd => customPaths(crd, version)).sort((a, b) => (a.path < b.path ? -1 : 1));
  const { components: all, ...document } = documentOf(
    paths,
    { group, version, serverVersion: 'v0.1.0' },
    customSchemas(own, 3),
  );
  return {
    ...document,
    info: { title: 'Kubernetes CRD Swagger', version: 'v0.1.0' },
    components: { ...(all.schemas ? { schemas: all.schemas } : {}) },
  };
}

/** A path whose answer is plain text or JSON of no definition. */
function plainPath(path: string, tag: string, id: string, description: string, type: string): PathOperations {
  const answers = [[200, 'OK', 'text']] as const;
  const operation: Operation = {
    ...{ method: 'get', id, tag, description, parameters: [], produces: [type], consumes: [], answers },
  };
  return { path, parameters: [], operations: [operation] };
}

/** The small documents by their name in the index. */
export function smallPaths(served: ServedFacts = servedByDefault): ReadonlyMap<string, PathOperations> {
  const version = documentPath(
    ...(['/version/', 'version', 'getCodeVersion', 'get the version information for this server'] as const),
    'io.k8s.apimachinery.pkg.version.Info',
  );
  const jsonOnly = { produces: ['application/json'], consumes: ['application/json'] };
  const found = new Map<string, PathOperations>([
    [
      '.well-known/openid-configuration',
      plainPath(
        '/.well-known/openid-configuration/',
        'WellKnown',
        'getServiceAccountIssuerOpenIDConfiguration',
        "get service account issuer OpenID configuration, also known as the 'OIDC discovery doc'",
        'application/json',
      ),
    ],
    ['api', documentPath('/api/', 'core', 'getCoreAPIVersions', 'get available API versions', `${meta}APIVersions`)],
    ['apis', documentPath('/apis/', 'apis', 'getAPIVersions', 'get available API versions', `${meta}APIGroupList`)],
    [
      'openid/v1/jwks',
      plainPath(
        '/openid/v1/jwks/',
        'openid',
        'getServiceAccountIssuerOpenIDKeyset',
        'get service account issuer OpenID JSON Web Key Set (contains public token verification keys)',
        'application/jwk-set+json',
      ),
    ],
    ['version', { ...version, operations: version.operations.map(each => ({ ...each, ...jsonOnly })) }],
  ]);
  for (const { name } of served.groups.filter(group => group.name !== '')) {
    const word = groupWord(name);
    const id = `get${capital(word)}APIGroup`;
    found.set(
      `apis/${name}`,
      documentPath(`/apis/${name}/`, word, id, 'get information of a group', `${meta}APIGroup`),
    );
  }
  return found;
}

/** Names of all built-in documents as the index lists them: `api/v1`, `apis/apps/v1`, `apis/apps`, `version` … */
export function openapiV3Names(served: ServedFacts = servedByDefault): string[] {
  const versions = served.groups.flatMap(group =>
    group.versions.map(version => (group.name === '' ? `api/${version}` : `apis/${group.name}/${version}`)),
  );
  return [...versions, ...smallPaths(served).keys()].sort();
}

/** The built-in document of that name; undefined when there is none. */
export function openapiV3(
  name: string,
  serverVersion = '1.36',
  served: ServedFacts = servedByDefault,
): OpenapiV3Document | undefined {
  const small = smallPaths(served).get(name);
  if (small) return documentOf([small], { group: '-', version: '-', serverVersion });
  const [root, ...rest] = name.split('/');
  const [group, version] = root === 'api' ? ['', rest[0]] : rest;
  const own = served.resources.filter(each => each.group === group && each.version === version);
  if (own.length === 0 || group === undefined || version === undefined) return undefined;
  return groupVersionDocument(group, version, own, serverVersion);
}

/** All definitions that the built-in documents show. */
export function openapiDefinitions(): string[] {
  const writer = new SchemaWriter(3);
  const all = servedFacts(() => true);
  for (const { group, version } of versionsOf(all)) {
    const own = all.resources.filter(each => each.group === group && each.version === version);
    for (const path of pathsOf(group, version, own)) pathObject(path, writer);
  }
  for (const path of smallPaths(all).values()) pathObject(path, writer);
  for (const name of writer.references) writer.definition(name);
  return [...writer.references];
}

function versionsOf({ groups }: ServedFacts): { group: string; version: string }[] {
  return groups.flatMap(group => group.versions.map(version => ({ group: group.name, version })));
}
