/** Randomness as an argument: uids, name suffixes, jitter. Keys and tokens come from node:crypto in `pki` instead. */
import { randomBytes, randomUUID } from 'node:crypto';

/** A source of randomness. */
export interface Random {
  /** A number in [0, 1). */
  float(): number;
  /** An RFC 4122 version 4 uid, lower case. */
  uuid(): string;
  /** `length` characters of upstream's safe alphabet (apimachinery pkg/util/rand: no vowels, no 0, 1, 3). */
  suffix(length: number): string;
}

const safeAlphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** Backed by the operating system. */
export const systemRandom: Random = Object.freeze({
  float: () => Math.random(),
  uuid: () => randomUUID(),
  suffix(length: number): string {
    let out = '';
    for (const byte of randomBytes(length)) out += safeAlphabet[byte % safeAlphabet.length];
    return out;
  },
});

/** A reproducible source (mulberry32), for tests and simulations. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const float = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const pick = (alphabet: string, length: number): string => {
    let out = '';
    for (let i = 0; i < length; i++) out += alphabet[Math.floor(float() * alphabet.length)];
    return out;
  };
  const hex = '0123456789abcdef';
  return {
    float,
    uuid: () => `${pick(hex, 8)}-${pick(hex, 4)}-4${pick(hex, 3)}-${pick('89ab', 1)}${pick(hex, 3)}-${pick(hex, 12)}`,
    suffix: length => pick(safeAlphabet, length),
  };
}
