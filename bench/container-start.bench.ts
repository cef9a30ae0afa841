/**
 * How long a pod takes to start in the engine alone: sandbox (namespaces, no addresses), container create, start; then
 * exec, stop and remove. Needs root and crun or runc. Usage: node bench/container-start.bench.ts [rounds]
 * Budget: 52 ms median for sandbox, create and start together, warm.
 */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock } from '#base';
import { createContainerEngine } from '#container-runtime';
import { containerConfig, podConfig } from '../src/cri/suite/pods.ts';

const budgetMs = 52;
const rounds = Number(process.argv[2] ?? 30);
const steps = ['sandbox', 'create', 'start', 'pod start', 'exec', 'stop', 'remove'] as const;
const taken = new Map(steps.map(step => [step, [] as number[]]));

const dir = mkdtempSync(join(tmpdir(), 'kb-bench-'));
const begin = performance.now();
const engine = await createContainerEngine(
  {
    clock: systemClock,
    logger: silentLogger,
    cni: { add: async () => ({ ips: [] }), del: async () => {}, notReadyReason: async () => undefined },
  },
  { nodeDir: join(dir, 'node'), runDir: join(dir, 'run'), cgroupPrefix: `/kobune-bench-${process.pid}` },
);
console.log(`engine opened in ${(performance.now() - begin).toFixed(1)} ms`);
const image = 'kobune.bench/host:1';
await engine.buildFromHost({ names: [image], node: false });
const target = { engine, image, logDirectory: join(dir, 'logs'), [Symbol.asyncDispose]: async () => {} };
const { runtime } = engine;

async function timed<T>(step: (typeof steps)[number], work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await work();
  taken.get(step)!.push(performance.now() - start);
  return result;
}

try {
  for (let round = 0; round < rounds; round++) {
    const namespaces = { network: 'POD', pid: 'CONTAINER', ipc: 'POD' } as const;
    const pod = podConfig(target, `bench-${round}`, { namespaces });
    const config = containerConfig(target, ['sleep', '1000']);
    const [sandbox, id] = await timed('pod start', async () => {
      const sandboxId = await timed('sandbox', () => runtime.runPodSandbox(pod, ''));
      const containerId = await timed('create', () => runtime.createContainer(sandboxId, config, pod));
      await timed('start', () => runtime.startContainer(containerId));
      return [sandboxId, containerId];
    });
    await timed('exec', () => runtime.execSync(id!, ['true'], 5000));
    await timed('stop', () => runtime.stopContainer(id!, 0));
    await timed('remove', () => runtime.removePodSandbox(sandbox!));
  }
} finally {
  await engine.removeEverything({ images: true });
  await engine[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
for (const [step, values] of taken) {
  const [low, high] = [Math.min(...values), Math.max(...values)].map(value => value.toFixed(1));
  console.log(`${step.padEnd(10)} median ${median(values).toFixed(1)} ms (${low} to ${high})`);
}
const seen = median(taken.get('pod start')!);
console.log(`budget: pod start ${budgetMs} ms: ${seen <= budgetMs ? 'met' : 'missed'}`);
process.exitCode = seen <= budgetMs ? 0 : 1;
