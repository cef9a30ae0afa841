/**
 * YAML as sigs.k8s.io/yaml writes it: keys sorted with numbers inside them by value, lists not indented, text in the
 * style that go-yaml chooses, long text folded behind column 80. Upstream: sigs.k8s.io/yaml, go.yaml.in/yaml/v2
 * (encode.go, sorter.go, emitterc.go).
 */
import { scalarText } from './write-scalar.ts';

const letter = /\p{L}/u;
const digit = /\p{Nd}/u;

/** Order of keys: letters before digits before the rest, runs of digits by value. Upstream: keyList.Less. */
function compareKeys(a: string, b: string): number {
  const [left, right] = [[...a], [...b]];
  const length = Math.min(left.length, right.length);
  let i = 0;
  while (i < length && left[i] === right[i]) i++;
  if (i === length) return left.length - right.length;
  const [x, y] = [left[i]!, right[i]!];
  const [xLetter, yLetter] = [letter.test(x), letter.test(y)];
  if (xLetter && yLetter) return x.codePointAt(0)! - y.codePointAt(0)!;
  if (xLetter || yLetter) return yLetter ? -1 : 1;
  // A nought within a number is worth what it is worth there.
  const within = (x === '0' || y === '0') && endsInNumber(left.slice(0, i)) ? 1n : 0n;
  const [xRun, yRun] = [digitRun(left, i, within), digitRun(right, i, within)];
  if (xRun.value !== yRun.value) return xRun.value < yRun.value ? -1 : 1;
  if (xRun.end !== yRun.end) return xRun.end - yRun.end;
  return x.codePointAt(0)! - y.codePointAt(0)!;
}

/** Behind digits of which one is no nought. */
function endsInNumber(chars: readonly string[]): boolean {
  for (let i = chars.length - 1; i >= 0 && digit.test(chars[i]!); i--) if (chars[i] !== '0') return true;
  return false;
}

/** The number that begins at an index, behind what stands before it, as Go's int64 holds it. */
function digitRun(chars: readonly string[], begin: number, before: bigint): { value: bigint; end: number } {
  let value = before;
  let end = begin;
  for (; end < chars.length && digit.test(chars[end]!); end++) {
    value = BigInt.asIntN(64, value * 10n + BigInt(chars[end]!.codePointAt(0)! - 48));
  }
  return { value, end };
}

interface Place {
  /** Where the block's lines begin. */
  readonly indent: number;
  /** Its first line goes on behind a dash or a colon. */
  readonly inline: boolean;
}

/** Longer keys are written as `? key`. */
const maxSimpleKeyBytes = 128;

/** What stands behind the last break; the two separators are breaks too. */
const lastLine = /[^\n\u2028\u2029]*$/;
const ascii = /^[ -~]*$/;

class Emitter {
  readonly #parts: string[] = [];
  #column = 0;

  get text(): string {
    return this.#parts.join('');
  }

  put(text: string): void {
    if (text === '') return;
    this.#parts.push(text);
    const [line] = lastLine.exec(text)!;
    const length = ascii.test(line) ? line.length : [...line].length;
    this.#column = line.length < text.length ? length : this.#column + length;
  }

  newLine(indent: number): void {
    this.put(`${this.#column > 0 ? '\n' : ''}${' '.repeat(indent)}`);
  }

  scalar(value: unknown, indent: number, key = false): void {
    this.put(scalarText(value, { column: this.#column, indent, key }));
  }

  map(map: Readonly<Record<string, unknown>>, { indent, inline }: Place): void {
    const keys = Object.keys(map).filter(key => map[key] !== undefined);
    keys.sort(compareKeys);
    for (const [at, key] of keys.entries()) {
      if (at > 0 || !inline) this.newLine(indent);
      const simple = !/[\n\r\x85\u2028\u2029]/.test(key) && Buffer.byteLength(key) <= maxSimpleKeyBytes;
      if (simple) {
        this.scalar(key, indent, true);
        this.put(':');
        this.#member(map[key], indent);
      } else {
        this.put('? ');
        this.scalar(key, indent + 2);
        this.newLine(indent);
        this.put(':');
        this.#item(map[key], indent);
      }
    }
  }

  list(list: readonly unknown[], { indent, inline }: Place): void {
    for (const [at, item] of list.entries()) {
      if (at > 0 || !inline) this.newLine(indent);
      this.put('-');
      this.#item(item, indent);
    }
  }

  /** What stands behind a key. */
  #member(value: unknown, indent: number): void {
    if (isList(value) && value.length > 0) this.list(value, { indent, inline: false });
    else if (isMap(value) && !isEmpty(value)) this.map(value, { indent: indent + 2, inline: false });
    else this.#leaf(value, indent);
  }

  /** What stands behind a dash. */
  #item(value: unknown, indent: number): void {
    if (isList(value) && value.length > 0) {
      this.put(' ');
      this.list(value, { indent: indent + 2, inline: true });
    } else if (isMap(value) && !isEmpty(value)) {
      this.put(' ');
      this.map(value, { indent: indent + 2, inline: true });
    } else this.#leaf(value, indent);
  }

  #leaf(value: unknown, indent: number): void {
    this.put(' ');
    if (isList(value)) this.put('[]');
    else if (isMap(value)) this.put('{}');
    else this.scalar(value, indent + 2);
  }
}

const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);
const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isEmpty = (map: Readonly<Record<string, unknown>>): boolean => {
  for (const key in map) if (map[key] !== undefined) return false;
  return true;
};

/** Writes a JSON value as one YAML document, ending in a newline. */
export function writeYaml(value: unknown): string {
  const emitter = new Emitter();
  const root = { indent: 0, inline: true };
  if (isList(value)) {
    if (value.length > 0) emitter.list(value, root);
    else emitter.put('[]');
  } else if (isMap(value)) {
    if (isEmpty(value)) emitter.put('{}');
    else emitter.map(value, root);
  } else emitter.scalar(value, 2);
  emitter.newLine(0);
  return emitter.text;
}
