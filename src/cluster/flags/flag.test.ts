import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GivenFlags } from './flag.ts';
import { serverArguments } from './flags.ts';

describe('flags of kube-apiserver', () => {
  it('reads lists, booleans, numbers and durations as pflag does', () => {
    const given = new GivenFlags([
      ['names', ['a,b', 'c']],
      ['on', ['T']],
      ['many', ['12']],
      ['wait', ['1m30s']],
    ]);
    assert.deepEqual(given.list('names'), ['a', 'b', 'c']);
    assert.equal(given.boolean('on'), true);
    assert.equal(given.integer('many'), 12);
    assert.equal(given.durationMs('wait'), 90_000);
    assert.equal(given.text('absent'), undefined);
    assert.equal(given.list('absent'), undefined);
  });

  it('refuses values in the words of pflag', () => {
    const given = new GivenFlags([['x', ['maybe']]]);
    const refusal = (why: string) => ({ message: `invalid argument "maybe" for "--x" flag: ${why}` });
    assert.throws(() => given.boolean('x'), refusal('strconv.ParseBool: parsing "maybe": invalid syntax'));
    assert.throws(() => given.integer('x'), refusal('strconv.ParseInt: parsing "maybe": invalid syntax'));
    assert.throws(() => given.durationMs('x'), refusal('time: invalid duration "maybe"'));
  });

  it('hands flags on with absolute paths', () => {
    const given = new GivenFlags([
      ['admission-control-config-file', ['a.yaml']],
      ['disable-admission-plugins', ['LimitRanger', 'Priority']],
    ]);
    assert.deepEqual(serverArguments(given), [
      '--disable-admission-plugins=LimitRanger',
      '--disable-admission-plugins=Priority',
      `--admission-control-config-file=${process.cwd()}/a.yaml`,
    ]);
  });
});
