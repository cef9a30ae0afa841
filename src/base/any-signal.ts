/** One abort signal out of several, held by what it listens to: AbortSignal.any may be collected while nobody reads it. */

/** Aborts with the first of `signals` that does, for the same reason. For lifetimes, not for single requests. */
export function anySignal(...signals: readonly AbortSignal[]): AbortSignal {
  const controller = new AbortController();
  for (const signal of signals) {
    if (signal.aborted) controller.abort(signal.reason);
    else signal.addEventListener('abort', () => controller.abort(signal.reason), { once: true });
  }
  return controller.signal;
}
