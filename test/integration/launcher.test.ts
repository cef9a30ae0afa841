/** Which program the launcher starts: never a bundle that is older than the source beside it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { launcher } from '../support/program.ts';

test('the launcher starts the bundle, or the source where that is newer or alone', () => {
  const root = mkdtempSync(join(tmpdir(), 'kobune-launcher-'));
  try {
    const at = (...names: string[]): string => join(root, ...names);
    const started = (): string =>
      execFileSync(process.execPath, [at('bin', 'kobune.cjs')])
        .toString()
        .trim();
    const put = (text: string, ...names: string[]): void => {
      mkdirSync(at(...names.slice(0, -1)), { recursive: true });
      writeFileSync(at(...names), `console.log('${text}');`);
    };
    const touch = (seconds: number, ...paths: string[]): void => {
      for (const path of paths) utimesSync(at(path), seconds, seconds);
    };
    put('', 'bin', 'kobune.cjs');
    copyFileSync(launcher, at('bin', 'kobune.cjs'));
    put('source', 'src', 'cli', 'main.ts');
    put('', 'src', 'base', 'clock.ts');
    writeFileSync(at('package.json'), '{"type":"module"}');
    assert.equal(started(), 'source');
    put('bundle', 'dist', 'kobune.js');
    touch(1000, 'src/cli/main.ts', 'src/base/clock.ts', 'src/cli', 'src/base', 'src');
    touch(2000, 'dist/kobune.js');
    assert.equal(started(), 'bundle');
    touch(3000, 'src/base/clock.ts');
    assert.equal(started(), 'source');
    touch(1000, 'src/base/clock.ts');
    // A file has gone from it.
    touch(3000, 'src/base');
    assert.equal(started(), 'source');
    rmSync(at('src'), { recursive: true });
    assert.equal(started(), 'bundle');
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
