/**
 * Durable creates a second of the sqlite engine, 2 KB each, at 1, 10 and 100 writers. Budget, on two shared cores:
 * 2,200 at 1 and 33,400 at 100. Run: `node bench/store.bench.ts [seconds a row] [writers,…]`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { systemClock } from '../src/base/index.ts';
import { openSqliteStore } from '../src/storage/index.ts';

const budgets: Readonly<Record<number, number>> = { 1: 2200, 100: 33_400 };
const seconds = Number(process.argv[2] ?? 3);
const value = new Uint8Array(2048).fill(65);

async function measure(writers: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'kobune-bench-'));
  const store = await openSqliteStore({ path: join(folder, 'store.db'), clock: systemClock });
  const delay = monitorEventLoopDelay({ resolution: 5 });
  const latencies: number[] = [];
  const until = performance.now() + seconds * 1000;
  const cpu = process.cpuUsage();
  delay.enable();
  const begin = performance.now();
  await Promise.all(
    Array.from({ length: writers }, async (_, writer) => {
      for (let at = 0; performance.now() < until; at++) {
        const key = `/registry/pods/default/pod-${writer}-${at}`;
        const sent = performance.now();
        await store.txn([{ key, modRevision: 0 }], [{ type: 'put', key, value }]);
        latencies.push(performance.now() - sent);
      }
    }),
  );
  const elapsed = (performance.now() - begin) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  latencies.sort((a, b) => a - b);
  const at = (share: number): string => latencies[Math.floor(latencies.length * share)]!.toFixed(2);
  const rate = Math.round(latencies.length / elapsed);
  const budget = budgets[writers];
  const verdict = budget === undefined ? '' : `, budget ${budget}: ${rate >= budget ? 'met' : 'missed'}`;
  const cpuUs = Math.round((user + system) / latencies.length);
  console.log(
    `${writers} writers: ${rate}/s, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ${cpuUs} µs of processor each${verdict}`,
  );
  await store.close();
  await rm(folder, { recursive: true });
}

for (const writers of process.argv[3]?.split(',').map(Number) ?? [1, 10, 100]) await measure(writers);
