/**
 * The difference of two texts as upstream's error texts show it: unified, three lines of context, no file header.
 * Upstream: apimachinery pkg/util/diff/diff.go over github.com/pmezard/go-difflib, a port of Python's difflib.
 */

interface Match {
  readonly a: number;
  readonly b: number;
  readonly size: number;
}

type Tag = 'equal' | 'replace' | 'delete' | 'insert';
interface OpCode {
  readonly tag: Tag;
  readonly a1: number;
  readonly a2: number;
  readonly b1: number;
  readonly b2: number;
}

/** Lines with their ends; the last line gets one too. */
function splitLines(text: string): string[] {
  return text.split('\n').map(line => `${line}\n`);
}

/** Where each line stands in b, without the popular ones of long texts. */
function positions(b: readonly string[]): Map<string, number[]> {
  const found = new Map<string, number[]>();
  b.forEach((line, i) => {
    const list = found.get(line);
    if (list) list.push(i);
    else found.set(line, [i]);
  });
  const popularFrom = 200;
  if (b.length >= popularFrom) {
    const most = Math.floor(b.length / 100) + 1;
    for (const [line, list] of found) if (list.length > most) found.delete(line);
  }
  return found;
}

class SequenceMatcher {
  readonly #a: readonly string[];
  readonly #b: readonly string[];
  readonly #where: Map<string, number[]>;

  constructor(a: readonly string[], b: readonly string[]) {
    this.#a = a;
    this.#b = b;
    this.#where = positions(b);
  }

  #longest(alo: number, ahi: number, blo: number, bhi: number): Match {
    let bestI = alo;
    let bestJ = blo;
    let size = 0;
    let lengths = new Map<number, number>();
    for (let i = alo; i < ahi; i++) {
      const next = new Map<number, number>();
      for (const j of this.#where.get(this.#a[i]!) ?? []) {
        if (j < blo) continue;
        if (j >= bhi) break;
        const k = (lengths.get(j - 1) ?? 0) + 1;
        next.set(j, k);
        if (k > size) {
          bestI = i - k + 1;
          bestJ = j - k + 1;
          size = k;
        }
      }
      lengths = next;
    }
    while (bestI > alo && bestJ > blo && this.#a[bestI - 1] === this.#b[bestJ - 1]) {
      bestI--;
      bestJ--;
      size++;
    }
    while (bestI + size < ahi && bestJ + size < bhi && this.#a[bestI + size] === this.#b[bestJ + size]) size++;
    return { a: bestI, b: bestJ, size };
  }

  #collect(alo: number, ahi: number, blo: number, bhi: number, into: Match[]): void {
    const match = this.#longest(alo, ahi, blo, bhi);
    if (match.size === 0) return;
    if (alo < match.a && blo < match.b) this.#collect(alo, match.a, blo, match.b, into);
    into.push(match);
    const a = match.a + match.size;
    const b = match.b + match.size;
    if (a < ahi && b < bhi) this.#collect(a, ahi, b, bhi, into);
  }

  opCodes(): OpCode[] {
    const found: Match[] = [];
    this.#collect(0, this.#a.length, 0, this.#b.length, found);
    const codes: OpCode[] = [];
    let a = 0;
    let b = 0;
    for (const match of [...joinAdjacent(found), { a: this.#a.length, b: this.#b.length, size: 0 }]) {
      const tag = a < match.a ? (b < match.b ? 'replace' : 'delete') : b < match.b ? 'insert' : undefined;
      if (tag) codes.push({ tag, a1: a, a2: match.a, b1: b, b2: match.b });
      a = match.a + match.size;
      b = match.b + match.size;
      if (match.size > 0) codes.push({ tag: 'equal', a1: match.a, a2: a, b1: match.b, b2: b });
    }
    return codes;
  }
}

function joinAdjacent(matches: readonly Match[]): Match[] {
  const out: Match[] = [];
  for (const match of matches) {
    const last = out.at(-1);
    if (last && last.a + last.size === match.a && last.b + last.size === match.b) {
      out[out.length - 1] = { ...last, size: last.size + match.size };
    } else out.push(match);
  }
  return out;
}

/** The operations in groups that lie at most twice the context apart. */
function groups(codes: OpCode[], context: number): OpCode[][] {
  const list = [...codes];
  const first = list[0];
  if (first?.tag === 'equal') {
    list[0] = { ...first, a1: Math.max(first.a1, first.a2 - context), b1: Math.max(first.b1, first.b2 - context) };
  }
  const last = list.at(-1);
  if (last?.tag === 'equal') {
    const end = { ...last, a2: Math.min(last.a2, last.a1 + context), b2: Math.min(last.b2, last.b1 + context) };
    list[list.length - 1] = end;
  }
  const out: OpCode[][] = [];
  let group: OpCode[] = [];
  for (const code of list) {
    let { a1, b1 } = code;
    if (code.tag === 'equal' && code.a2 - code.a1 > 2 * context) {
      group.push({ ...code, a2: Math.min(code.a2, a1 + context), b2: Math.min(code.b2, b1 + context) });
      out.push(group);
      group = [];
      a1 = Math.max(a1, code.a2 - context);
      b1 = Math.max(b1, code.b2 - context);
    }
    group.push({ ...code, a1, b1 });
  }
  if (group.length > 0 && !(group.length === 1 && group[0]!.tag === 'equal')) out.push(group);
  return out;
}

function range(start: number, stop: number): string {
  const length = stop - start;
  if (length === 1) return `${start + 1}`;
  return `${length === 0 ? start : start + 1},${length}`;
}

/** The unified difference; empty when the texts are equal. */
export function unifiedDiff(before: string, after: string): string {
  const a = splitLines(before);
  const b = splitLines(after);
  let out = '';
  for (const group of groups(new SequenceMatcher(a, b).opCodes(), 3)) {
    const first = group[0]!;
    const last = group.at(-1)!;
    out += `@@ -${range(first.a1, last.a2)} +${range(first.b1, last.b2)} @@\n`;
    for (const { tag, a1, a2, b1, b2 } of group) {
      if (tag === 'equal') for (const line of a.slice(a1, a2)) out += ` ${line}`;
      if (tag === 'replace' || tag === 'delete') for (const line of a.slice(a1, a2)) out += `-${line}`;
      if (tag === 'replace' || tag === 'insert') for (const line of b.slice(b1, b2)) out += `+${line}`;
    }
  }
  return out;
}
