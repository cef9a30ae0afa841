/** How Go names the types of the table, for the texts of decoding errors. */
import type { ScalarType, StructNode, TypeNode } from '../schema/type-node.ts';

const scalars: Readonly<Record<ScalarType, string>> = {
  string: 'string',
  bytes: '[]uint8',
  boolean: 'bool',
  int32: 'int32',
  int64: 'int64',
  double: 'float64',
  quantity: 'resource.Quantity',
  time: 'string',
  microtime: 'string',
  duration: 'string',
  intOrString: 'int32',
  fieldsV1: 'v1.FieldsV1',
  rawExtension: 'runtime.RawExtension',
  json: 'v1.JSON',
};

/** `Container` of `io.k8s.api.core.v1.Container`. */
export function goStructName(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

/** `v1.Container`, `[]v1.Container`, `map[string]string`, `int32` … */
export function goTypeName(node: TypeNode): string {
  switch (node.kind) {
    case 'scalar':
      return node.goType ?? scalars[node.type];
    case 'struct':
      return node.name.split('.').slice(-2).join('.');
    case 'list':
      return node.goType ?? `[]${goTypeName(node.element)}`;
    case 'map':
      return node.goType ?? `map[string]${goTypeName(node.element)}`;
    case 'any':
      return 'map[string]interface {}';
  }
}

/** Names of the embedded Go structs on the way to a field, each with a dot after it: decoding errors show them. */
export function embeddedPath(owner: StructNode, name: string): string {
  const holder = owner.embedded?.find(each => each.struct.fields.has(name))?.struct;
  return holder === undefined ? '' : `${goStructName(holder.name)}.${embeddedPath(holder, name)}`;
}
