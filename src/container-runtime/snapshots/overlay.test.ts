import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Host } from '../host.ts';
import { mountRootfs, probeOverlay } from './overlay.ts';

test('layers are mounted topmost first, by paths relative to the node directory', async () => {
  const nodeDir = mkdtempSync(join(tmpdir(), 'kb-overlay-'));
  const calls: string[][] = [];
  const launcher = {
    async kernel(...call: string[]) {
      calls.push(call);
      return '';
    },
  };
  await mountRootfs({ nodeDir } as Host, launcher as never, 'containers/c', ['l/base', 'l/top']);
  const options = 'lowerdir=l/top:l/base,upperdir=containers/c/upper,workdir=containers/c/work';
  assert.deepEqual(calls, [['overlay', nodeDir, join(nodeDir, 'containers/c/rootfs'), options]]);
  rmSync(nodeDir, { recursive: true });
});

test('a machine without overlayfs is told so in one sentence, with what to do', async () => {
  const nodeDir = mkdtempSync(join(tmpdir(), 'kb-overlay-'));
  const launcher = { kernel: () => Promise.reject(new Error('mount overlay: No such device')) };
  await assert.rejects(probeOverlay({ nodeDir } as Host, launcher as never), {
    name: 'UserError',
    message: `Containers need overlayfs, which does not work at ${nodeDir}: mount overlay: No such device.`,
  });
  rmSync(nodeDir, { recursive: true });
});
