/**
 * Runs the server on the disk that it is given until that is full, frees some space, and writes again. Prints what
 * happened as JSON. Arguments: state directory, with a file `ballast` in it, and a port.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Status, StatusError } from '#apimachinery';
import { configMaps, createClient, createHttpsTransport, parseKubeconfig } from '#client';
import { runningServer, stateDir } from '#cluster';
import { eventually } from '../support/kobune.ts';
import { launcher, runCommand } from '../support/program.ts';

const [folder = '', port = ''] = process.argv.slice(2);
const env = { ...process.env, KOBUNE_ROOT: folder, HOME: folder };
const data = { value: 'x'.repeat(20_000) };

function startServer(): ChildProcess {
  return spawn(process.execPath, [launcher, 'server', '--api-only', '--port', port], {
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

async function stopServer(server: ChildProcess): Promise<void> {
  server.kill('SIGTERM');
  await once(server, 'exit');
}

const ready = (): Promise<true> =>
  eventually('the server is ready', async () => (runningServer(stateDir(folder, 'default')) ? true : undefined));

let server = startServer();
await ready();
const kubeconfig = await runCommand(process.execPath, [launcher, 'kubeconfig'], { env });
const transport = createHttpsTransport(parseKubeconfig(kubeconfig.stdout, { directory: folder }).transport);
const maps = createClient(transport).resource(configMaps).namespace('default');

let acknowledged = 0;
let refusal: Status | undefined;
while (!refusal) {
  try {
    await maps.create({ metadata: { name: `m${acknowledged}` }, data });
    acknowledged++;
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    refusal = error.status;
  }
}
const readable = (await maps.list()).items.length;
const one = (await maps.get('m0')).data?.['value']?.length;
const again = await maps.create({ metadata: { name: 'again' }, data }).then(
  () => 'written',
  error => (error as StatusError).status.reason,
);
await transport[Symbol.asyncDispose]();
await stopServer(server);

server = startServer();
await ready();
const later = createHttpsTransport(parseKubeconfig(kubeconfig.stdout, { directory: folder }).transport);
const laterMaps = createClient(later).resource(configMaps).namespace('default');
const stored = (await laterMaps.list()).items.filter(({ metadata }) => /^m\d/.test(metadata.name ?? '')).length;
rmSync(join(folder, 'ballast'));
await eventually('writes are taken again', () =>
  laterMaps.create({ metadata: { name: 'after' } }).then(
    () => true,
    () => undefined,
  ),
);
await later[Symbol.asyncDispose]();
await stopServer(server);
await runCommand(process.execPath, [launcher, 'down', '--delete'], { env });
const { code, reason, message } = refusal;
console.log(JSON.stringify({ acknowledged, refusal: { code, reason, message }, readable, one, again, stored }));
