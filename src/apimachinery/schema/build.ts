/** Short builders of type nodes: for tests, and for the few types that are not in the generated tables. */
import type { FieldNode, ListNode, ScalarType, StructNode, TypeNode } from './type-node.ts';

/** A leaf. */
export function scalar(type: ScalarType, goType?: string): TypeNode {
  return { kind: 'scalar', type, ...(goType !== undefined && { goType }) };
}

/** A list; atomic unless told otherwise. */
export function list(element: TypeNode, more: Partial<Omit<ListNode, 'kind' | 'element'>> = {}): ListNode {
  return { kind: 'list', element, ...more };
}

/** A map from strings. */
export function map(element: TypeNode, mapType?: 'atomic' | 'granular'): TypeNode {
  return { kind: 'map', element, ...(mapType !== undefined && { mapType }) };
}

/** A field that Go omits when it is empty; a pointer when it is a struct, unless told otherwise. */
export function field(name: string, node: TypeNode, more: Partial<Omit<FieldNode, 'name' | 'node'>> = {}): FieldNode {
  const nullable = node.kind !== 'scalar';
  return { name, node, number: 0, nullable, omitEmpty: true, required: false, ...more };
}

/** A struct with fields in the order given. */
export function struct(
  name: string,
  fields: readonly FieldNode[],
  more: Partial<Omit<StructNode, 'kind' | 'name' | 'fields'>> = {},
): StructNode {
  return { kind: 'struct', name, fields: new Map(fields.map(item => [item.name, item])), ...more };
}

/** Anything. */
export const anyNode: TypeNode = { kind: 'any' };
