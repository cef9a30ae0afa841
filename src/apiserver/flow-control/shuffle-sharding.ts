/**
 * Which few of many queues a flow may use, dealt like a hand of cards by its hash, so that two flows seldom share all
 * of theirs. Upstream: apiserver pkg/util/shufflesharding/shufflesharding.go, pkg/util/flowcontrol/apf_controller.go.
 */
import { createHash } from 'node:crypto';

/** Bits of a hash that are worth something. */
const maxEntropyBits = 60;

/** The entropy that dealing needs, in bits. */
function requiredEntropyBits(deckSize: number, handSize: number): number {
  return Math.ceil(Math.log2(deckSize) * handSize);
}

export class Dealer {
  readonly deckSize: number;
  readonly handSize: number;

  /** Throws for sizes that a hash cannot serve. */
  constructor(deckSize: number, handSize: number) {
    if (deckSize <= 0 || handSize <= 0) throw new Error(`deckSize ${deckSize} or handSize ${handSize} is not positive`);
    if (handSize > deckSize) throw new Error(`handSize ${handSize} is greater than deckSize ${deckSize}`);
    const bits = requiredEntropyBits(deckSize, handSize);
    if (bits > maxEntropyBits) {
      throw new Error(
        `required entropy bits of deckSize ${deckSize} and handSize ${handSize} is greater than ${maxEntropyBits}`,
      );
    }
    this.deckSize = deckSize;
    this.handSize = handSize;
  }

  /** `handSize` different numbers below `deckSize`. */
  deal(hash: bigint): number[] {
    let rest = hash;
    const remainders: number[] = [];
    for (let at = 0; at < this.handSize; at++) {
      const size = BigInt(this.deckSize - at);
      remainders.push(Number(rest % size));
      rest /= size;
    }
    return remainders.map((remainder, at) => {
      let card = remainder;
      // Cards that were dealt before are no longer in the deck: those above them move up.
      for (let before = at - 1; before >= 0; before--) if (card >= remainders[before]!) card++;
      return card;
    });
  }
}

/** A flow's hash: of its schema's name and of what tells its flows apart. */
export function flowHash(schemaName: string, distinguisher: string): bigint {
  return createHash('sha256').update(`${schemaName}\0${distinguisher}`).digest().readBigUInt64LE(0);
}
