/**
 * `npm test`: unit and contract tests, integration in process and over HTTPS, conformance, then end to end with real
 * containers and a real kubectl. Installs what it needs (unless `--no-install`), skips with the reason printed what
 * this machine cannot do, fails where tests leave anything behind, and closes with one line of counts.
 */
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildAll, isBuilt } from './build.ts';
import { ownPlace } from './own-place.ts';
import { containerNeeds, installPackages, kubectlNeed } from './system-packages.ts';

const root = resolve(import.meta.dirname, '..');
/** Stripping types anew in every process takes a second each. */
const compileCache = join(tmpdir(), 'kobune-compile-cache');
const install = !process.argv.includes('--no-install');
const only = process.argv.slice(2).filter(argument => !argument.startsWith('--'));

interface Stage {
  readonly name: string;
  readonly files: string;
  /** In one process without isolation, or a process a file. */
  readonly together: boolean;
  /** How many files at once; default 1. */
  readonly jobs?: number;
  readonly timeoutMs: number;
  /** Network namespaces, cgroups and their like are made. */
  readonly containers?: boolean;
}

const stages: readonly Stage[] = [
  { name: 'unit', files: 'src/**/*.test.ts', together: true, timeoutMs: 300_000 },
  { name: 'integration', files: 'test/integration/*.test.ts', together: false, timeoutMs: 1_800_000 },
  { name: 'conformance', files: 'test/conformance/*.test.ts', together: false, jobs: 2, timeoutMs: 600_000 },
  { name: 'oracle', files: 'test/oracle/*.test.ts', together: false, timeoutMs: 1_200_000 },
  { name: 'end-to-end', files: 'test/e2e/*.test.ts', together: false, timeoutMs: 1_200_000, containers: true },
];

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** Runs one stage and looks for what it leaves behind, each of which is a failure; prints and answers its counts. */
async function runStage(stage: Stage): Promise<Counts> {
  const files = globSync(stage.files, { cwd: root }).sort();
  console.log(`\n== ${stage.name}: ${files.length} files`);
  if (files.length === 0) return { passed: 0, failed: 1, skipped: 0 };
  using place = ownPlace({ kernelToo: stage.containers ?? false });
  const counts = await runFiles(stage, files, place.env);
  for (const each of await place.remains()) {
    console.log(`${stage.name}: left behind: ${each}`);
    counts.failed++;
  }
  const { passed, failed, skipped } = counts;
  console.log(`${stage.name}: ${passed} passed, ${failed} failed, ${skipped} skipped`);
  return counts;
}

/** Prints the runner's own output. */
function runFiles(stage: Stage, files: readonly string[], env: NodeJS.ProcessEnv): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  const args = [
    '--import=./test/support/property-seed.ts',
    '--test',
    `--test-isolation=${stage.together ? 'none' : 'process'}`,
    `--test-concurrency=${stage.jobs ?? 1}`,
    '--test-reporter=spec',
    ...files,
  ];
  return new Promise(resolveStage => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { NODE_COMPILE_CACHE: compileCache, ...process.env, ...env, NO_COLOR: '1', FORCE_COLOR: '0' },
      timeout: stage.timeoutMs,
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', chunk => {
      process.stdout.write(chunk);
      output += chunk;
    });
    child.on('close', (code, signal) => {
      for (const [, name, value] of output.matchAll(/^ℹ (pass|fail|cancelled|skipped|todo) (\d+)$/gm)) {
        if (name === 'pass') counts.passed += Number(value);
        else if (name === 'fail' || name === 'cancelled') counts.failed += Number(value);
        else counts.skipped += Number(value);
      }
      if (signal) console.log(`${stage.name}: ended by ${signal} after ${stage.timeoutMs / 1000} s`);
      if ((code !== 0 || signal) && counts.failed === 0) counts.failed = 1;
      if (code === 0 && counts.passed + counts.skipped === 0) counts.failed = 1;
      resolveStage(counts);
    });
  });
}

const missing = [...installPackages(containerNeeds, { install }), ...installPackages([kubectlNeed], { install })];
if (missing.length > 0)
  console.log(`Without ${missing.join(', ')} the tests that need them will say so and be skipped.`);

if (!isBuilt()) await buildAll();

const total: Counts = { passed: 0, failed: 0, skipped: 0 };
for (const stage of stages) {
  if (only.length > 0 && !only.includes(stage.name)) continue;
  const counts = await runStage(stage);
  for (const key of ['passed', 'failed', 'skipped'] as const) total[key] += counts[key];
}
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 ? 1 : 0;
