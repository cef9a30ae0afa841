/**
 * Builds the monitor program: native/*.c → native/build/monitor. Static when the C library allows it. Skips the work when
 * the program is newer than its sources. Usage: node hack/build-native.ts [--out PATH]
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const native = resolve(import.meta.dirname, '..', 'native');

/** Answers what is wrong in one sentence, or undefined when the program is there. */
export function buildNative(out: string = join(native, 'build', 'monitor')): string | undefined {
  if (process.platform !== 'linux') return 'The monitor program runs on Linux only.';
  const inputs = readdirSync(native)
    .filter(name => /\.[ch]$/.test(name))
    .map(name => join(native, name));
  const builtMs = existsSync(out) ? statSync(out).mtimeMs : 0;
  if (inputs.every(path => statSync(path).mtimeMs < builtMs)) return undefined;
  mkdirSync(dirname(out), { recursive: true });
  const temporary = `${out}.${process.pid}`;
  let problem = '';
  for (const linking of [['-static'], []]) {
    const flags = ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-s', ...linking];
    const sources = inputs.filter(path => path.endsWith('.c'));
    const done = spawnSync('cc', [...flags, '-o', temporary, ...sources], { encoding: 'utf8' });
    if (done.error) return 'There is no C compiler (cc): apt-get install gcc libc6-dev';
    if (done.status === 0) {
      renameSync(temporary, out);
      return undefined;
    }
    problem = done.stderr;
  }
  return `The monitor program does not compile:\n${problem}`;
}

if (import.meta.main) {
  const at = process.argv.indexOf('--out');
  const problem = buildNative(at > 0 ? resolve(process.argv[at + 1]!) : undefined);
  if (problem) console.error(problem);
  process.exitCode = problem ? 1 : 0;
}
