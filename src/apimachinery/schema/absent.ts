/**
 * What stands in JSON and means that nothing is there: Go writes null for a list or pointer that is nil, and reads it
 * back as nil. Rules see such members as absent.
 */
import { isZeroScalar } from '../json/zero-values.ts';
import type { StructNode, TypeNode } from './type-node.ts';

type Plain = Record<string, unknown>;
/** Whether a member counts as absent. */
type Empty = (member: unknown, node: TypeNode) => boolean;

/** `value` without the members of its structs for which `empty` holds; the same value where there are none. */
function without(value: unknown, node: TypeNode, empty: Empty): unknown {
  if (value === null || typeof value !== 'object') return value;
  switch (node.kind) {
    case 'struct':
      return withoutInStruct(value as Plain, node, empty);
    case 'list': {
      if (!Array.isArray(value)) return value;
      const items = value.map(item => without(item, node.element, empty));
      return items.every((item, i) => item === value[i]) ? value : items;
    }
    case 'map': {
      let out = value as Plain;
      for (const [key, item] of Object.entries(value)) {
        const kept = without(item, node.element, empty);
        if (kept === item) continue;
        if (out === value) out = { ...out };
        out[key] = kept;
      }
      return out;
    }
    default:
      return value;
  }
}

function withoutInStruct(value: Plain, node: StructNode, empty: Empty): Plain {
  let out = value;
  for (const [name, item] of Object.entries(value)) {
    const field = node.fields.get(name);
    if (!field) continue;
    const opaque = field.node.kind === 'any' || field.node.kind === 'scalar';
    const gone = isZeroScalar(field, item) || ((item === null || !opaque) && empty(item, field.node));
    const kept = gone ? undefined : without(item, field.node, empty);
    if (!gone && kept === item) continue;
    if (out === value) out = { ...out };
    if (gone) delete out[name];
    else out[name] = kept;
  }
  return out;
}

/** The object without members that are null, or zero where Go cannot tell; shares what it does not change. */
export function withoutNulls<T extends object>(object: T, node: StructNode): T {
  return without(object, node, member => member === null) as T;
}

/** The object without lists that are empty, and without members that are null. */
export function withoutEmptyLists<T extends object>(object: T, node: StructNode): T {
  return without(object, node, member => member === null || (Array.isArray(member) && member.length === 0)) as T;
}

/** The object without lists and maps that are empty, and without members that are null: as it is when it is read back. */
export function withoutEmptyContainers<T extends object>(object: T, node: StructNode): T {
  return without(object, node, (member, at) => {
    if (member === null || (Array.isArray(member) && member.length === 0)) return true;
    return at.kind === 'map' && typeof member === 'object' && Object.keys(member).length === 0;
  }) as T;
}
