/** Custom resources on a store that does not always take what it is given. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#base';
import { createMemoryStore, StorageError, type Store } from '#storage';
import { startTestApiServer } from '../support/api-server.ts';
import { definers, specOf, version } from '../support/custom-resources.ts';

test('a definition is settled when the store takes writes again', async () => {
  const inner = createMemoryStore({ clock: systemClock });
  let refusals = 0;
  /** Definitions as they are created are taken, the first writes to what they have become are not. */
  const txn: Store['txn'] = (conditions, operations) => {
    const place = '/apiextensions.k8s.io/customresourcedefinitions/';
    const settles =
      operations.some(each => each.key.includes(place)) && conditions.some(each => each.modRevision !== 0);
    if (settles && refusals++ < 3) return Promise.reject(new StorageError('noSpace', 'the disk is full'));
    return inner.txn(conditions, operations);
  };
  const store = new Proxy(inner, {
    get(target, name) {
      if (name === 'txn') return txn;
      const member = Reflect.get(target, name, target) as unknown;
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
  await using server = await startTestApiServer({ store });
  const { define } = definers(() => server.transport());
  await define('adversity.example.com', [version({ name: 'v1', schema: specOf({}), storage: true })]);
  assert.ok(refusals > 3, `${refusals} writes`);
  await store.close();
});
