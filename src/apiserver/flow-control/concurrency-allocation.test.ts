import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '#base';
import { allocateConcurrency, type Claim } from './concurrency-allocation.ts';

const claim = (lowerBound: number, target: number, upperBound: number): Claim => ({ lowerBound, target, upperBound });

describe('allocation of concurrency', () => {
  it('is in proportion to the targets where no bound matters', () => {
    assert.deepEqual(allocateConcurrency(60, [claim(0, 10, 60), claim(0, 30, 60)]), {
      seats: [15, 45],
      fairFraction: 1.5,
    });
  });

  it('gives what an upper bound leaves to the others', () => {
    assert.deepEqual(allocateConcurrency(60, [claim(0, 8, 64), claim(0, 32, 44)]), {
      seats: [16, 44],
      fairFraction: 2,
    });
  });

  it('keeps lower bounds', () => {
    const { seats } = allocateConcurrency(20, [claim(10, 10, 50), claim(0, 30, 50)]);
    assert.deepEqual(seats, [10, 10]);
  });

  it('refuses what the bounds do not allow', () => {
    assert.throws(() => allocateConcurrency(5, [claim(10, 10, 20)]), /lower bounds sum to 10/);
    assert.throws(() => allocateConcurrency(50, [claim(10, 10, 20)]), /upper bounds sum to 20/);
    assert.throws(() => allocateConcurrency(5, [claim(3, 2, 20)]), /below its lower bound/);
  });

  it('sums to what there is, within the bounds and fair between them, whatever is claimed', () => {
    const random = seededRandom(7);
    for (let round = 0; round < 500; round++) {
      const claims = Array.from({ length: 1 + Math.floor(random.float() * 6) }, () => {
        const lower = Math.floor(random.float() * 20);
        const target = lower + random.float() * 30;
        return claim(lower, target, lower + Math.floor(random.float() * 60));
      });
      const low = claims.reduce((sum, each) => sum + each.lowerBound, 0);
      const high = claims.reduce((sum, each) => sum + each.upperBound, 0);
      const total = Math.round(low + random.float() * (high - low));
      const { seats, fairFraction } = allocateConcurrency(total, claims);
      assert.ok(Math.abs(seats.reduce((sum, each) => sum + each, 0) - total) < 1e-6);
      claims.forEach(({ lowerBound, upperBound, target }, at) => {
        const fair = Math.min(Math.max(fairFraction * Math.max(target, 0.001), lowerBound), upperBound);
        assert.ok(Math.abs(seats[at]! - fair) < 1e-6, JSON.stringify({ claims, total, seats, fairFraction }));
      });
    }
  });
});
