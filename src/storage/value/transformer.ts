/**
 * Forms of stored values, one for each encryption provider, and the choice among several by what a value begins with.
 * Values are byte-compatible with upstream's. Upstream: apiserver pkg/storage/value/transformer.go.
 */
import type { TransformationMetrics } from './metrics.ts';

/** Where a value stands. */
export interface ValueContext {
  /** The whole key in the store; authenticated with the value, so that it cannot be moved. */
  readonly key: string;
  /** As metrics name it: `secrets`, `deployments.apps`. */
  readonly resource: string;
}

export interface Opened {
  readonly value: Uint8Array;
  /** It is not in the form in which it would be written now: to be written even if nothing else changed. */
  readonly stale: boolean;
}

/** One form. Opening may have to ask someone who knows the key; writing never does. */
export interface Transformer {
  /** Throws when it cannot be done at present. */
  seal(value: Uint8Array, at: ValueContext): Uint8Array;
  /** Throws, or rejects, when `stored` is not what {@link seal} made for this place. */
  open(stored: Uint8Array, at: ValueContext): Opened | Promise<Opened>;
}

export interface PrefixTransformer {
  /** Empty for the form that has no mark of its own. */
  readonly prefix: string;
  readonly transformer: Transformer;
}

/** Several reasons as upstream shows them: one as it is, more in brackets, each once. */
export function aggregate(errors: readonly Error[]): Error {
  const [first] = errors;
  if (errors.length === 1) return first!;
  const messages = [...new Set(errors.map(error => error.message))];
  return new Error(messages.length === 1 ? messages[0]! : `[${messages.join(', ')}]`, { cause: errors });
}

/**
 * Writes by the first, reads by whichever has the prefix; what another than the first could read is stale. Without
 * `metrics` nothing is counted: the keys of one provider are a choice of this sort too.
 */
export function prefixTransformers(
  list: readonly PrefixTransformer[],
  noMatch: string,
  metrics?: TransformationMetrics,
): Transformer {
  const all = list.map(({ prefix, transformer }) => ({ prefix, mark: Buffer.from(prefix), transformer }));
  const first = all[0]!;

  /** Tries from the `from`th on. A failure never keeps a later one from being tried: two may share a prefix. */
  const openFrom = (
    stored: Uint8Array,
    at: ValueContext,
    state: { from: number; begun: number; errors: Error[] },
  ): Opened | Promise<Opened> => {
    for (let n = state.from; n < all.length; n++) {
      const { mark, transformer } = all[n]!;
      if (!beginsWith(stored, mark)) continue;
      const counted = (error?: Error): void => {
        if (mark.length > 0 || !error)
          metrics?.opened(at, mark.length > 0 ? all[n]!.prefix : 'identity', state.begun, error);
      };
      const passed = (opened: Opened): Opened => {
        counted();
        return n === 0 ? opened : { value: opened.value, stale: true };
      };
      const failed = (error: Error): void => {
        counted(error);
        if (mark.length > 0) state.errors.push(error);
      };
      try {
        const opened = transformer.open(stored.subarray(mark.length), at);
        if (!(opened instanceof Promise)) return passed(opened);
        return opened.then(passed, error => {
          failed(error as Error);
          return openFrom(stored, at, { ...state, from: n + 1 });
        });
      } catch (error) {
        failed(error as Error);
      }
    }
    if (state.errors.length > 0) throw aggregate(state.errors);
    const error = new Error(noMatch);
    metrics?.opened(at, 'unknown', state.begun, error);
    throw error;
  };

  return {
    seal(value, at) {
      const begun = metrics?.now() ?? 0;
      let sealed: Uint8Array;
      try {
        sealed = first.transformer.seal(value, at);
      } catch (error) {
        metrics?.sealed(at, first.prefix, begun, error as Error);
        throw error;
      }
      metrics?.sealed(at, first.prefix, begun);
      return first.mark.length === 0 ? sealed : Buffer.concat([first.mark, sealed]);
    },
    open: (stored, at) => openFrom(stored, at, { from: 0, begun: metrics?.now() ?? 0, errors: [] }),
  };
}

function beginsWith(bytes: Uint8Array, mark: Uint8Array): boolean {
  if (bytes.length < mark.length) return false;
  for (let at = 0; at < mark.length; at++) if (bytes[at] !== mark[at]) return false;
  return true;
}

const encryptedMark = Buffer.from('k8s:enc:');

/** Values as they are. Refuses to read what another form wrote. */
export const identityTransformer: Transformer = {
  seal: value => value,
  open(stored) {
    if (beginsWith(stored, encryptedMark)) throw new Error('identity transformer tried to read encrypted data');
    return { value: stored, stale: false };
  },
};
