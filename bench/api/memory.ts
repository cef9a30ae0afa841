/**
 * What the server holds: when idle, and with 20,000 objects. To be measured on a server that has done nothing yet, so
 * this part is the first.
 */
import type { Bench, Figures, Part } from './figures.ts';
import { configMap, fill, pod } from './fill.ts';
import { processorSeconds, residentMb } from './server-metrics.ts';

const idleSeconds = 10;
/** What was only needed for a burst has gone back to the system by then, of a server that gives it back. */
const settleMs = 25_000;

async function measure(bench: Bench): Promise<Figures> {
  const { client, namespace } = bench;
  const figures: Figures = new Map();
  await new Promise(resolve => setTimeout(resolve, settleMs));
  const before = await processorSeconds(client);
  await new Promise(resolve => setTimeout(resolve, idleSeconds * 1000));
  const spent = (await processorSeconds(client)) - before;
  figures.set('processor when idle (% of a core)', (spent / idleSeconds) * 100);
  figures.set('memory when idle (MB)', await residentMb(client));
  const path = `/api/v1/namespaces/${namespace}`;
  await fill(bench, `${path}/configmaps`, configMap, 0, 10_000);
  await fill(bench, `${path}/pods`, pod, 0, 10_000);
  await new Promise(resolve => setTimeout(resolve, settleMs));
  figures.set('memory with 20,000 objects (MB)', await residentMb(client));
  return figures;
}

export const memory: Part = { name: 'memory', measure };
