import assert from 'node:assert/strict';
import { test } from 'node:test';
import protobuf from 'protobufjs';
import { decode, encode, type Table } from './wire.ts';

const oracle = protobuf.parse(`syntax = "proto3";
  message Inner { bytes key = 1; int64 revision = 3; }
  message Outer { int64 count = 1; bool more = 2; string name = 3; bytes value = 4; repeated Inner inner = 11;
    oneof one { Inner first = 20; int64 second = 21; } int64 extra = 30; }`).root;
const inner: Table = { key: { number: 1, kind: 'text' }, revision: { number: 3, kind: 'int' } };
const outer: Table = {
  count: { number: 1, kind: 'int' },
  more: { number: 2, kind: 'bool' },
  name: { number: 3, kind: 'text' },
  value: { number: 4, kind: 'bytes' },
  inner: { number: 11, kind: inner, repeated: true },
  first: { number: 20, kind: inner, optional: true },
  second: { number: 21, kind: 'int', optional: true },
};
const Outer = oracle.lookupType('Outer');

test('messages are written as protobuf writes them', () => {
  const messages = [
    {},
    { count: 1, more: true, name: 'é', value: new Uint8Array([1, 2]) },
    { count: 2 ** 53 - 1, inner: [{ key: 'a', revision: 300 }, {}] },
    { first: { key: 'k' } },
    { second: 7 },
  ];
  for (const message of messages) {
    const theirs = Outer.toObject(Outer.decode(encode(outer, message)), { longs: Number, bytes: Array });
    const expected = Outer.toObject(Outer.fromObject(asBytes(message)), { longs: Number, bytes: Array });
    assert.deepEqual(theirs, expected);
    assert.deepEqual(encode(outer, decode(outer, encode(outer, message))), encode(outer, message));
  }
});

test('what is not in the table is passed over; defaults are filled in; negative ids are told', () => {
  const bytes = Outer.encode(Outer.fromObject({ extra: 5, second: -1, name: 'n' })).finish();
  assert.deepEqual(decode(outer, bytes), {
    count: 0,
    more: false,
    name: 'n',
    value: new Uint8Array(0),
    inner: [],
    second: -1,
  });
  assert.throws(() => decode(outer, bytes.subarray(0, bytes.length - 1)), RangeError);
});

/** Text keys of the table are bytes to protobuf. */
function asBytes(message: object): Record<string, unknown> {
  return JSON.parse(JSON.stringify(message), (name, value) => {
    if (name === 'key') return [...Buffer.from(value)];
    return name === 'value' ? Object.values(value) : value;
  });
}
