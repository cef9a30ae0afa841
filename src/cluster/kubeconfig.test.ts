import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type Access, mergeKubeconfig, renewInKubeconfig } from './kubeconfig.ts';

const access = (certPem: string): Access => ({
  url: 'https://127.0.0.1:6443',
  caPem: 'ca',
  certPem,
  keyPem: `${certPem} key`,
});
const encoded = (text: string): string => Buffer.from(text).toString('base64');

const had = (certPem: string): { certPem: string; caPem: string } => ({ certPem, caPem: 'CA of nobody' });

describe("an administrator's certificate that was renewed", () => {
  it('takes the place of the one before, and of no other', () => {
    const folder = mkdtempSync(join(tmpdir(), 'kobune-kubeconfig-'));
    try {
      const path = join(folder, 'config');
      assert.equal(renewInKubeconfig(path, 'default', had('old'), access('new')), false, 'there is no file');
      mergeKubeconfig(path, 'default', access('old'));
      mergeKubeconfig(path, 'other', access('old'));
      assert.equal(renewInKubeconfig(path, 'default', had('another'), access('new')), false);
      assert.equal(renewInKubeconfig(path, 'default', had('old'), access('new')), true);
      const text = readFileSync(path, 'utf8');
      assert.ok(text.includes(encoded('new')) && text.includes(encoded('new key')));
      assert.ok(text.includes(`client-certificate-data: ${encoded('old')}`), 'the other cluster keeps its own');
      assert.match(text, /current-context: kobune-other/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
