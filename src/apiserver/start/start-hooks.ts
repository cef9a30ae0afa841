/**
 * The steps of a start under upstream's names, each with a health check that fails until it is done. Upstream:
 * apiserver pkg/server/hooks.go.
 */

export class StartHooks {
  readonly #done = new Set<string>();

  /** Does the step that `names` stand for. */
  async run<T>(names: string | readonly string[], work: () => Promise<T> | T): Promise<T> {
    const result = await work();
    for (const name of typeof names === 'string' ? [names] : names) this.#done.add(name);
    return result;
  }

  /** What the check of a step says. */
  problem(name: string): string | undefined {
    return this.#done.has(name) ? undefined : 'not finished';
  }
}
