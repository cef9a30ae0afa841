/**
 * `npm run demo`: from a fresh clone to a guestbook that answers. Sets up what is missing, builds, starts Kobune in the
 * background, makes the image without a network, applies plain manifests with kubectl, and ends only when an entry has
 * been written and read through the Service. Live on a terminal, plain lines elsewhere; a second run takes seconds.
 */
import { execFile, spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { buildAll, isBuilt } from './build.ts';
import { containerNeeds, installPackages, kubectlNeed } from './system-packages.ts';

const root = resolve(import.meta.dirname, '..');
const kobune = join(root, 'bin', 'kobune.cjs');
const manifests = join(root, 'examples', 'guestbook');
const namespace = 'guestbook';
const image = 'localhost/node:host';
const install = !process.argv.includes('--no-install');
const clusterName = 'demo';
const portFlag = process.argv.indexOf('--port');
/** `--port PORT` is passed to `kobune up`, for a machine where the usual one is taken. */
const portArguments = portFlag < 0 ? [] : ['--port', process.argv[portFlag + 1] ?? ''];
const timeoutMs = 120_000;
const run = promisify(execFile);
const live = process.stdout.isTTY === true;

class DemoError extends Error {}

/** Prints a step, runs it, prints how long it took. */
async function step<T>(title: string, work: (say: (line: string) => void) => Promise<T> | T): Promise<T> {
  const begin = performance.now();
  const seconds = (): string => `${((performance.now() - begin) / 1000).toFixed(1)} s`;
  let last = '';
  const say = (line: string): void => {
    if (line === last) return;
    last = line;
    if (live) process.stdout.write(`\r\x1b[2K… ${title}: ${line}`);
    else console.log(`  ${line}`);
  };
  if (live) process.stdout.write(`… ${title}`);
  else console.log(`… ${title}`);
  try {
    const result = await work(say);
    console.log(`${live ? '\r\x1b[2K' : ''}✔ ${title} (${seconds()})`);
    return result;
  } catch (error) {
    console.log(`${live ? '\r\x1b[2K' : ''}✖ ${title} (${seconds()})`);
    throw error;
  }
}

async function command(file: string, args: readonly string[]): Promise<string> {
  try {
    return (await run(file, [...args], { maxBuffer: 1 << 26 })).stdout;
  } catch (error) {
    const { stderr = '', message } = error as { stderr?: string; message: string };
    throw new DemoError(stderr.trim() || message, { cause: error });
  }
}

const kobuneCommand = (...args: string[]): Promise<string> => command(process.execPath, [kobune, ...args]);
const kubectl = (...args: string[]): Promise<string> =>
  command('kubectl', ['--context', `kobune-${clusterName}`, '--namespace', namespace, ...args]);

const pause = (ms: number): Promise<void> => new Promise(resolvePause => setTimeout(resolvePause, ms));

/** One line about the pods, for the progress display. */
async function podSummary(): Promise<{ line: string; ready: boolean }> {
  const { items } = JSON.parse(await kubectl('get', 'pods', '-o', 'json')) as { items: PodLike[] };
  const isReady = (pod: PodLike): boolean =>
    pod.status?.conditions?.some(each => each.type === 'Ready' && each.status === 'True') ?? false;
  const parts = items.map(pod => {
    const waiting = pod.status?.containerStatuses?.[0]?.state?.waiting?.reason;
    return `${pod.metadata.name} ${isReady(pod) ? 'ready' : (waiting ?? pod.status?.phase ?? 'new')}`;
  });
  return { line: parts.sort().join(', ') || 'no pods yet', ready: items.length >= 3 && items.every(isReady) };
}

interface PodLike {
  readonly metadata: { readonly name: string };
  readonly status?: {
    readonly phase?: string;
    readonly conditions?: ReadonlyArray<{ readonly type: string; readonly status: string }>;
    readonly containerStatuses?: ReadonlyArray<{
      readonly state?: { readonly waiting?: { readonly reason?: string } };
    }>;
  };
}

/** Writes and reads an entry through the Service's own address. */
async function useGuestbook(url: string): Promise<string> {
  const message = `hello at ${new Date().toISOString()}`;
  const post = await fetch(`${url}/entries`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'demo', message }),
    signal: AbortSignal.timeout(5000),
  });
  if (post.status !== 201) throw new DemoError(`the guestbook answers ${post.status}: ${await post.text()}`);
  const entries = (await (await fetch(`${url}/entries`, { signal: AbortSignal.timeout(5000) })).json()) as Array<{
    message: string;
  }>;
  if (!entries.some(entry => entry.message === message)) throw new DemoError('the entry that was written is not there');
  return `${entries.length} ${entries.length === 1 ? 'entry' : 'entries'}`;
}

async function main(): Promise<void> {
  if (process.getuid?.() !== 0) throw new DemoError('The demo runs containers and needs root. Run: sudo npm run demo');
  await step('system packages', () => {
    const missing = [...installPackages(containerNeeds, { install }), ...installPackages([kubectlNeed], { install })];
    if (missing.length > 0) throw new DemoError(`missing: ${missing.join(', ')}`);
  });
  if (!isBuilt()) await step('build', buildAll);
  await step('kobune up', async say =>
    say((await kobuneCommand('up', '--name', clusterName, ...portArguments)).split('\n')[0]!),
  );
  await step(`image ${image}`, async () => {
    const images = await kobuneCommand('image', 'ls', '--name', clusterName);
    if (!images.includes(image)) await kobuneCommand('image', 'build-from-host', '--name', clusterName, '--tag', image);
  });
  await step('kubectl apply -f examples/guestbook/', () => kubectl('apply', '-f', manifests));
  await step('pods', async say => {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const { line, ready } = await podSummary();
      say(line);
      if (ready) return;
      if (performance.now() > deadline) throw new DemoError(`not ready after ${timeoutMs / 1000} s: ${line}`);
      await pause(200);
    }
  });
  const service = JSON.parse(await kubectl('get', 'service', 'web', '-o', 'json')) as {
    spec: { clusterIP: string; ports: ReadonlyArray<{ nodePort: number }> };
  };
  const nodes = JSON.parse(await kubectl('get', 'nodes', '-o', 'json')) as {
    items: ReadonlyArray<{ status: { addresses: ReadonlyArray<{ type: string; address: string }> } }>;
  };
  const url = `http://${service.spec.clusterIP}`;
  await step('write and read an entry through the Service', async say => {
    const deadline = performance.now() + 15_000;
    for (;;) {
      try {
        return say(await useGuestbook(url));
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await pause(100);
      }
    }
  });
  const address = nodes.items[0]!.status.addresses.find(each => each.type === 'InternalIP')!.address;
  console.log(`
The guestbook answers at ${url} and http://${address}:${service.spec.ports[0]!.nodePort} (this machine only).

Try:
  kubectl --context kobune-${clusterName} get all -n ${namespace}
  kubectl --context kobune-${clusterName} -n ${namespace} scale deployment web --replicas=4
  kubectl --context kobune-${clusterName} -n ${namespace} logs -f deployment/web
  curl ${url}
  node bin/kobune.cjs status
  node bin/kobune.cjs down --delete --name ${clusterName}     # removes everything`);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof DemoError)) throw error;
  console.error(error.message);
  const log = spawnSync(process.execPath, [kobune, 'logs', '--name', clusterName], { encoding: 'utf8' });
  const tail = log.stdout.trim().split('\n').slice(-5).join('\n');
  if (tail) console.error(`The server's last lines:\n${tail}`);
  process.exitCode = 1;
}
