/**
 * Fills the disk that the audit log is on, asks a server in both blocking modes for something, frees space, and asks
 * again. Prints what happened as JSON. Arguments: folder, with a file `ballast` in it.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AuditOptions, defaultAuditLogOptions } from '#apiserver';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { call } from '../support/audit.ts';

const folder = process.argv[2]!;
const path = '/api/v1/namespaces/default/configmaps';

function audited(mode: 'blocking' | 'blocking-strict' | 'batch'): { audit: AuditOptions } {
  const log = { ...defaultAuditLogOptions, mode, path: join(folder, `${mode}.log`) };
  return { audit: { policy: { rules: [{ level: 'Request', users: ['admin'] }] }, log, webhook: undefined } };
}

/** Until there is not a byte left. */
function fill(): void {
  for (let size = 1 << 20; size > 0; size >>= 1) {
    try {
      for (;;) writeFileSync(join(folder, 'filler'), Buffer.alloc(size, 'x'), { flag: 'a' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }
}

async function lost(server: TestApiServer): Promise<number> {
  const response = await server.transport().request({ method: 'GET', path: '/metrics' });
  const parts: Uint8Array[] = [];
  for await (const part of response.bytes()) parts.push(part);
  const found = /^apiserver_audit_error_total\{plugin="log"\} (\d+)$/m.exec(Buffer.concat(parts).toString());
  return Number(found?.[1] ?? 0);
}

const told: Record<string, object> = {};
for (const mode of ['blocking', 'blocking-strict', 'batch'] as const) {
  await using server = await startTestApiServer({ config: audited(mode) });
  const create = async (name: string): Promise<number> =>
    (await call(server, { method: 'POST', path, body: { metadata: { name }, data: { a: 'x'.repeat(5000) } } })).status;
  const before = await create('before');
  fill();
  // The last page of the log has room for a few short events.
  for (let n = 0; n < 20; n++) await create(`filling-${n}`);
  const full = [await create('full-1'), await create('full-2')];
  const errors = await lost(server);
  rmSync(join(folder, 'filler'));
  const after = await create('after');
  const lines = readFileSync(join(folder, `${mode}.log`), 'utf8').split('\n');
  const whole = lines.slice(0, -1).every(line => JSON.parse(line) !== undefined) && lines.at(-1) === '';
  told[mode] = { before, full, lost: errors > 0, after, whole };
}
console.log(JSON.stringify(told));
