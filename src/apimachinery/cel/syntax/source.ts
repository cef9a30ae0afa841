/**
 * The text of an expression, and issues that point into it as cel-go prints them: line, column in code points, and a
 * snippet with a caret. Upstream: cel-go common/{source,error,errors}.go.
 */

/** A place in a text: line from 1, column in code points from 0; both -1 for no place. */
export interface Location {
  readonly line: number;
  readonly column: number;
}

export const noLocation: Location = { line: -1, column: -1 };

/** One fault of an expression. */
export interface Issue {
  readonly message: string;
  readonly location: Location;
}

/** More issues than this are counted only. */
const maxIssues = 100;
const maxSnippetBytes = 16384;

/** The text of an expression with its lines. */
export class Source {
  readonly text: string;
  readonly #lineStarts: readonly number[];

  constructor(text: string) {
    this.text = text;
    const starts = [0];
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
    this.#lineStarts = starts;
  }

  /** The place of an offset in UTF-16 units. */
  location(offset: number): Location {
    let line = this.#lineStarts.length;
    while (line > 1 && (this.#lineStarts[line - 1] as number) > offset) line--;
    const start = this.#lineStarts[line - 1] as number;
    // An empty text ends before its first column, as antlr has it.
    if (this.text === '') return { line, column: -1 };
    return { line, column: codePoints(this.text.slice(start, offset)) };
  }

  /** One line without its end; undefined when there is none. */
  snippet(line: number): string | undefined {
    const start = this.#lineStarts[line - 1];
    if (start === undefined || this.text === '') return undefined;
    const next = this.#lineStarts[line];
    return this.text.slice(start, next === undefined ? undefined : next - 1);
  }
}

/** Issues of one expression, in the order of their discovery. */
export class IssueList {
  readonly source: Source;
  readonly #issues: Issue[] = [];
  #count = 0;

  constructor(source: Source) {
    this.source = source;
  }

  get count(): number {
    return this.#count;
  }

  get all(): readonly Issue[] {
    return this.#issues;
  }

  add(location: Location, message: string): void {
    this.#count++;
    if (this.#count <= maxIssues) this.#issues.push({ location, message });
  }

  /** All issues as cel-go prints them, by place. */
  toString(): string {
    const sorted = this.#issues.toSorted(
      (left, right) => left.location.line - right.location.line || left.location.column - right.location.column,
    );
    const lines = sorted.map(issue => displayIssue(issue, this.source));
    if (this.#count > maxIssues) lines.push(`${this.#count - maxIssues} more errors were truncated`);
    return lines.join('\n');
  }
}

/** An issue with its snippet. Characters beyond ASCII are pointed at with wide dots and carets. */
function displayIssue(issue: Issue, source: Source): string {
  const { line, column } = issue.location;
  const head = `ERROR: <input>:${line}:${column + 1}: ${issue.message}`;
  const snippet = line < 1 ? undefined : source.snippet(line);
  if (snippet === undefined || Buffer.byteLength(snippet) > maxSnippetBytes) return head;
  const text = snippet.replaceAll('\t', ' ');
  const characters = Array.from(text);
  let pointer = '';
  for (const character of characters.slice(0, column)) pointer += isWide(character) ? '\uff0e' : '.';
  const target = characters[column];
  pointer += target !== undefined && isWide(target) ? '\uff3e' : '^';
  return `${head}\n | ${text}\n | ${pointer}`;
}

/** How many code points a string has. */
export function codePoints(text: string): number {
  let count = text.length;
  for (let at = 0; at < text.length - 1; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0xd800 || unit > 0xdbff) continue;
    const next = text.charCodeAt(at + 1);
    if (next >= 0xdc00 && next <= 0xdfff) {
      count--;
      at++;
    }
  }
  return count;
}

const isWide = (character: string): boolean => (character.codePointAt(0) as number) >= 0x80;
