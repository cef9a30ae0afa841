/**
 * `npm run oracle -- [options of the tool] [areas …]`: replays the recorded answers of a real v1.36 API server against
 * `kobune server --api-only`, started with the flags that the recording had. Without areas: all that need no node and no
 * scheduler.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { referenceFolder } from '../reference.ts';
import { startOracleServer } from '../support/oracle-server.ts';

const apiAreas = [
  'defaults',
  'lists',
  'watches',
  'wire',
  'fields',
  'patch',
  'subresources',
  'apply',
  'discovery',
  'tables',
  'auth',
  'bootstrap',
  'create',
  'update',
  'crd',
  'cel',
  'admission',
  'policies',
];

async function main(): Promise<number> {
  const folder = referenceFolder();
  const tool = folder && join(folder, 'oracle', 'oracle.mjs');
  if (!tool || !existsSync(tool)) {
    console.log('skipped: the recorded answers are not here (KOBUNE_SHARED names the folder that holds reference/)');
    return 0;
  }
  const args = process.argv.slice(2);
  const areas = args.filter((arg, at) => !arg.startsWith('--') && !takesValue(args[at - 1]));
  const options = args.filter(arg => !areas.includes(arg));
  const files = (areas.length > 0 ? areas : apiAreas).map(area => join(folder, 'oracle', `${area}.jsonl.gz`));
  await using server = await startOracleServer();
  const connection = ['--server', server.url, '--ca', server.caFile, '--token', server.token];
  const child = spawn(process.execPath, [tool, 'replay', ...connection, ...options, ...files.filter(existsSync)], {
    stdio: 'inherit',
  });
  // Whoever ends this ends the tool, and with it the server.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => child.kill(signal));
  return await new Promise(resolve => child.on('close', code => resolve(code ?? 1)));
}

function takesValue(option: string | undefined): boolean {
  return option !== undefined && option.startsWith('--') && option !== '--verbose';
}

process.exitCode = await main();
