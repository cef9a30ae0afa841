/**
 * What a machine must have before containers can run on it, looked at before anything is made there. Each thing that is
 * missing is one sentence and what to do about it; overlayfs and nf_tables are tried by the engine and the network.
 */
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { UserError } from '#base';

/** What is asked of the machine; a test puts another machine in its place. */
export interface Machine {
  readonly platform: string;
  /** Effective user; undefined where the platform has none. */
  readonly uid: number | undefined;
  /** Effective capabilities as a bit set; undefined where they cannot be read. */
  readonly capabilities: bigint | undefined;
  hasProgram(name: string): boolean;
}

interface Need {
  /** Any of these will do; the first is named. */
  readonly programs: readonly string[];
  readonly purpose: string;
  /** Debian's package. */
  readonly debianPackage: string;
}

const needs: readonly Need[] = [
  {
    programs: ['crun', 'runc', 'runsc', 'youki', 'kata-runtime'],
    purpose: 'container runtime (crun or runc)',
    debianPackage: 'crun',
  },
  { programs: ['nft'], purpose: 'nft, which makes the addresses of Services', debianPackage: 'nftables' },
  { programs: ['ip'], purpose: 'ip, which makes the network of pods', debianPackage: 'iproute2' },
];

/** Upstream: linux/capability.h. */
const neededCapabilities: ReadonlyArray<readonly [string, bigint]> = [
  ['CAP_NET_ADMIN', 12n],
  ['CAP_SYS_ADMIN', 21n],
];

/** Looks at the machine that this process runs on. */
export function thisMachine(): Machine {
  const directories = (process.env['PATH'] ?? '').split(delimiter);
  return {
    platform: process.platform,
    uid: process.geteuid?.(),
    capabilities: effectiveCapabilities(),
    hasProgram: name => directories.some(directory => isExecutable(join(directory, name))),
  };
}

/** Throws a UserError for the first thing that is missing. */
export function checkMachine(machine: Machine): void {
  const without = 'or run without containers: kobune up --no-node';
  if (machine.platform !== 'linux') {
    throw new UserError('Containers run on Linux only.', { remedy: 'Run without them: kobune up --no-node' });
  }
  if (machine.uid !== 0) {
    throw new UserError('Running containers needs root.', { remedy: `Run the same command with sudo, ${without}` });
  }
  const { capabilities } = machine;
  const lacking = neededCapabilities.filter(([, bit]) => capabilities !== undefined && !((capabilities >> bit) & 1n));
  if (lacking.length > 0) {
    throw new UserError(
      `Running containers needs ${lacking.map(([name]) => name).join(' and ')}, which root does not have here.`,
      { remedy: `Run on the machine itself or in a privileged container, ${without}` },
    );
  }
  const missing = needs.filter(({ programs }) => !programs.some(name => machine.hasProgram(name)));
  if (missing.length > 0) {
    throw new UserError(`This machine has no ${missing.map(({ purpose }) => purpose).join(', and no ')}.`, {
      remedy: `Install it: apt-get install ${missing.map(({ debianPackage }) => debianPackage).join(' ')}`,
    });
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function effectiveCapabilities(): bigint | undefined {
  try {
    const hex = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    return hex === undefined ? undefined : BigInt(`0x${hex}`);
  } catch {
    return undefined;
  }
}
