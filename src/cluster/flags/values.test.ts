import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GivenFlags } from './flag.ts';
import { flagGroups } from './flags.ts';
import { flagValues } from './values.ts';

const values = (given: Record<string, string[]>): Readonly<Record<string, string>> =>
  flagValues(new GivenFlags(Object.entries(given)));

describe('the values of flags', () => {
  it('are written as their kind is', () => {
    for (const [name, given, written] of [
      ['enable-admission-plugins', ['A,B', 'C'], '[A,B,C]'],
      ['cors-allowed-origins', [], '[]'],
      ['profiling', ['F'], 'false'],
      ['request-timeout', ['90s'], '1m30s'],
      ['feature-gates', ['A=true', 'B=false'], 'A=true,B=false'],
      ['etcd-prefix', ['/other'], '/other'],
    ] as const) {
      assert.equal(values(given.length > 0 ? { [name]: [...given] } : {})[name], written, name);
    }
  });

  it('are those of the flags that there are', () => {
    const known = new Set(flagGroups.flatMap(({ flags }) => flags.map(({ name }) => name)));
    // Of earlier versions, which no command line takes any more but upstream shows.
    const gone = ['default-watch-cache-size', 'kubelet-read-only-port'];
    assert.deepEqual(
      Object.keys(values({})).filter(name => !known.has(name) && !gone.includes(name)),
      [],
    );
  });
});
