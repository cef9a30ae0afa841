import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { masterCountMembers, withOwn } from './endpoint-members.ts';

describe('addresses of a fixed number of API servers', () => {
  const rows: ReadonlyArray<readonly [about: string, written: string[], count: number, expected: string[]]> = [
    ['nobody was there', [], 1, ['10.0.0.5']],
    ['it is there already', ['10.0.0.5', '10.0.0.9'], 2, ['10.0.0.5', '10.0.0.9']],
    ['there is room', ['10.0.0.9'], 2, ['10.0.0.5', '10.0.0.9']],
    ['the next in order gives way', ['10.0.0.1', '10.0.0.9'], 2, ['10.0.0.1', '10.0.0.5']],
    ['from the end round to the beginning', ['10.0.0.1', '10.0.0.2'], 2, ['10.0.0.2', '10.0.0.5']],
    ['one server has the place for itself', ['10.0.0.1', '10.0.0.9'], 1, ['10.0.0.5']],
  ];
  for (const [about, written, count, expected] of rows)
    it(about, () => assert.deepEqual(withOwn(written, '10.0.0.5', count), expected));

  it('a server that leaves takes only itself out', async () => {
    const members = masterCountMembers(async () => ['10.0.0.1', '10.0.0.5'], '10.0.0.5', 1);
    assert.deepEqual(await members.leave(), ['10.0.0.1']);
  });
});
