/** Small words for defaulting functions, so that they read like a table of upstream's defaults. */
import { parseQuantity, Quantity, type StructNode } from '#apimachinery';

/** Sets `draft[field]` when it is absent (undefined or null). */
export function setDefault<T extends object, K extends keyof T>(draft: T, field: K, value: NonNullable<T[K]>): void {
  draft[field] ??= value;
}

/** Sets `draft[field]` when it has Go's zero value: absent, empty or 0. */
export function setIfZero<T extends object, K extends keyof T>(draft: T, field: K, value: NonNullable<T[K]>): void {
  if (!draft[field]) draft[field] = value;
}

/** The object at `field`, made empty when absent. */
export function ensure<T extends object, K extends keyof T>(draft: T, field: K): NonNullable<T[K]> {
  return (draft[field] ??= {} as NonNullable<T[K]>);
}

/**
 * Makes the structs that Go holds by value, and so has always: `spec`, `spec.template`, `spec.template.spec`. Rules may
 * then read through them. Structs in lists and behind pointers are left alone.
 */
export function fillStructs(draft: Record<string, unknown>, node: StructNode): void {
  for (const [name, field] of node.fields) {
    if (field.node.kind !== 'struct' || field.nullable || name === 'metadata') continue;
    const value = (draft[name] ??= {}) as Record<string, unknown>;
    fillStructs(value, field.node);
  }
}

/** Amounts finer than a thousandth are rounded up to one. Upstream: SetDefaults_ResourceList. */
export function roundResources(list: Record<string, string> | undefined): void {
  for (const [name, text] of Object.entries(list ?? {})) {
    if (!/[nu.e]/i.test(text)) continue;
    const exact = parseQuantity(text);
    const rounded = new Quantity(exact.scaledValue(-3), -3, exact.format);
    if (!rounded.equals(exact)) list![name] = rounded.toString();
  }
}
