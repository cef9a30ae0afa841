/** Small words for defaulting functions, so that they read like a table of upstream's defaults. */
import { parseQuantity, type StructNode, type TypeNode } from '#apimachinery';

/** Sets `draft[field]` when it is absent (undefined or null). */
export function setDefault<T extends object, K extends keyof T>(draft: T, field: K, value: NonNullable<T[K]>): void {
  draft[field] ??= value;
}

/** The object at `field`, made empty when absent. */
export function ensure<T extends object, K extends keyof T>(draft: T, field: K): NonNullable<T[K]> {
  return (draft[field] ??= {} as NonNullable<T[K]>);
}

/**
 * Makes the structs that Go holds by value, and so has always: `spec`, `spec.template`, `spec.template.spec`, the
 * resources of each container. Rules may then read through them, and what Go calls equal compares equal. Structs behind
 * pointers are not made, what is in them is. The object's own metadata is left alone.
 */
export function fillStructs(draft: Record<string, unknown>, node: StructNode): void {
  fillFields(draft, node, 'metadata');
}

function fillFields(draft: Record<string, unknown>, node: StructNode, except?: string): void {
  for (const [name, field] of node.fields) {
    if (name === except) continue;
    const value = draft[name];
    if (value === undefined || value === null) {
      if (field.node.kind === 'struct' && !field.nullable) fillFields((draft[name] = {}), field.node);
    } else if (typeof value === 'object') fillWithin(value, field.node);
  }
}

function fillWithin(value: object, node: TypeNode): void {
  if (node.kind === 'struct') fillFields(value as Record<string, unknown>, node);
  else if (node.kind === 'list' || node.kind === 'map') {
    if (node.element.kind === 'scalar') return;
    for (const item of Object.values(value)) {
      if (item !== null && typeof item === 'object') fillWithin(item, node.element);
    }
  }
}

/** Amounts finer than a thousandth are rounded up to one. Upstream: SetDefaults_ResourceList. */
export function roundResources(list: Record<string, string> | undefined): void {
  for (const [name, text] of Object.entries(list ?? {})) {
    if (!/[nu.e]/i.test(text)) continue;
    const exact = parseQuantity(text);
    const rounded = exact.roundUp(-3);
    if (!rounded.equals(exact)) list![name] = rounded.toString();
  }
}
