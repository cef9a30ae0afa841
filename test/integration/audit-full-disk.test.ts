/** The audit log on a disk that is really full. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { noOwnDisk, onOwnDisk } from '../support/own-disk.ts';

test('a full audit disk: strict refuses, other modes go on and count; the log goes on when there is room', {
  skip: noOwnDisk(),
}, async () => {
  const child = join(import.meta.dirname, 'audit-full-disk-child.ts');
  assert.deepEqual(await onOwnDisk(child, { sizeMegabytes: 4 }), {
    blocking: { before: 201, full: [201, 201], lost: true, after: 201, whole: true },
    'blocking-strict': { before: 201, full: [500, 500], lost: true, after: 201, whole: true },
    batch: { before: 201, full: [201, 201], lost: true, after: 201, whole: true },
  });
});
