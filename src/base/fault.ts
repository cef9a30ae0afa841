/**
 * The fault seam: named points at which a test may make the world fail. Production passes {@link noFaults};
 * nothing asks `if (test)`.
 */

/** Decides, at a named point, whether to fail. Throwing is the failure; returning a promise delays. */
export interface FaultPlan {
  /** Called at `point` (for example `storage.beforeCommit`) with whatever identifies the occasion. */
  at(point: string, detail?: unknown): void | Promise<void>;
}

/** Never fails. */
export const noFaults: FaultPlan = Object.freeze({ at: () => {} });
