/**
 * The other side of bench/flood.bench.ts, a process of its own: on `flood` it lists on many connections without a pause,
 * on `burn` it uses so much of a core for nothing, on `rest` it ends either and tells what it did.
 */
import { isStatusError } from '#apimachinery';
import { clientOf } from '../kubeconfig.ts';

/** What the child is asked. */
export type Ask =
  | { readonly do: 'flood'; readonly kubeconfig: string; readonly path: string; readonly connections: number }
  | { readonly do: 'burn'; readonly share: number }
  | { readonly do: 'rest' };

/** What it answers to `rest`. */
export interface Done {
  readonly sizeBytes: number;
  readonly refused: number;
  /** Begun and not ended, as servers do with lists that take more than a minute. */
  readonly broken: number;
  /** Of a core. */
  readonly processorShare: number;
}

export const flooder = { 'impersonate-user': 'flooder', 'impersonate-group': 'system:authenticated' } as const;
const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));

let goesOn = false;
let work: Promise<unknown> = Promise.resolve();
let sizeBytes = 0;
let refused = 0;
let broken = 0;
let beganMs = 0;
let used = process.cpuUsage();

async function flood(kubeconfig: string, path: string): Promise<void> {
  const { transport } = clientOf(kubeconfig);
  while (goesOn) {
    try {
      const response = await transport.request({ method: 'GET', path, headers: flooder });
      for await (const part of response.bytes()) sizeBytes += part.length;
    } catch (error) {
      if (isStatusError(error) && error.status.code === 429) refused++;
      else broken++;
      await pause(1000);
    }
  }
  await transport[Symbol.asyncDispose]();
}

async function burn(share: number): Promise<void> {
  const periodMs = 10;
  while (goesOn) {
    const until = performance.now() + periodMs * share;
    while (performance.now() < until);
    await pause(periodMs * (1 - share));
  }
}

function begin(next: () => Promise<unknown>): void {
  goesOn = true;
  [sizeBytes, refused, broken, beganMs, used] = [0, 0, 0, performance.now(), process.cpuUsage()];
  work = next();
}

process.on('message', async (ask: Ask) => {
  if (ask.do === 'flood') {
    const { kubeconfig, path, connections } = ask;
    return begin(() => Promise.all(Array.from({ length: connections }, () => flood(kubeconfig, path))));
  }
  if (ask.do === 'burn') return begin(() => burn(Math.min(ask.share, 1)));
  const { user, system } = process.cpuUsage(used);
  const processorShare = (user + system) / 1000 / (performance.now() - beganMs);
  const done: Done = { sizeBytes, refused, broken, processorShare };
  goesOn = false;
  await work;
  process.send!(done);
});
process.on('disconnect', () => process.exit());
