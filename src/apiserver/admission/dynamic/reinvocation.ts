/**
 * What a plugin remembers of the first round of admission, so that it asks again whom a later change concerns.
 * Upstream: apiserver pkg/admission/plugin/webhook/mutating/reinvocationcontext.go, and the same for policies.
 */
import type { KubeObject } from '#apimachinery';
import type { AdmissionAttributes } from '../chain.ts';

export interface Memory {
  /** What the plugin left when it was done. */
  output: KubeObject | null;
  /** Those that were asked and want to see what others change after them. */
  readonly invoked: Set<string>;
  /** Those that are to be asked in the second round. */
  readonly again: Set<string>;
}

/** The memory of one plugin in one request. */
export function memoryOf({ reinvocation }: AdmissionAttributes, plugin: string): Memory {
  let memory = reinvocation.memory.get(plugin) as Memory | undefined;
  if (!memory) {
    memory = { output: null, invoked: new Set(), again: new Set() };
    reinvocation.memory.set(plugin, memory);
  }
  return memory;
}

/** The object has changed: whoever was asked and wants to see that is asked again. */
export function requireAgain({ invoked, again }: Memory): void {
  for (const id of invoked) again.add(id);
  invoked.clear();
}
