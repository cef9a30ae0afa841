/**
 * The system packages that running containers needs, found or installed: each is named before it is installed, and
 * with `--no-install` the exact command is printed instead. Debian's names; other systems are told what is missing.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A program and the Debian package that brings it. */
export interface Need {
  /** Any one of these will do. */
  readonly programs: readonly string[];
  readonly debianPackage: string;
  readonly why: string;
}

/** What containers, networking and the monitor's build need. */
export const containerNeeds: readonly Need[] = [
  { programs: ['crun', 'runc'], debianPackage: 'crun', why: 'runs containers' },
  { programs: ['nft'], debianPackage: 'nftables', why: 'Service addresses' },
  { programs: ['ip'], debianPackage: 'iproute2', why: 'pod networks' },
  { programs: ['conntrack'], debianPackage: 'conntrack', why: 'forgets connections to gone endpoints' },
  { programs: ['cc', 'gcc', 'clang'], debianPackage: 'gcc', why: 'builds the container monitor' },
];

/** A C library's headers are no program: `libc6-dev` has none, so it is asked for by a file. */
const libcHeader = '/usr/include/stdio.h';

export const kubectlNeed: Need = {
  programs: ['kubectl'],
  debianPackage: 'kubernetes-client',
  why: 'the command-line client',
};

/** Path of a program, or undefined. */
export function which(program: string): string | undefined {
  for (const directory of `${process.env['PATH'] ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`.split(delimiter)) {
    const path = join(directory, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not in this directory
    }
  }
  return undefined;
}

/** The packages that are missing, with why. */
export function missingPackages(needs: readonly Need[]): Array<{ name: string; why: string }> {
  const missing = needs
    .filter(need => !need.programs.some(program => which(program)))
    .map(need => ({ name: need.debianPackage, why: need.why }));
  if (needs === containerNeeds && !existsSync(libcHeader))
    missing.push({ name: 'libc6-dev', why: 'headers for the monitor' });
  return missing;
}

/**
 * Installs what is missing with apt, or says what to do. Answers the packages that are still missing: empty when all
 * is there.
 */
export function installPackages(needs: readonly Need[], options: { install: boolean }): string[] {
  const missing = missingPackages(needs);
  if (missing.length === 0) return [];
  const names = missing.map(each => each.name);
  const command = `apt-get update && apt-get install -y --no-install-recommends ${names.join(' ')}`;
  const canInstall = options.install && process.getuid?.() === 0 && which('apt-get');
  if (!canInstall) {
    for (const { name, why } of missing) console.error(`missing: ${name} (${why})`);
    console.error(`Run as root: ${command}`);
    return names;
  }
  for (const { name, why } of missing) console.log(`installing ${name} (${why})`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const result = spawnSync('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8', env });
  if (result.status !== 0) console.error(result.stderr.trim().split('\n').slice(-5).join('\n'));
  return missingPackages(needs).map(each => each.name);
}
