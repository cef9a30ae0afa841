import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SteppedClock, silentLogger } from '#base';
import type { RuntimeService } from '#cri';
import { rotateLogs } from './rotation.ts';

test('a long log is set aside, older ones are compressed, the oldest go', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'rotation-'));
  const logPath = join(directory, '0.log');
  const clock = new SteppedClock();
  const runtime = {
    listContainers: async () => [{ id: 'a', logPath }],
    reopenContainerLog: () => writeFile(logPath, ''),
  } as unknown as RuntimeService;
  const deps = { runtime, clock, logger: silentLogger, maxSizeBytes: 10, maxFiles: 3 };
  try {
    await writeFile(logPath, 'short');
    await rotateLogs(deps);
    assert.deepEqual(await readdir(directory), ['0.log']);
    for (let round = 0; round < 4; round++) {
      await writeFile(logPath, `long enough ${round}`);
      await rotateLogs(deps);
      await clock.advance(1000);
    }
    const names = (await readdir(directory)).sort();
    assert.deepEqual(names, ['0.log', '0.log.20260101-000002.gz', '0.log.20260101-000003']);
    assert.equal(await readFile(join(directory, names[2]!), 'utf8'), 'long enough 3');
    assert.equal(await readFile(logPath, 'utf8'), '');
  } finally {
    await rm(directory, { recursive: true });
  }
});
