/**
 * The type node of a structural schema: what apply and the codecs go by for a custom resource.
 * Upstream: apiextensions-apiserver pkg/controller/openapi/builder, kube-openapi pkg/schemaconv.
 */
import { anyNode, field, list, map, scalar, struct } from './build.ts';
import type { Structural } from './json-schema.ts';
import type { FieldNode, StructNode, TypeNode } from './type-node.ts';

/** The node of a whole custom resource. `objectMeta` is the built-in type. */
export function resourceNode(schema: Structural | undefined, objectMeta: StructNode): TypeNode {
  const own: FieldNode[] = [];
  for (const [name, property] of schema?.properties ?? []) {
    if (name !== 'apiVersion' && name !== 'kind' && name !== 'metadata')
      own.push(memberField(name, property, objectMeta));
  }
  return struct('', [...metaFieldNodes(objectMeta), ...own], {
    preserveUnknown: schema === undefined || schema.preserveUnknown,
  });
}

function metaFieldNodes(objectMeta: StructNode): FieldNode[] {
  return [
    field('apiVersion', scalar('string')),
    field('kind', scalar('string')),
    field('metadata', objectMeta, { nullable: true }),
  ];
}

function memberField(name: string, schema: Structural, objectMeta: StructNode): FieldNode {
  const more = schema.default === undefined ? {} : { default: schema.default };
  return field(name, nodeOf(schema, objectMeta), { nullable: true, ...more });
}

function nodeOf(schema: Structural, objectMeta: StructNode): TypeNode {
  if (schema.intOrString) return scalar('intOrString');
  const mapType = schema.mapType === 'atomic' || schema.mapType === 'granular' ? schema.mapType : undefined;
  switch (schema.type) {
    case 'string':
      return scalar('string');
    case 'integer':
      return scalar('int64');
    case 'number':
      return scalar('double');
    case 'boolean':
      return scalar('boolean');
    case 'array': {
      const element = schema.items === undefined ? anyNode : nodeOf(schema.items, objectMeta);
      if (schema.listType === 'set') return list(element, { listType: 'set' });
      if (schema.listType === 'map') return list(element, { listType: 'map', listKeys: schema.listMapKeys });
      return list(element);
    }
    case 'object': {
      if (typeof schema.additional === 'object') return map(nodeOf(schema.additional, objectMeta), mapType);
      if (schema.additional === true) return map(anyNode, mapType);
      if (schema.properties.size === 0 && schema.preserveUnknown && mapType === undefined) return anyNode;
      // Of an embedded object they are what they are of any, whatever the schema says of them.
      const meta = schema.embeddedResource ? metaFieldNodes(objectMeta) : [];
      const fields = [...schema.properties]
        .filter(([name]) => !meta.some(own => own.name === name))
        .map(([name, property]) => memberField(name, property, objectMeta));
      return struct('', [...meta, ...fields], { ...(mapType && { mapType }), preserveUnknown: schema.preserveUnknown });
    }
    default:
      return anyNode;
  }
}
