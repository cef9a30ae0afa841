/** Declared types of variables in a few words. Upstream: k8s.io/apiserver pkg/cel/types.go. */
import { type DeclType, dynType, listOf, mapOf, structType, type Type, types } from '#apimachinery/cel';

const plain = (type: Type, minSerializedSize: number): DeclType => ({ type, minSerializedSize, maxElements: 0 });

export const stringDecl: DeclType = plain(types.string, 2);
export const boolDecl: DeclType = plain(types.bool, 4);
export const intDecl: DeclType = plain(types.int, 1);
export const timestampDecl: DeclType = plain(types.timestamp, 22);

export function listDecl(element: DeclType, maxElements = -1): DeclType {
  return { type: listOf(element.type), element, maxElements, minSerializedSize: 2 };
}

export function mapDecl(key: DeclType, element: DeclType, maxElements = -1): DeclType {
  return { type: mapOf(key.type, element.type), key, element, maxElements, minSerializedSize: 2 };
}

export function structDecl(name: string, fields: Readonly<Record<string, DeclType>>): DeclType {
  return { type: structType(name), fields: new Map(Object.entries(fields)), maxElements: 0, minSerializedSize: 2 };
}

/** A type as upstream's own messages name it: `list(string)`, `null_type`, `google.protobuf.Timestamp`. */
export function typeText({ name, params, nullable }: Type): string {
  const declared = nullable ? `wrapper(${name})` : name;
  return params.length === 0 ? declared : `${declared}(${params.map(typeText).join(', ')})`;
}

/** What expressions may see of the result of another one: its type, unless that is a struct. */
export function resultDecl(type: Type | undefined): DeclType {
  if (type === undefined) return dynType;
  const [first, second] = type.params;
  if (type.kind === 'list' && first) return listDecl(resultDecl(first));
  if (type.kind === 'map' && first && second) return mapDecl(resultDecl(first), resultDecl(second));
  const opaque = type.kind === 'struct' || type.kind === 'opaque' || type.kind === 'type' || type.kind === 'null';
  return opaque ? dynType : plain(type, 1);
}
