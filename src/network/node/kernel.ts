/**
 * The kernel's edge for networking: `ip`, `nft`, `conntrack` and /proc/sys behind one interface, so that everything
 * above it is text in and text out and can be tested anywhere.
 */
import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';

/** What network/node asks of the kernel. Every call rejects with an Error whose message holds the tool's own words. */
export interface NetworkKernel {
  /** Runs `ip` commands in order, in the named network namespace if one is given, stopping at the first failure. */
  ip(commands: readonly string[], netns?: string): Promise<void>;
  /** Applies one nft script as one transaction: all of it or nothing. */
  nft(script: string): Promise<void>;
  /** `nft -j` with these arguments, parsed. */
  nftList(...args: string[]): Promise<unknown>;
  /** Forgets tracked connections; finding none is no error. */
  conntrackDelete(...args: string[]): Promise<void>;
  /** Sets `/proc/sys/<name with slashes>` and answers what was there before. */
  sysctl(name: string, value: string): Promise<string>;
}

/** Runs the tools of this machine. */
export const linuxKernel: NetworkKernel = {
  async ip(commands, netns) {
    await run('ip', [...(netns === undefined ? [] : ['-n', netns]), '-batch', '-'], `${commands.join('\n')}\n`);
  },
  async nft(script) {
    await run('nft', ['-f', '-'], script);
  },
  async nftList(...args) {
    return JSON.parse(await run('nft', ['-j', ...args]));
  },
  async conntrackDelete(...args) {
    // conntrack exits with 1 when nothing matched, which is what we wanted.
    await run('conntrack', ['-D', ...args]).catch(error => {
      if (!/0 flow entries/.test(String(error))) throw error;
    });
  },
  async sysctl(name, value) {
    const path = `/proc/sys/${name}`;
    const before = (await readFile(path, 'utf8')).trim();
    if (before !== value) await writeFile(path, value);
    return before;
  },
};

function run(command: string, args: readonly string[], input?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', chunk => (stdout += chunk));
    child.stderr.setEncoding('utf8').on('data', chunk => (stderr += chunk));
    child.on('error', cause => reject(new Error(`cannot run ${command}: ${cause.message}`, { cause })));
    child.on('close', code => {
      if (code === 0) resolve(stdout);
      else reject(new Error(`${command} ${args.join(' ')} failed: ${stderr.trim() || `exit code ${code}`}`));
    });
    // The tool may end before it has read everything; its exit code tells, not the broken pipe.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}
