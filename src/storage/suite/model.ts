/**
 * Random transactions against a model of a few lines: refusals, revisions, states now and at every revision, and the
 * stream of a watch must agree. Upstream: etcd tests/robustness.
 */
import assert from 'node:assert/strict';
import { type Random, seededRandom } from '#base';
import type { Precondition, StorageOp, Store } from '../contract.ts';
import { bytes, reader, shown, text, under } from './help.ts';
import type { SuiteCase } from './suite.ts';

interface Entry {
  value: string;
  create: number;
  mod: number;
}
type State = ReadonlyMap<string, Entry>;

class Model {
  revision: number;
  state: State = new Map();
  readonly past = new Map<number, State>();

  constructor(revision: number) {
    this.revision = revision;
  }

  txn(preconditions: readonly Precondition[], ops: readonly StorageOp[]): { ok: boolean; revision: number } {
    const holds = preconditions.every(({ key, modRevision }) => (this.state.get(key)?.mod ?? 0) === modRevision);
    if (!holds) return { ok: false, revision: this.revision };
    const next = new Map(this.state);
    const revision = this.revision + 1;
    let changed = false;
    for (const op of ops) {
      if (op.type === 'put') {
        const create = next.get(op.key)?.create ?? revision;
        next.set(op.key, { value: text(op.value), create, mod: revision });
        changed = true;
      } else changed = next.delete(op.key) || changed;
    }
    if (changed) {
      this.revision = revision;
      this.state = next;
      this.past.set(revision, next);
    }
    return { ok: true, revision: this.revision };
  }
}

const shownState = (state: State): string[] =>
  [...state].map(([key, { value, create, mod }]) => `${key}=${value}@${create}/${mod}`).sort();

function randomTxn(random: Random, model: Model, at: number): [Precondition[], StorageOp[]] {
  const pick = () => `/m/${Math.floor(random.float() * 12)}`;
  const keys = [...new Set(Array.from({ length: 1 + Math.floor(random.float() * 3) }, pick))];
  const preconditions = keys
    .filter(() => random.float() < 0.6)
    .map(key => {
      const mod = model.state.get(key)?.mod ?? 0;
      return { key, modRevision: random.float() < 0.8 ? mod : Math.max(0, mod - 1) };
    });
  const ops = keys.map((key): StorageOp => {
    if (random.float() < 0.3) return { type: 'delete', key };
    return { type: 'put', key, value: bytes(`${at}`) };
  });
  return [preconditions, ops];
}

async function play(store: Store, seed: number, ordered: boolean): Promise<void> {
  const random = seededRandom(seed);
  const base = await store.currentRevision();
  const model = new Model(base);
  for (let at = 0; at < 60; at++) {
    const group = Array.from({ length: ordered ? 1 + Math.floor(random.float() * 4) : 1 }, (_, i) => {
      const [preconditions, ops] = randomTxn(random, model, at * 10 + i);
      return { expected: model.txn(preconditions, ops), actual: store.txn(preconditions, ops) };
    });
    for (const { expected, actual } of group) {
      const { ok, revision } = await actual;
      assert.equal(ok, expected.ok);
      if (ok) assert.equal(revision, expected.revision);
    }
  }
  assert.equal(await store.currentRevision(), model.revision);
  await using watch = reader(store, { ...under('/m/'), afterRevision: base });
  const replayed = new Map<string, Entry>();
  for (const event of await watch.until(model.revision)) {
    assert.equal(event.prev ? text(event.prev.value) : undefined, replayed.get(event.key)?.value);
    if (event.kv) {
      const { value, createRevision, modRevision } = event.kv;
      replayed.set(event.key, { value: text(value), create: createRevision, mod: modRevision });
    } else replayed.delete(event.key);
  }
  assert.deepEqual(shownState(replayed), shownState(model.state));
  for (const [revision, state] of model.past) {
    const { kvs } = await store.range({ ...under('/m/'), revision });
    assert.deepEqual(kvs.map(shown).sort(), shownState(state));
  }
  assert.deepEqual(await store.verify(), []);
}

export const modelCases: readonly SuiteCase[] = [1, 2, 3].map(seed => ({
  name: `random transactions agree with a model (seed ${seed})`,
  run: ({ store, ordered }) => play(store, seed, ordered),
}));
