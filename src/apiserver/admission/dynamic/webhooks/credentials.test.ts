import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readWebhookCredentials } from './credentials.ts';

test('credentials for webhooks are found by host, then by its star, then as the fallback', () => {
  const directory = mkdtempSync(join(tmpdir(), 'webhooks-'));
  try {
    const user = (name: string, token: string): object => ({ name, user: { token } });
    const users = [user('a.b.svc:8443', '1'), user('*.b.svc', '2'), user('c.b.svc', '3'), user('*', '4')];
    writeFileSync(join(directory, 'config'), JSON.stringify({ apiVersion: 'v1', kind: 'Config', users }));
    const of = readWebhookCredentials(join(directory, 'config'));
    const shown = (host: string): string | undefined => of(host)?.authorization();
    assert.equal(shown('a.b.svc:8443'), 'Bearer 1');
    assert.equal(shown('a.b.svc:443'), 'Bearer 2');
    assert.equal(shown('c.b.svc:443'), 'Bearer 3');
    assert.equal(shown('a.b.svc:9443'), 'Bearer 4');
  } finally {
    rmSync(directory, { recursive: true });
  }
});
