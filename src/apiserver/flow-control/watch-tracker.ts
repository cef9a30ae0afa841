/**
 * How many watches a write would wake. Upstream: apiserver pkg/util/flowcontrol/watch_tracker.go, with its
 * approximation: of watches of pods by node only those of no node count.
 */
import { parseFieldSelector } from '#apimachinery';
import type { RequestInfo } from '../filters/request-info.ts';

const readOnly = new Set(['get', 'list', 'watch', 'proxy']);
const indexedField = 'spec.nodeName';

type Watched = Pick<RequestInfo, 'group' | 'resource' | 'namespace' | 'name'>;

const keyOf = ({ group, resource }: Watched, namespace: string, name: string): string =>
  `${group}/${resource}/${namespace}/${name}`;

export class WatchTracker {
  readonly #counts = new Map<string, number>();

  /** Counts a watch until what is returned is called. */
  register(info: RequestInfo): () => void {
    if (info.resource === 'pods' && nodeOf(info.fieldSelector)) return () => {};
    const key = keyOf(info, info.namespace, info.name);
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    let forgotten = false;
    return () => {
      if (forgotten) return;
      forgotten = true;
      const left = this.#counts.get(key)! - 1;
      if (left > 0) this.#counts.set(key, left);
      else this.#counts.delete(key);
    };
  }

  /** Watches of the whole resource, of the namespace, and of the object. */
  interested(info: Watched & Pick<RequestInfo, 'verb'>): number {
    if (readOnly.has(info.verb) || this.#counts.size === 0) return 0;
    const { namespace, name } = info;
    let count = this.#counts.get(keyOf(info, '', '')) ?? 0;
    if (namespace !== '') count += this.#counts.get(keyOf(info, namespace, '')) ?? 0;
    if (name !== '') count += this.#counts.get(keyOf(info, namespace, name)) ?? 0;
    return count;
  }
}

function nodeOf(selector: string): string | undefined {
  if (!selector.includes(indexedField)) return undefined;
  try {
    return parseFieldSelector(selector).requiredValue(indexedField);
  } catch {
    return undefined;
  }
}
