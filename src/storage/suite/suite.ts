/**
 * The shared suite: what the contract promises, as tests that every engine must pass. An engine hands in how to make
 * an empty store; what an engine cannot do is left out only with a reason that is printed.
 */
import { test } from 'node:test';
import type { SteppedClock } from '#base';
import type { Store } from '../contract.ts';
import { compactionCases } from './compaction.ts';
import { historyCases } from './history.ts';
import { modelCases } from './model.ts';
import { txnCases } from './txn.ts';
import { watchCases } from './watch.ts';

/** One empty store under test, with its time. */
export interface SuiteStore {
  readonly store: Store;
  /** Moves the store's time forward; for a store with a clock of its own it waits. */
  advance(ms: number): Promise<void>;
  /** The clock, where the engine takes one. */
  readonly clock?: SteppedClock;
  dispose(): Promise<void>;
}

export interface SuiteOptions {
  /** Seconds that ttl tests use; a store with its own clock may be coarse. */
  readonly ttlSeconds?: number;
  /** False for a store that decides only transactions which share a key in call order. Default true. */
  readonly ordered?: boolean;
  /** Case names that do not apply to this engine, with the reason that is printed. */
  readonly skip?: Readonly<Record<string, string>>;
}

export interface SuiteCase {
  readonly name: string;
  run(context: SuiteStore & { readonly ttlSeconds: number; readonly ordered: boolean }): Promise<void>;
}

/** Every case, in the order of the contract. */
const suiteCases: readonly SuiteCase[] = [
  ...txnCases,
  ...historyCases,
  ...watchCases,
  ...compactionCases,
  ...modelCases,
];

/** Registers every case under `name` with node:test; each gets a store of its own from `factory`. */
export function storageSuite(name: string, factory: () => Promise<SuiteStore>, options: SuiteOptions = {}): void {
  for (const each of suiteCases) {
    const skip = options.skip?.[each.name];
    test(`${name}: ${each.name}`, skip === undefined ? {} : { skip }, async () => {
      const made = await factory();
      try {
        await each.run({ ...made, ttlSeconds: options.ttlSeconds ?? 10, ordered: options.ordered ?? true });
      } finally {
        await made.dispose();
      }
    });
  }
}
