/** The sqlite engine on a disk that is really full: a small tmpfs in a mount namespace of the test's own. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const child = join(import.meta.dirname, 'storage-full-disk-child.ts');
const script = `mount -t tmpfs -o size="$1"M tmpfs "$2" && head -c 3000000 /dev/zero > "$2/ballast" && exec "$3" "$4" "$2"`;

function cannotMount(): string | undefined {
  try {
    execFileSync('unshare', ['-m', '--propagation', 'private', 'true'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'needs the right to make a mount namespace (root)';
  }
}

const skip = cannotMount();
for (const sizeMegabytes of [8, 40]) {
  test(
    `a disk of ${sizeMegabytes} MB that is full: writes refused, reads go on, recovery`,
    skip ? { skip } : {},
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'kobune-full-'));
      try {
        const args = ['-m', '--propagation', 'private', 'sh', '-c', script, 'sh', String(sizeMegabytes), folder];
        const { stdout } = await promisify(execFile)('unshare', [...args, process.execPath, child]);
        const told = JSON.parse(stdout) as { acknowledged: number; readable: number; stored: number };
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
      } finally {
        await rm(folder, { recursive: true });
      }
    },
  );
}
