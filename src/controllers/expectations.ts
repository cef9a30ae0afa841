/**
 * What a controller has done but not yet seen on its informer; while something is expected, it does not count again.
 * Upstream: pkg/controller/controller_utils.go (ControllerExpectations, UIDTrackingControllerExpectations).
 */
import type { Clock } from '#base';

const timeoutMs = 5 * 60 * 1000;

interface Expected {
  creations: number;
  readonly deletions: Set<string>;
  readonly sinceMs: number;
}

export interface Expectations {
  /** True when everything expected of `key` was seen, or was waited for too long. */
  satisfied(key: string): boolean;
  expect(key: string, creations: number, deletions?: readonly string[]): void;
  created(key: string): void;
  /** `uid` of the deleted object. */
  deleted(key: string, uid: string): void;
  forget(key: string): void;
}

export function createExpectations(clock: Clock): Expectations {
  const all = new Map<string, Expected>();
  return {
    satisfied(key) {
      const expected = all.get(key);
      if (!expected) return true;
      const waitedMs = clock.monotonicMs() - expected.sinceMs;
      return (expected.creations <= 0 && expected.deletions.size === 0) || waitedMs > timeoutMs;
    },
    expect(key, creations, deletions = []) {
      all.set(key, { creations, deletions: new Set(deletions), sinceMs: clock.monotonicMs() });
    },
    created(key) {
      const expected = all.get(key);
      if (expected) expected.creations--;
    },
    deleted(key, uid) {
      all.get(key)?.deletions.delete(uid);
    },
    forget: key => void all.delete(key),
  };
}
