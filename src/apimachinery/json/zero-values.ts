/**
 * What Go holds where nothing is written, and what of it Go writes. Upstream: encoding/json (omitempty) with the types of
 * k8s.io/api.
 */
import type { FieldNode, ScalarType, TypeNode } from '../schema/type-node.ts';

/** The zero value that Go has for an element of this type. */
export function zeroValue(node: TypeNode): unknown {
  if (node.kind === 'struct') return {};
  if (node.kind !== 'scalar') return null;
  switch (node.type) {
    case 'string':
      return '';
    case 'boolean':
      return false;
    case 'int32':
    case 'int64':
    case 'double':
    case 'intOrString':
      return 0;
    case 'quantity':
      return '0';
    case 'duration':
      return '0s';
    default:
      return null;
  }
}

/** What a null element of a map or list becomes: no bytes are empty ones, for protobuf cannot tell them apart. */
export function zeroElement(node: TypeNode): unknown {
  return node.kind === 'scalar' && node.type === 'bytes' ? '' : zeroValue(node);
}

/** A value that Go cannot tell from none: the zero of a field that is no pointer. It is written where Go writes it. */
export function isZeroScalar({ node, nullable }: FieldNode, value: unknown): boolean {
  if (nullable || node.kind !== 'scalar' || node.type === 'bytes' || isText(node.type)) return false;
  // A number or a string is the number 0 when it is nothing; the empty string is a string.
  if (node.type === 'intOrString') return value === 0;
  return value === '' || value === 0 || value === false;
}

/** A list or map that is there, be it empty: Go tells it from an absent one, and messages show it, until it is written. */
export function isCollection({ node }: FieldNode, value: unknown): boolean {
  return value !== undefined && value !== null && (node.kind === 'list' || node.kind === 'map');
}

/** True when Go leaves the field out because of this value. */
export function isOmitted(field: FieldNode, value: unknown): boolean {
  if (value === undefined || value === null) return field.omitEmpty || field.nullable;
  if (!field.omitEmpty) return false;
  const { node } = field;
  // An empty list of managers is a client's wish to start over, which Go tells from an absent one.
  if (node.kind === 'list') return (value as unknown[]).length === 0 && field.name !== 'managedFields';
  if (node.kind === 'map') return isEmptyObject(value as object);
  if (node.kind === 'scalar' && node.type === 'bytes') return value === '';
  if (field.nullable || (node.kind === 'scalar' && isText(node.type))) return false;
  if (node.kind === 'struct') return isEmptyObject(value as object);
  return value === '' || value === 0 || value === false;
}

/** Go keeps the text of the value, which is something whatever it says. */
function isText(type: ScalarType): boolean {
  return type === 'rawExtension' || type === 'json';
}

function isEmptyObject(value: object): boolean {
  for (const _ in value) return false;
  return true;
}
