/**
 * Starts processes and makes kernel calls through `monitor launcher`, a small program kept running (native/launcher.c):
 * Node's own spawn blocks its thread for milliseconds. A launcher that died is started again by the next order.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

/** How an ordered process ended; `output` is its stdout and stderr together. */
export interface Outcome {
  readonly status: number;
  readonly output: string;
}

/** See the file header. */
export interface Launcher extends AsyncDisposable {
  /** Executes a program found on PATH; resolves when it ended and its output was closed. */
  run(program: string, args: readonly string[]): Promise<Outcome>;
  /** As `run`, with the v2 hierarchy of a hybrid machine hidden from it. */
  runHidden(program: string, args: readonly string[]): Promise<Outcome>;
  /** A mode of the monitor program: `container`, `exec`, `dial`, or `kernel`. */
  self(mode: string, args: readonly string[]): Promise<Outcome>;
  /** A kernel call (native/kernel.c); rejects with its text when it fails. Answers what it printed. */
  kernel(name: string, ...args: readonly string[]): Promise<string>;
}

interface Process {
  readonly child: ChildProcessByStdio<Writable, Readable, null>;
  readonly waiting: Map<number, { resolve: (outcome: Outcome) => void; reject: (error: Error) => void }>;
}

/** `program`: path of the monitor program. Nothing is started before the first order. */
export function createLauncher(program: string): Launcher {
  let current: Process | undefined;
  let lastId = 0;
  let closed = false;

  const order = (...args: readonly string[]): Promise<Outcome> => {
    if (closed) return Promise.reject(new Error('the launcher was closed'));
    current ??= start(program, () => (current = undefined));
    const id = (lastId = (lastId + 1) >>> 0);
    const text = Buffer.from(`${args.join('\0')}\0`);
    const head = Buffer.allocUnsafe(8);
    head.writeUInt32BE(text.length + 4, 0);
    head.writeUInt32BE(id, 4);
    const { waiting, child } = current;
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      child.stdin.write(Buffer.concat([head, text]));
    });
  };

  return {
    run: (name, args) => order('run', name, ...args),
    runHidden: (name, args) => order('hidden', name, ...args),
    self: (mode, args) => order('self', mode, ...args),
    async kernel(name, ...args) {
      const { status, output } = await order('self', 'kernel', name, ...args);
      if (status !== 0) throw new Error(output.trim() || `kernel call ${name} ended with ${status}`);
      return output;
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      const child = current?.child;
      if (!child) return;
      const gone = new Promise<void>(resolve => child.once('exit', () => resolve()));
      child.stdin.end();
      await gone;
    },
  };
}

function start(program: string, onGone: () => void): Process {
  const child = spawn(program, ['launcher'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting: Process['waiting'] = new Map();
  const fail = (error: Error): void => {
    onGone();
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  child.on('error', cause => fail(new Error(`cannot start ${program}`, { cause })));
  child.on('exit', () => fail(new Error('the launcher ended')));
  child.stdin.on('error', () => {}); // told by 'exit'
  let rest: Buffer = Buffer.alloc(0);
  child.stdout.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= 4) {
      const length = rest.readUInt32BE(0);
      if (rest.length < 4 + length) break;
      const id = rest.readUInt32BE(4);
      waiting.get(id)?.resolve({ status: rest.readInt32BE(8), output: rest.toString('utf8', 12, 4 + length) });
      waiting.delete(id);
      rest = rest.subarray(4 + length);
    }
  });
  return { child, waiting };
}
