/**
 * `npm run check`: format and lint, types, the layer law and its like, then the unit tests, which may leave nothing
 * behind. Under 30 s; runs what it can side by side.
 */
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ownPlace } from './own-place.ts';

const root = resolve(import.meta.dirname, '..');
const bin = (name: string): string => join(root, 'node_modules', '.bin', name);

/** Stripping types anew in every thread takes a quarter of the unit tests' time. */
const compileCache = join(tmpdir(), 'kobune-compile-cache');

interface Step {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

const sideBySide: readonly Step[] = [
  { name: 'format and lint', command: bin('biome'), args: ['ci', '--colors=off', '--max-diagnostics=50', '.'] },
  { name: 'types', command: bin('tsc'), args: ['--noEmit'] },
  { name: 'layer law', command: process.execPath, args: ['hack/check-layers.ts'] },
  { name: 'dead exports', command: process.execPath, args: ['hack/check-exports.ts'] },
  { name: 'documents', command: process.execPath, args: ['hack/check-docs.ts'] },
  { name: 'conformance table', command: process.execPath, args: ['hack/conformance-table.ts', '--check'] },
  { name: 'acceptance', command: process.execPath, args: ['hack/check-acceptance.ts'] },
  { name: 'compatibility page', command: process.execPath, args: ['hack/compatibility.ts', '--check'] },
];
const unitTests = (env: NodeJS.ProcessEnv): Step => ({
  name: 'unit tests',
  env,
  command: process.execPath,
  args: [
    '--import=./test/support/property-seed.ts',
    '--test',
    '--test-isolation=none',
    '--test-reporter=dot',
    'src/**/*.test.ts',
  ],
});

function run({ name, command, args, env }: Step): Promise<boolean> {
  const begin = performance.now();
  return new Promise(resolveRun => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { NODE_COMPILE_CACHE: compileCache, ...process.env, ...env, NO_COLOR: '1', FORCE_COLOR: '0' },
    });
    let output = '';
    child.stdout.on('data', chunk => (output += chunk));
    child.stderr.on('data', chunk => (output += chunk));
    child.on('close', code => {
      console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${name} (${((performance.now() - begin) / 1000).toFixed(1)} s)`);
      if (code !== 0) console.log(output.trimEnd());
      resolveRun(code === 0);
    });
  });
}

const results = await Promise.all(sideBySide.map(run));
{
  using place = ownPlace({ kernelToo: false });
  results.push(await run(unitTests(place.env)));
  for (const each of await place.remains()) {
    console.log(`FAIL the unit tests leave behind: ${each}`);
    results.push(false);
  }
}
process.exitCode = results.every(Boolean) ? 0 : 1;
