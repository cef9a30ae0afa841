import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expand } from './expansion.ts';

const values: Record<string, string> = { A: 'x', EMPTY: '', 'a.b': 'dot' };

test('references are replaced as upstream does', () => {
  const rows: ReadonlyArray<readonly [string, string]> = [
    ['$(A)', 'x'],
    ['$(A)-$(A)', 'x-x'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$x'],
    ['$(MISSING)', '$(MISSING)'],
    ['$(EMPTY)', ''],
    ['$(a.b)', 'dot'],
    ['foo$(A', 'foo$(A'],
    ['cost $5', 'cost $5'],
    ['end$', 'end$'],
    ['$()', '$()'],
    ['$(A)$(', 'x$('],
  ];
  for (const [text, expected] of rows)
    assert.equal(
      expand(text, name => values[name]),
      expected,
      text,
    );
});
