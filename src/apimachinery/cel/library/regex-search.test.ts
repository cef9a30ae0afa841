import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RE2JS } from '@bufbuild/re2';
import { Cancelled } from '../values/cancelled.ts';
import { findMatches } from './regex-search.ts';

const find = (pattern: string, text: string, limit = -1): string[] => findMatches(RE2JS.compile(pattern), text, limit);

test('matches are those of Go', () => {
  const cases: readonly (readonly [pattern: string, text: string, matches: readonly string[]])[] = [
    ['[0-9]+', 'a1b22', ['1', '22']],
    ['b*', 'abc', ['', 'b', '']],
    ['a|ab', 'abab', ['a', 'a']],
    ['ab|a', 'abab', ['ab', 'ab']],
    ['a+?', 'aaa', ['a', 'a', 'a']],
    ['(?i)É', 'éÉ', ['é', 'É']],
    ['(?m)^.', 'ab\ncd', ['a', 'c']],
    ['\\bfoo\\b', 'foo foobar foo', ['foo', 'foo']],
    ['.', '😀ä', ['😀', 'ä']],
    ['x', 'abc', []],
  ];
  for (const [pattern, text, matches] of cases) assert.deepEqual(find(pattern, text), matches, pattern);
  assert.deepEqual(find('.', 'abc', 2), ['a', 'b']);
});

test('a search that takes too many steps ends', () => {
  assert.throws(() => findMatches(RE2JS.compile('(a.*b)|a'), 'a'.repeat(1000), -1, 10_000), Cancelled);
});
