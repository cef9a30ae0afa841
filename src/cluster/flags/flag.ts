/**
 * What a flag of kube-apiserver is to the command line, and what was given for it. Upstream: the FlagSets of
 * apiserver pkg/server/options, whose names, forms and refusals these are.
 */
import { resolve } from 'node:path';
import { parseGoDuration } from '#apimachinery';
import { UserError } from '#base';
import type { ServerSettings } from './settings.ts';

export interface Flag {
  /** As upstream calls it, without the dashes. */
  readonly name: string;
  /** One letter that stands for it too. */
  readonly short?: string;
  /** What stands for the value in the help; absent: true or false, and true when nothing is said. */
  readonly value?: string;
  /** One line for the help. */
  readonly help: string;
  /**
   * The value is a path (`-` stays what it is), which another process must find from another directory; a function makes
   * the paths in the value absolute.
   */
  readonly isPath?: true | ((text: string) => string);
}

/** The flags of one concern, in one file of this folder. */
export interface FlagGroup {
  /** Above them in the help. */
  readonly title: string;
  readonly flags: readonly Flag[];
  /** What the given ones stand for. Reads the files they name. Throws a UserError for what is wrong. */
  settings(given: GivenFlags): ServerSettings;
}

const pflagBooleans: Readonly<Record<string, boolean>> = {
  ...Object.fromEntries(['1', 't', 'T', 'true', 'TRUE', 'True'].map(text => [text, true])),
  ...Object.fromEntries(['0', 'f', 'F', 'false', 'FALSE', 'False'].map(text => [text, false])),
};

/** The values of a command line by flag name, in their order; a flag that was not given is absent. */
export class GivenFlags {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(values: Iterable<readonly [name: string, values: readonly string[]]>) {
    this.#values = new Map(values);
  }

  /** Every occurrence, as it was written. */
  all(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  /** The last occurrence. */
  text(name: string): string | undefined {
    return this.all(name).at(-1);
  }

  /**
   * The elements of all occurrences, each of which may have several with commas between; undefined: not given. Empty ones
   * are left out, unless they are to be found fault with.
   */
  list(name: string, { keepEmpty = false }: { keepEmpty?: boolean } = {}): readonly string[] | undefined {
    if (!this.#values.has(name)) return undefined;
    return this.all(name)
      .flatMap(each => (each === '' ? [] : each.split(',')))
      .filter(each => keepEmpty || each !== '');
  }

  /** An absolute path, or `-`. */
  path(name: string): string | undefined {
    const text = this.text(name);
    return text === undefined || text === '-' || text === '' ? text : resolve(text);
  }

  boolean(name: string): boolean | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = pflagBooleans[text];
    if (value === undefined)
      throw refused(name, text, `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
    return value;
  }

  integer(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (!/^[+-]?\d+$/.test(text))
      throw refused(name, text, `strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
    return Number(text);
  }

  number(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (text.trim() === '' || Number.isNaN(value)) {
      throw refused(name, text, `strconv.ParseFloat: parsing ${JSON.stringify(text)}: invalid syntax`);
    }
    return value;
  }

  /** A Go duration (`1m30s`) in milliseconds. */
  durationMs(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    try {
      return Number(parseGoDuration(text)) / 1e6;
    } catch {
      throw refused(name, text, `time: invalid duration ${JSON.stringify(text)}`);
    }
  }
}

/** What is said about a value that cannot be read. */
export function refused(name: string, text: string, why: string): UserError {
  return new UserError(`invalid argument ${JSON.stringify(text)} for "--${name}" flag: ${why}`);
}
