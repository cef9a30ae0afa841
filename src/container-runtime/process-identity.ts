/** Telling a process from a later one with the same number. */
import { readFileSync } from 'node:fs';

/** A process of one boot. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks after boot, as /proc/PID/stat has it. */
  readonly startTicks: string;
}

/** Undefined when there is no such process, or only what is left of it until its parent has asked how it ended. */
export function identify(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // the name before may hold anything
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : { pid, startTicks: fields[19]! };
  } catch {
    return undefined;
  }
}

/** True while exactly this process lives. */
export function isAlive(process: ProcessIdentity): boolean {
  return identify(process.pid)?.startTicks === process.startTicks;
}

/** Signals exactly this process; false when it is gone. */
export function signal(target: ProcessIdentity, name: NodeJS.Signals | number): boolean {
  if (!isAlive(target)) return false;
  try {
    return process.kill(target.pid, name);
  } catch {
    return false;
  }
}
