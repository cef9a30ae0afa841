/**
 * The types of objects for expressions that are checked against them: built-in kinds from the type tables, custom ones
 * from the schemas of their definitions. Upstream: apiserver pkg/cel/openapi/resolver, pkg/cel/common/schemas.go.
 */
import type { GroupVersionKind, ScalarType, StructNode, TypeNode } from '#apimachinery';
import { type DeclType, declTypeOf } from '#apimachinery/cel';
import type { JsonSchema } from '#apimachinery/schema';
import { builtinTypes, typeNameOf } from '../tables.ts';

/** As upstream's OpenAPI has them; what has no type there cannot be seen. */
const scalars: Readonly<Record<ScalarType, JsonSchema>> = {
  string: { type: 'string' },
  bytes: { type: 'string', format: 'byte' },
  boolean: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  double: { type: 'number', format: 'double' },
  quantity: {},
  time: { type: 'string', format: 'date-time' },
  microtime: { type: 'string', format: 'date-time' },
  duration: { type: 'string' },
  intOrString: { 'x-kubernetes-int-or-string': true },
  fieldsV1: { type: 'object' },
  rawExtension: { type: 'object' },
  json: {},
};

/** `within`: the structs that the node stands in; one inside itself is shown empty. */
function schemaOf(node: TypeNode, within: ReadonlySet<string>): JsonSchema {
  switch (node.kind) {
    case 'scalar':
      return scalars[node.type];
    case 'list':
      return { type: 'array', items: schemaOf(node.element, within) };
    case 'map':
      return { type: 'object', additionalProperties: schemaOf(node.element, within) };
    case 'struct':
      return structSchema(node, within);
    case 'any':
      return {};
  }
}

function structSchema({ name, fields }: StructNode, within: ReadonlySet<string>): JsonSchema {
  if (name !== '' && within.has(name)) return { type: 'object' };
  const inside = new Set(within).add(name);
  const properties = [...fields.values()].map(field => [field.name, schemaOf(field.node, inside)] as const);
  return { type: 'object', properties: Object.fromEntries(properties) };
}

/** Undefined where no such kind is built in. */
export function builtinDecl(gvk: GroupVersionKind, name: string): DeclType | undefined {
  const typeName = typeNameOf(gvk);
  if (typeName === undefined) return undefined;
  return declTypeOf(structSchema(builtinTypes.struct(typeName), new Set()), true, name);
}

/** The type of a custom kind: its schema, with all of metadata. */
export function customDecl(schema: JsonSchema | undefined, name: string): DeclType | undefined {
  const metadata = builtinTypes.struct('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta');
  const properties = {
    ...schema?.properties,
    apiVersion: scalars.string,
    kind: scalars.string,
    metadata: structSchema(metadata, new Set()),
  };
  return declTypeOf({ ...schema, type: 'object', properties }, true, name);
}
