import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '#apimachinery';
import { checkRequestSize, transactionBytes } from './request-size.ts';

test('a transaction is counted as it is encoded', () => {
  // compare 0a0e: target 1002, key 1a08…, revision 3000; success 1211 120f: key 0a08…, value 1203….
  assert.equal(transactionBytes(8, 3, 0), 2 + 14 + 2 + 2 + 10 + 5);
  assert.equal(transactionBytes(8, 3, 300), 2 + 15 + 2 + 2 + 10 + 5 + 2 + 2 + 10);
  assert.equal(transactionBytes(31, 200, 0), 2 + 37 + 3 + 3 + 33 + 203);
});

test('what etcd or its client would not take is refused in their words', () => {
  const object = { apiVersion: 'v1', kind: 'A', metadata: { name: 'a' } } as KubeObject;
  const check = (size: number): void =>
    checkRequestSize({ key: '/registry/a', bytes: Buffer.alloc(size), object, struct: undefined, revision: 0 });
  const around = transactionBytes('/registry/a'.length, 1_500_000, 0) - 1_500_000 + 18 + 1;
  check(1_572_864 - around);
  assert.throws(() => check(1_572_865 - around), { code: 'tooLarge', message: 'etcdserver: request is too large' });
  assert.throws(() => check(2_500_000), {
    code: 'tooLarge',
    message:
      /^rpc error: code = ResourceExhausted desc = trying to send message larger than max \(25000\d\d vs\. 2097152\)$/,
  });
});
