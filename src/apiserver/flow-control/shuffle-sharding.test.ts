import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Dealer, flowHash } from './shuffle-sharding.ts';

describe('shuffle sharding', () => {
  it('deals different cards, the same for the same hash', () => {
    const dealer = new Dealer(128, 6);
    for (const name of ['a', 'b', 'c', 'd']) {
      const hand = dealer.deal(flowHash('schema', name));
      assert.equal(new Set(hand).size, 6);
      assert.equal(
        hand.every(card => card >= 0 && card < 128),
        true,
      );
      assert.deepEqual(dealer.deal(flowHash('schema', name)), hand);
    }
  });

  it('deals every card of a deck as often as any other', () => {
    const dealer = new Dealer(4, 2);
    const counts = [0, 0, 0, 0];
    for (let hash = 0n; hash < 1200n; hash++) for (const card of dealer.deal(hash)) counts[card]!++;
    assert.deepEqual(counts, [600, 600, 600, 600]);
  });

  it('refuses more entropy than a hash has', () => {
    assert.throws(
      () => new Dealer(128, 10),
      /required entropy bits of deckSize 128 and handSize 10 is greater than 60/,
    );
    assert.throws(() => new Dealer(2, 3), /handSize 3 is greater than deckSize 2/);
  });
});
