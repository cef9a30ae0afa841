/** The audit log on a disk that is really full: a small tmpfs in a mount namespace of the test's own. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const child = join(import.meta.dirname, 'audit-full-disk-child.ts');
const script = 'mount -t tmpfs -o size=4M tmpfs "$1" && exec "$2" "$3" "$1"';

function cannotMount(): string | undefined {
  try {
    execFileSync('unshare', ['-m', '--propagation', 'private', 'true'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'needs the right to make a mount namespace (root)';
  }
}

const skip = cannotMount();
test(
  'a full audit disk: strict refuses, other modes go on and count; the log goes on when there is room',
  skip ? { skip } : {},
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kobune-audit-full-'));
    try {
      const args = ['-m', '--propagation', 'private', 'sh', '-c', script, 'sh', folder];
      const { stdout } = await promisify(execFile)('unshare', [...args, process.execPath, child]);
      assert.deepEqual(JSON.parse(stdout), {
        blocking: { before: 201, full: [201, 201], lost: true, after: 201, whole: true },
        'blocking-strict': { before: 201, full: [500, 500], lost: true, after: 201, whole: true },
        batch: { before: 201, full: [201, 201], lost: true, after: 201, whole: true },
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);
