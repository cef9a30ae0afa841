/** The sqlite engine on a disk that is really full. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { noOwnDisk, onOwnDisk } from '../support/own-disk.ts';

const child = join(import.meta.dirname, 'storage-full-disk-child.ts');
const skip = noOwnDisk();

for (const sizeMegabytes of [8, 40]) {
  test(`a disk of ${sizeMegabytes} MB that is full: writes refused, reads go on, recovery`, { skip }, async () => {
    const told = (await onOwnDisk(child, { sizeMegabytes, ballast: true })) as { readonly acknowledged: number };
    assert.deepEqual(told, {
      acknowledged: told.acknowledged,
      firsts: ['noSpace', 'readOnly'],
      readable: told.acknowledged,
      reason: 'the disk is full',
      after: true,
      reasonAfter: null,
      stored: told.acknowledged,
      problems: [],
    });
    assert.ok(told.acknowledged > 50, 'the disk was full from the start');
  });
}
