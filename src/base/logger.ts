/** Structured logs: a constant message and fields, one JSON object a line. Never bodies, never secrets. */
import type { Clock } from './clock.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;

/** A logger with bound fields. Libraries throw rather than log; loops and lifecycles log. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same logger with `fields` on every line. */
  with(fields: LogFields): Logger;
}

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/**
 * Writes to `write` (one line without newline a call) everything at `level`, as it is at that moment, or above. Errors
 * become message and stack.
 */
export function createLogger(options: {
  readonly clock: Clock;
  readonly level: LogLevel;
  readonly write: (line: string) => void;
}): Logger {
  const make = (bound: LogFields): Logger => {
    const at =
      (level: LogLevel) =>
      (message: string, fields?: LogFields): void => {
        if (levels.indexOf(level) < levels.indexOf(options.level)) return;
        const line = { time: new Date(options.clock.now()).toISOString(), level, message, ...bound, ...fields };
        options.write(JSON.stringify(line, plainError));
      };
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      with: fields => make({ ...bound, ...fields }),
    };
  };
  return make({});
}

function plainError(_key: string, value: unknown): unknown {
  if (value instanceof Error) return { message: value.message, stack: value.stack, cause: value.cause };
  return typeof value === 'bigint' ? value.toString() : value;
}

/** Discards everything; the default in tests. */
export const silentLogger: Logger = Object.freeze({
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  with: () => silentLogger,
});
