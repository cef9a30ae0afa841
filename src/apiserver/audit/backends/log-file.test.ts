import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { SteppedClock } from '#base';
import { ensureLogFile, LogFile, type LogFileOptions } from './log-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'kobune-audit-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const startMs = Date.UTC(2026, 10, 21, 18, 30, 0, 5);
const options = { maxSizeBytes: 100, maxAgeDays: 0, maxBackups: 0, compress: false };
const line = Buffer.from(`${'x'.repeat(59)}\n`);

function open(name: string, more: Partial<LogFileOptions> = {}) {
  const clock = new SteppedClock({ startMs });
  const path = join(folder, name, 'audit.log');
  ensureLogFile(path);
  return { clock, path, file: new LogFile({ ...options, ...more, path }, clock) };
}

const files = (name: string): string[] => readdirSync(join(folder, name)).sort();

test('a file and its folder are made for nobody else to read', async () => {
  const { path, file } = open('made');
  file.write(line);
  await file.close();
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(join(folder, 'made')).mode & 0o777, 0o700);
});

test('a file that would grow too large is moved aside under the time', async () => {
  const { clock, path, file } = open('moved');
  chmodSync(path, 0o640);
  file.write(line);
  file.write(line);
  await clock.advance(1000);
  file.write(line);
  await file.close();
  assert.deepEqual(files('moved'), [
    'audit-2026-11-21T18-30-00.005.log',
    'audit-2026-11-21T18-30-01.005.log',
    'audit.log',
  ]);
  for (const name of files('moved')) assert.equal(readFileSync(join(folder, 'moved', name), 'utf8'), line.toString());
  assert.equal(statSync(path).mode & 0o777, 0o640);
});

test('a line larger than a file is refused', async () => {
  const { file } = open('large');
  assert.throws(() => file.write(Buffer.alloc(101)), /write length 101 exceeds maximum file size 100/);
  await file.close();
});

test('size zero: the file only grows', async () => {
  const { file } = open('grows', { maxSizeBytes: 0 });
  for (let n = 0; n < 5; n++) file.write(line);
  await file.close();
  assert.deepEqual(files('grows'), ['audit.log']);
});

test('old parts go by number and by age, the rest is compressed; other files stay', async () => {
  const { clock, file } = open('tidied', { maxBackups: 3, maxAgeDays: 2, compress: true });
  const other = (name: string): void => writeFileSync(join(folder, 'tidied', name), 'old');
  for (const name of ['audit-2026-11-18T00-00-00.000.log', 'audit-2026-11-20T00-00-00.000.log']) other(name);
  for (const name of ['audit-notes.log', 'audit-2026-11-01T00-00-00.000.txt']) other(name);
  for (let n = 0; n < 3; n++) {
    file.write(line);
    await clock.advance(1000);
  }
  await file.close();
  assert.deepEqual(files('tidied'), [
    'audit-2026-11-01T00-00-00.000.txt',
    'audit-2026-11-20T00-00-00.000.log.gz',
    'audit-2026-11-21T18-30-01.005.log.gz',
    'audit-2026-11-21T18-30-02.005.log.gz',
    'audit-notes.log',
    'audit.log',
  ]);
  const part = readFileSync(join(folder, 'tidied', 'audit-2026-11-21T18-30-02.005.log.gz'));
  assert.equal(gunzipSync(part).toString(), line.toString());
});
