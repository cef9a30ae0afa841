/**
 * A real terminal for a command: script(1) gives it a pseudo-terminal whose size the test can change, as a window does.
 * What is typed goes to the terminal, so the line discipline acts on it (Ctrl-C is a signal).
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './kobune.ts';
import { findProgram } from './program.ts';

/** Why terminals cannot be had here, or undefined. */
export function whyNoTerminal(): string | undefined {
  const missing = ['script', 'stty', 'tty'].filter(name => !findProgram(name));
  return missing.length > 0 ? `${missing.join(' and ')} not installed` : undefined;
}

export interface Terminal extends AsyncDisposable {
  /** All that was shown so far. */
  readonly shown: string;
  type(text: string): void;
  resize(rows: number, columns: number): void;
  /** Resolves with the match once what is shown matches. */
  until(expected: RegExp): Promise<RegExpExecArray>;
  /** The command's exit code. */
  ended(): Promise<number>;
}

const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

/** Runs a command on a terminal of this size. Disposing ends it. */
export async function openTerminal(
  command: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly rows: number; readonly columns: number },
): Promise<Terminal> {
  const folder = mkdtempSync(join(tmpdir(), 'kobune-terminal-'));
  const name = join(folder, 'tty');
  const { rows, columns } = options;
  const line = `tty > ${name}; stty rows ${rows} cols ${columns}; exec ${command.map(quote).join(' ')}`;
  const child: ChildProcess = spawn('script', ['-qefc', line, '/dev/null'], {
    env: { ...(options.env ?? process.env), SHELL: '/bin/sh' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit') as Promise<[number | null]>;
  let shown = '';
  child.stdout!.setEncoding('utf8').on('data', chunk => (shown += chunk));
  child.stdin!.on('error', () => {});
  return {
    get shown() {
      return shown;
    },
    type: text => void child.stdin!.write(text),
    resize(newRows, newColumns) {
      const device = readFileSync(name, 'utf8').trim();
      spawnSync('stty', ['-F', device, 'rows', String(newRows), 'cols', String(newColumns)]);
    },
    until: async expected => {
      try {
        return await eventually(
          `the terminal shows ${expected}`,
          async () => expected.exec(shown) ?? undefined,
          15_000,
        );
      } catch (cause) {
        throw new Error(`${(cause as Error).message}; it shows: ${JSON.stringify(shown)}`, { cause });
      }
    },
    ended: async () => (await exit)[0] ?? -1,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await exit;
      if (existsSync(folder)) rmSync(folder, { recursive: true });
    },
  };
}
