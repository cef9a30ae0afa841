/** What a container of the fake engine does. Everything is optional: by default it runs until it is stopped. */
import type { ContainerConfig } from '../contract.ts';

export interface ExecAnswer {
  readonly stdout?: string;
  readonly stderr?: string;
  readonly exitCode?: number;
  /** The command cannot be run: the call rejects with `startFailed`. */
  readonly startError?: string;
  /** Longer than the caller's time-out: the call rejects with `timeout`. */
  readonly takesMs?: number;
}

export interface ContainerScript {
  /** Ends by itself so long after its start. */
  readonly exitAfterMs?: number;
  /** Code of that end; default 0. */
  readonly exitCode?: number;
  /** `OOMKilled` for instance; default by the code. */
  readonly exitReason?: string;
  /** Starting takes so long. */
  readonly startTakesMs?: number;
  /** Starting fails with this message. */
  readonly startError?: string;
  /** Creating fails with this message. */
  readonly createError?: string;
  /** Time from the stop signal to the end; Infinity ignores it. Default 0. */
  readonly stopTakesMs?: number;
  /** Lines written to standard output at the start. */
  readonly output?: readonly string[];
  /** Lines written to standard error at the start. */
  readonly errors?: readonly string[];
  /** Written to the termination message file at the end. */
  readonly terminationMessage?: string;
  exec?(command: readonly string[]): ExecAnswer;
}

/** Chooses a script for a container that is being created. */
export type ScriptChooser = (config: ContainerConfig) => ContainerScript;

/** As a shell's: `true`, `false`, `exit 3`, `sleep 5`, `echo text`, anything else answers with code 127. */
export function defaultExec(command: readonly string[]): ExecAnswer {
  const words = command[0]?.endsWith('sh') && command[1] === '-c' ? (command[2] ?? '').split(/\s+/) : [...command];
  switch (words[0]) {
    case 'true':
      return {};
    case 'false':
      return { exitCode: 1 };
    case 'exit':
      return { exitCode: Number(words[1] ?? 0) };
    case 'sleep':
      return { takesMs: Number(words[1] ?? 0) * 1000 };
    case 'echo':
      return { stdout: `${words.slice(1).join(' ')}\n` };
    case 'cat':
      return {};
    default:
      return { exitCode: 127, stderr: `${words[0]}: not found\n` };
  }
}
