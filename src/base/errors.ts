/** What goes wrong before there is an API to answer with: one sentence for a person, and what to do. */

/** An expected failure, printed as one sentence without a stack. A bug is any other Error. */
export class UserError extends Error {
  override readonly name = 'UserError';
  /** What the user can do, as a sentence or a command; undefined when the message says it all. */
  readonly remedy: string | undefined;

  constructor(message: string, options: { remedy?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.remedy = options.remedy;
  }
}

/** True for the rejection that an aborted signal causes; cancellation is no error. */
export function isAbort(error: unknown, signal?: AbortSignal): boolean {
  return (signal?.aborted && error === signal.reason) || (error instanceof Error && error.name === 'AbortError');
}
