/**
 * What auditing costs a create of a ConfigMap of 1.5 KB, by processor time: a server without a policy, with one that
 * leaves the request out, and with one that tells of it at each level, to a file. In turn within each round, in one
 * process, without HTTP, so that nothing but the server is measured; the least of the rounds, as others use the machine.
 *
 *     node --expose-gc bench/audit.bench.ts [--rounds 7] [--creates 4000]
 *
 * Budget: without a policy, and for requests that are left out, nothing that can be measured.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type AuditOptions, createApiServer, defaultAuditLogOptions, user } from '#apiserver';
import { MetricsRegistry, noActivity, noFaults, silentLogger, systemClock, systemRandom } from '#base';
import { configMaps, createClient } from '#client';
import { createMemoryStore } from '#storage';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '7' }, creates: { type: 'string', default: '4000' } },
});
const creates = Number(values.creates);
const atATime = 10;
const data = { text: 'x'.repeat(1400) };
const folder = mkdtempSync(join(tmpdir(), 'kobune-audit-bench-'));

type Level = 'None' | 'Metadata' | 'Request' | 'RequestResponse';

function audited(level: Level | undefined): { audit: AuditOptions } | undefined {
  const log = { ...defaultAuditLogOptions, maxSizeMb: 0, path: join(folder, `${level}.log`) };
  return level && { audit: { policy: { rules: [{ level }] }, log, webhook: undefined } };
}

async function start(level: Level | undefined) {
  const store = createMemoryStore({ clock: systemClock });
  const server = await createApiServer(
    {
      store,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
      metrics: new MetricsRegistry(),
      faults: noFaults,
      activity: noActivity,
    },
    audited(level),
  );
  const maps = createClient(server.transport(user('admin', ['system:masters']))).resource(configMaps);
  return { server, store, maps: maps.namespace('default') };
}

/** Microseconds of processor a create. */
async function measure(level: Level | undefined): Promise<number> {
  const { server, store, maps } = await start(level);
  let made = 0;
  const writer = async (): Promise<void> => {
    while (made < creates) await maps.create({ metadata: { name: `m${made++}` }, data });
  };
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: atATime }, writer));
  const { user: own, system } = process.cpuUsage(before);
  await server[Symbol.asyncDispose]();
  await store.close();
  return (own + system) / creates;
}

const levels: ReadonlyArray<Level | undefined> = [undefined, 'None', 'Metadata', 'Request', 'RequestResponse'];
const seen = new Map<Level | undefined, number[]>(levels.map(level => [level, []]));
try {
  for (const level of levels) await measure(level);
  for (let round = 0; round < Number(values.rounds); round++) {
    // Each begins a round in its turn: what went before leaves its garbage to what comes next.
    const order = [...levels.slice(round % levels.length), ...levels.slice(0, round % levels.length)];
    for (const level of order) {
      global.gc?.();
      seen.get(level)!.push(await measure(level));
    }
  }
  const least = (level: Level | undefined): number => Math.min(...seen.get(level)!);
  const base = least(undefined);
  for (const level of levels) {
    const each = least(level);
    const size = level && level !== 'None' ? statSync(join(folder, `${level}.log`)).size : 0;
    const written = Math.round(size / ((Number(values.rounds) + 1) * creates));
    const more = level ? ` (${each >= base ? '+' : ''}${(each - base).toFixed(0)}), ${written} bytes of log` : '';
    console.log(`${level ?? 'no policy'}: ${each.toFixed(0)} µs a create${more}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
