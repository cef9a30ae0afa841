/**
 * What validating a value against a schema gives: faults, each told once, and how much went well.
 * Upstream: kube-openapi pkg/validation/validate/result.go.
 */
import { type FieldError, type FieldPath, invalidValue } from '../field.ts';

export interface Fault {
  /** Upstream's text, by which it drops what it said already. */
  readonly message: string;
  readonly error: FieldError;
}

/** What a schema said; `matches` counts what went well, by which upstream picks among the failures of anyOf. */
export class Result {
  /** By message. A list of a hundred thousand wrong items is a body that anyone may send: each fault costs one look-up. Absent
   * until there is one, for nearly all values are right. */
  #faults: Map<string, Fault> | undefined;
  matches = 0;

  /** In the order in which they were found. */
  get errors(): FieldError[] {
    return Array.from(this.#faults?.values() ?? [], ({ error }) => error);
  }

  add(fault: Fault | undefined): this {
    if (fault === undefined) return this;
    this.#faults ??= new Map();
    if (!this.#faults.has(fault.message)) this.#faults.set(fault.message, fault);
    return this;
  }

  merge(other: Result | undefined): this {
    if (other === undefined) return this;
    if (other.#faults !== undefined) for (const fault of other.#faults.values()) this.add(fault);
    this.matches += other.matches;
    return this;
  }

  /** Counts one thing that went well. */
  matched(): this {
    this.matches++;
    return this;
  }

  get isValid(): boolean {
    return this.#faults === undefined;
  }
}

/** Makes the faults of one object. */
export class Faults {
  readonly #base: FieldPath;

  /** `base`: where the value that is validated stands in its object. */
  constructor(base: FieldPath) {
    this.#base = base;
  }

  at(path: string): FieldPath {
    const name = path.startsWith('.') ? path.slice(1) : path;
    return name === '' ? this.#base : this.#base.child(name);
  }

  /** A fault of the value at `path`. */
  fault(path: string, message: string, value: unknown): Fault {
    return { message, error: invalidValue(this.at(path), value, message) };
  }

  /** A fault that upstream ties to no field. */
  loose(message: string): Fault {
    return { message, error: invalidValue(this.#base, '', message) };
  }
}

/** The first of the failures with the most matches. */
export function best(results: readonly Result[]): Result | undefined {
  let found: Result | undefined;
  for (const result of results) if (found === undefined || result.matches > found.matches) found = result;
  return found;
}
