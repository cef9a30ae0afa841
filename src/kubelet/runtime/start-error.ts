/** Why a container could not be started: the reason that its waiting state shows. Upstream: container/sync_result.go. */

export class StartError extends Error {
  override readonly name = 'StartError';
  /** `ErrImagePull`, `CrashLoopBackOff`, `CreateContainerConfigError` … */
  readonly reason: string;
  /** When to try again, wall milliseconds; undefined: as the worker's own back-off says. */
  readonly retryAtMs: number | undefined;

  constructor(reason: string, message: string, options: { retryAtMs?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
    this.retryAtMs = options.retryAtMs;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
