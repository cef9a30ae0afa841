/** Small words for defaulting functions, so that they read like a table of upstream's defaults. */

/** Sets `draft[field]` when it is absent (undefined or null). */
export function setDefault<T extends object, K extends keyof T>(draft: T, field: K, value: NonNullable<T[K]>): void {
  draft[field] ??= value;
}

/** The object at `field`, made empty when absent. */
export function ensure<T extends object, K extends keyof T>(draft: T, field: K): NonNullable<T[K]> {
  return (draft[field] ??= {} as NonNullable<T[K]>);
}
