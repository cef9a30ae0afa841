/**
 * ConfigMaps and Secrets that pods of this node name: fetched when asked for, watched while a pod needs them, so that
 * volumes follow soon. Upstream: pkg/kubelet/util/manager/watch_based_manager.go.
 *
 * Deviation: a change makes its pods sync at once, not at their next turn.
 */
import { isStatusError, type KubeObject, notFound } from '#apimachinery';
import { createInformer, type Informer, type InformerDeps, type ResourceClient } from '#client';

interface Watched<T extends KubeObject> {
  readonly informer: Informer<T>;
  readonly pods: Set<string>;
  readonly stop: AbortController;
}

/** Keys are `namespace/name`. */
export class ObjectCache<T extends KubeObject> implements AsyncDisposable {
  readonly #watched = new Map<string, Watched<T>>();
  readonly #deps: InformerDeps;
  readonly #resource: ResourceClient<T>;
  readonly #word: string;
  readonly #changed: (podUids: Iterable<string>) => void;

  /** `word` is what its messages call the kind, as `configmap`. `changed` is told the pods that name an object that appeared, changed or went. */
  constructor(
    deps: InformerDeps,
    resource: ResourceClient<T>,
    word: string,
    changed: (podUids: Iterable<string>) => void,
  ) {
    this.#deps = deps;
    this.#resource = resource;
    this.#word = word;
    this.#changed = changed;
  }

  /** Rejects with a StatusError. */
  async get(namespace: string, name: string): Promise<T> {
    const watched = this.#watched.get(`${namespace}/${name}`);
    const cached = watched?.informer.synced ? watched.informer.get(`${namespace}/${name}`) : undefined;
    if (cached) return cached;
    try {
      return await this.#resource.namespace(namespace).get(name);
    } catch (error) {
      if (!isStatusError(error, 'NotFound')) throw error;
      throw notFound({ group: '', resource: this.#word }, name);
    }
  }

  /** What the pod names now; replaces what it named before. */
  register(podUid: string, namespace: string, names: ReadonlySet<string>): void {
    for (const name of names) this.#watch(`${namespace}/${name}`, namespace, name).pods.add(podUid);
    for (const [key, watched] of this.#watched) {
      if (watched.pods.has(podUid) && !names.has(key.slice(namespace.length + 1))) this.#release(key, podUid);
    }
  }

  unregister(podUid: string): void {
    for (const key of [...this.#watched.keys()]) this.#release(key, podUid);
  }

  #watch(key: string, namespace: string, name: string): Watched<T> {
    const known = this.#watched.get(key);
    if (known) return known;
    const informer = createInformer(this.#deps, this.#resource, { namespace, fieldSelector: `metadata.name=${name}` });
    const stop = new AbortController();
    const watched: Watched<T> = { informer, pods: new Set(), stop };
    this.#watched.set(key, watched);
    const changed = (): void => {
      if (informer.synced) this.#changed(watched.pods);
    };
    informer.addHandler({ added: changed, updated: changed, deleted: changed });
    void informer.start(stop.signal);
    return watched;
  }

  #release(key: string, podUid: string): void {
    const watched = this.#watched.get(key);
    if (!watched?.pods.delete(podUid) || watched.pods.size > 0) return;
    this.#watched.delete(key);
    watched.stop.abort();
    void watched.informer[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#watched.values()];
    this.#watched.clear();
    for (const { stop } of all) stop.abort();
    await Promise.all(all.map(({ informer }) => informer[Symbol.asyncDispose]()));
  }
}
