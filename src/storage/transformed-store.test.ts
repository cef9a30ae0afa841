import assert from 'node:assert/strict';
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { SteppedClock } from '#base';
import { createMemoryStore, type MemoryStore } from './memory/memory-store.ts';
import { create, put, rejectsWith, text, under } from './suite/help.ts';
import { storageSuite } from './suite/suite.ts';
import { transformedStore, type ValueTransformer } from './transformed-store.ts';

const secret = randomBytes(32);

/** AES-256-GCM with the key as additional data. */
const aes: ValueTransformer = {
  seal(key, value) {
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', secret, nonce).setAAD(Buffer.from(key));
    return Buffer.concat([nonce, cipher.update(value), cipher.final(), cipher.getAuthTag()]);
  },
  open(key, stored) {
    const decipher = createDecipheriv('aes-256-gcm', secret, stored.subarray(0, 12)).setAAD(Buffer.from(key));
    decipher.setAuthTag(stored.subarray(-16));
    return { value: Buffer.concat([decipher.update(stored.subarray(12, -16)), decipher.final()]), stale: false };
  },
};

/** The same, having asked someone; every third value takes longer than the ones after it. */
function asking(): ValueTransformer {
  let calls = 0;
  const later = async <T>(value: T | Promise<T>): Promise<T> => {
    for (let turn = calls++ % 3 === 0 ? 3 : 0; turn > 0; turn--) await new Promise(resolve => setImmediate(resolve));
    return value;
  };
  return { seal: (key, value) => later(aes.seal(key, value)), open: (key, stored) => later(aes.open(key, stored)) };
}

for (const [name, transformer] of [
  ['transformed', () => aes],
  ['transformed by asking', asking],
] as const) {
  storageSuite(name, async () => {
    const clock = new SteppedClock();
    const store = transformedStore(createMemoryStore({ clock }), transformer());
    return { store, clock, advance: ms => clock.advance(ms), dispose: () => store.close() };
  });
}

async function opened(): Promise<{ inner: MemoryStore; store: ReturnType<typeof transformedStore> }> {
  const inner = createMemoryStore({ clock: new SteppedClock() });
  return { inner, store: transformedStore(inner, aes) };
}

test('the store underneath never sees a value', async () => {
  const { inner, store } = await opened();
  await create(store, '/secret', 'the password is swordfish');
  const { kv } = await inner.get('/secret');
  assert.doesNotMatch(text(kv!.value), /swordfish|password/);
  assert.equal(text((await store.get('/secret')).kv!.value), 'the password is swordfish');
});

test('a value that was altered or moved to another key is refused with the key named', async () => {
  const { inner, store } = await opened();
  await create(store, '/a', 'a');
  const { kv } = await inner.get('/a');
  await inner.txn([], [{ type: 'put', key: '/b', value: kv!.value }]);
  await rejectsWith('transform', store.get('/b'));
  await assert.rejects(store.range(under('/')), /unable to transform key "\/b": /);
  await put(inner, '/a', 'plain');
  await rejectsWith('transform', store.get('/a'));
});
