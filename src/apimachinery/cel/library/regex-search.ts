/**
 * Where a regular expression matches: the engine answers only whether it does, so its program is run here with Pike's
 * method, in time linear in text and program. The leftmost match is found, and of those the first by preference, as in
 * Go. Upstream: Go regexp (FindAllString).
 */
import type { RE2JS } from '@bufbuild/re2';
import { Cancelled, costExceeded } from '../values/cancelled.ts';

type Program = ReturnType<RE2JS['re2']>['prog'];
type Instruction = ReturnType<Program['getInst']>;

/** Kinds of instructions, read from the engine's class. */
interface Kinds {
  readonly ALT: number;
  readonly ALT_MATCH: number;
  readonly NOP: number;
  readonly CAPTURE: number;
  readonly EMPTY_WIDTH: number;
  readonly MATCH: number;
  isRuneOp(op: number): boolean;
}

/** Conditions on a place in the text, as bits. */
const beginLine = 1;
const endLine = 2;
const beginText = 4;
const endText = 8;
const wordBoundary = 16;
const noWordBoundary = 32;

const isWord = (rune: number): boolean =>
  (rune >= 48 && rune <= 57) || (rune >= 65 && rune <= 90) || rune === 95 || (rune >= 97 && rune <= 122);

function conditions(before: number, after: number): number {
  let found = 0;
  if (before < 0) found |= beginText | beginLine;
  if (before === 10) found |= beginLine;
  if (after < 0) found |= endText | endLine;
  if (after === 10) found |= endLine;
  return found | (isWord(before) === isWord(after) ? noWordBoundary : wordBoundary);
}

/** Threads in order of preference: where each stands in the program, and where its match begins. */
interface Threads {
  readonly pcs: number[];
  readonly starts: number[];
  readonly known: Set<number>;
}

const newThreads = (): Threads => ({ pcs: [], starts: [], known: new Set() });

/** How many steps of threads one search may take: some patterns need a walk to the end of the text for every match. */
const defaultMaxSteps = 50_000_000;

class Search {
  #steps = 0;
  readonly #maxSteps: number;
  readonly #program: Program;
  readonly #kinds: Kinds;
  readonly #runes: readonly number[];

  constructor(program: Program, runes: readonly number[], maxSteps: number) {
    this.#maxSteps = maxSteps;
    this.#program = program;
    this.#kinds = program.getInst(program.start).constructor as unknown as Kinds;
    this.#runes = runes;
  }

  /** The first match at or behind a place, as indices of code points. */
  match(from: number): [start: number, end: number] | undefined {
    let current = newThreads();
    let next = newThreads();
    let found: [number, number] | undefined;
    for (let at = from; at <= this.#runes.length; at++) {
      if (found === undefined) this.#add(current, this.#program.start, at, at);
      else if (current.pcs.length === 0) break;
      this.#steps += current.pcs.length;
      if (this.#steps > this.#maxSteps) throw new Cancelled(costExceeded);
      for (const [index, pc] of current.pcs.entries()) {
        const instruction = this.#program.getInst(pc);
        const start = current.starts[index] as number;
        if (instruction.op === this.#kinds.MATCH) {
          found = [start, at];
          break;
        }
        const rune = this.#runes[at];
        if (rune !== undefined && instruction.matchRune(rune)) this.#add(next, instruction.out, at + 1, start);
      }
      [current, next] = [next, newThreads()];
    }
    return found;
  }

  /** Adds a thread, following whatever reads nothing. */
  #add(threads: Threads, from: number, at: number, start: number): void {
    const context = conditions(this.#runes[at - 1] ?? -1, this.#runes[at] ?? -1);
    const stack = [from];
    for (let pc = stack.pop(); pc !== undefined; pc = stack.pop()) {
      if (threads.known.has(pc)) continue;
      threads.known.add(pc);
      const instruction: Instruction = this.#program.getInst(pc);
      const { op, out, arg } = instruction;
      if (op === this.#kinds.ALT || op === this.#kinds.ALT_MATCH) stack.push(arg, out);
      else if (op === this.#kinds.NOP || op === this.#kinds.CAPTURE) stack.push(out);
      else if (op === this.#kinds.EMPTY_WIDTH) {
        if ((arg & ~context) === 0) stack.push(out);
      } else if (op === this.#kinds.MATCH || this.#kinds.isRuneOp(op)) {
        threads.pcs.push(pc);
        threads.starts.push(start);
      }
    }
  }
}

/** Matches in order as Go finds them, at most `limit`; below 0 all of them. Empty ones right behind one do not count. */
export function findMatches(regex: RE2JS, text: string, limit: number, maxSteps: number = defaultMaxSteps): string[] {
  const characters = Array.from(text);
  const search = new Search(
    regex.re2().prog,
    characters.map(character => character.codePointAt(0) as number),
    maxSteps,
  );
  const found: string[] = [];
  let at = 0;
  let before = -1;
  while (at <= characters.length && (limit < 0 || found.length < limit)) {
    const match = search.match(at);
    if (match === undefined) break;
    const [start, end] = match;
    if (end > start || start !== before) found.push(characters.slice(start, end).join(''));
    before = end;
    at = end > at ? end : at + 1;
    if (end > start) at = end;
  }
  return found;
}
