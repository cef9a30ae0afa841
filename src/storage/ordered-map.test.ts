import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '#base';
import { compareKeys, OrderedMap } from './ordered-map.ts';

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

test('keys compare as their UTF-8 bytes do', () => {
  const keys = [
    '',
    'a',
    'a/',
    'ab',
    'z',
    'é',
    '\ud7ff',
    '\ue000',
    '\ufb01',
    '\uffff',
    '😀',
    'a😀',
    'a\ufb01',
    '\u{10ffff}',
  ];
  for (const a of keys) for (const b of keys) assert.equal(Math.sign(compareKeys(a, b)), byBytes(a, b), `${a} ${b}`);
});

test('an ordered map agrees with a sorted list, whatever is added and removed', () => {
  const random = seededRandom(3);
  const map = new OrderedMap<{ key: string; n: number }>();
  const model = new Map<string, number>();
  const name = (): string => {
    const n = Math.floor(random.float() * 3000);
    return n % 500 === 7 ? `k😀${n}` : n % 500 === 8 ? `k\ufb01${n}` : `k${n}`;
  };
  for (let at = 0; at < 20_000; at++) {
    const key = name();
    if (random.float() < 0.6) {
      assert.equal(map.set({ key, n: at })?.n, model.get(key));
      model.set(key, at);
    } else {
      assert.equal(map.delete(key)?.n, model.get(key));
      model.delete(key);
    }
    if (at % 500 !== 0) continue;
    const [start, end] = [name(), name()].sort(byBytes) as [string, string];
    const keys = [...model.keys()].sort(byBytes);
    const inside = keys.filter(each => byBytes(each, start) >= 0 && byBytes(each, end) < 0);
    assert.deepEqual(
      map.slice(start, end).map(each => each.key),
      inside,
    );
    assert.deepEqual(
      [...map.range(start, end)].map(each => each.key),
      inside,
    );
    assert.deepEqual(
      map.slice(start, end, 5).map(each => each.key),
      inside.slice(0, 5),
    );
    assert.equal(map.count(start, end), inside.length);
    assert.deepEqual(
      map.slice(start).map(each => each.key),
      keys.filter(each => byBytes(each, start) >= 0),
    );
    assert.equal(map.size, model.size);
  }
});
