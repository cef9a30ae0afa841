/**
 * YAML as kubectl and the API server read it: the first document, as JSON. Syntax is js-yaml's (by its events); what
 * the nodes mean is ours, after Go's yaml.v2: YAML 1.1 scalars, merge keys, keys made strings, duplicate keys reported
 * by line, aliases bounded. Upstream: sigs.k8s.io/yaml (yaml.go), go.yaml.in/yaml/v2 (decode.go).
 * Deviation: of syntax errors, the place and the commonest texts are those of Go's parser, other texts are js-yaml's.
 */
import { EVENT_ID, type Event, getScalarValue, parseEvents, SCALAR_STYLE, YAMLException } from 'js-yaml';
import { goQuote } from '../field.ts';
import { InputError } from '../input-error.ts';
import { readJson } from '../json/read.ts';
import { maxJsonDepth } from '../json/scanner.ts';
import { setOwn } from '../json/set-own.ts';
import { writeSorted } from '../json/write.ts';
import { anyNode } from '../schema/build.ts';
import type { TypeNode } from '../schema/type-node.ts';
import { resolvePlain, resolveTagged, type YamlScalar } from './scalar.ts';

export interface YamlReadResult {
  /** JSON: keys are strings, an empty text is null. Integers beyond 2^53 are bigint. */
  readonly value: unknown;
  /** `line 7: key "a" already set in map` …; the last of several values counts. */
  readonly duplicates: readonly string[];
}

/** Aliases may add so many characters and nodes to what the text itself holds. */
const maxAliased = 4_000_000;

/** The text that strict decoding shows for duplicate keys, or undefined when there are none. */
export function yamlStrictError(duplicates: readonly string[]): string | undefined {
  return duplicates.length === 0 ? undefined : `yaml: unmarshal errors:\n  ${duplicates.join('\n  ')}`;
}

/** Reads the first document. Throws InputError `yaml` with Go's text where it is known. */
export function parseYaml(text: string): YamlReadResult {
  return new YamlReader(text).read();
}

/** What may be beyond an int64. */
const wideNumber = /[0-9a-fA-F_]{16}/;
/** Numbers that YAML reads otherwise than JSON, and escapes that it does not know. */
const uncommon = /[0-9]{19}|[eE][-+]?[0-9]{3}|\\u[dD][89a-fA-F]|\\\//;

/** Reads the first document of a text that may be JSON, as bodies that are said to be YAML mostly are. */
export function parseYamlOrJson(text: string): YamlReadResult {
  // Only when the JSON is not clean is the slower way taken: YAML tells of duplicates by line.
  if (/^\s*\{/.test(text) && !uncommon.test(text)) {
    try {
      const { value, strictErrors } = readJson(text, anyNode);
      if (strictErrors.length === 0) return { value, duplicates: [] };
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
    }
  }
  return parseYaml(text);
}

/**
 * A YAML (or JSON) text as JSON text with sorted keys, and what came twice: what upstream does before it decodes.
 * Throws InputError `yaml`.
 */
export function yamlToJson(text: string): { readonly json: string; readonly duplicates: readonly string[] } {
  const { value, duplicates } = parseYamlOrJson(text);
  return { json: writeSorted(value), duplicates };
}

/**
 * Reads the body of a server-side apply: any map, nothing counting as an empty one. Throws InputError `patch` with
 * upstream's text. `strictError` is what strict validation says of duplicate keys.
 */
export function readAppliedConfiguration(text: string): {
  readonly config: Readonly<Record<string, unknown>>;
  readonly strictError: string | undefined;
  /** What the error tells of, each by itself, as warnings do. */
  readonly duplicates: readonly string[];
} {
  let read: YamlReadResult;
  try {
    read = parseYamlOrJson(text);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const where = error.message.startsWith('error converting') ? '' : 'error converting YAML to JSON: ';
    throw new InputError('patch', `error decoding YAML: ${where}${error.message}`);
  }
  const { duplicates } = read;
  const value = wideNumber.test(text) ? asUnstructured(read.value) : read.value;
  if (value !== null && (typeof value !== 'object' || Array.isArray(value))) {
    const kind = Array.isArray(value)
      ? 'array'
      : typeof value === 'boolean'
        ? 'bool'
        : typeof value === 'string'
          ? 'string'
          : 'number';
    const fault = `json: cannot unmarshal ${kind} into Go value of type map[string]interface {}`;
    throw new InputError('patch', `error decoding YAML: error unmarshaling JSON: while decoding JSON: ${fault}`);
  }
  const strict = yamlStrictError(duplicates);
  return {
    config: (value ?? {}) as Readonly<Record<string, unknown>>,
    strictError: strict === undefined ? undefined : `error converting YAML to JSON: ${strict}`,
    duplicates,
  };
}

/** With whole numbers beyond an int64 as the doubles that Go holds them as. */
function asUnstructured(value: unknown): unknown {
  if (typeof value === 'bigint') return BigInt.asIntN(64, value) === value ? value : Number(value);
  if (Array.isArray(value)) return value.map(asUnstructured);
  if (value === null || typeof value !== 'object') return value;
  const out: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) setOwn(out, key, asUnstructured(item));
  return out;
}

/** Reads YAML as a value of the type, as `readJson` reads JSON. Duplicates come first among the strict errors. */
export function readYaml(
  text: string,
  node: TypeNode,
): { readonly value: unknown; readonly strictErrors: readonly string[]; readonly duplicates: readonly string[] } {
  const { json, duplicates } = yamlToJson(text);
  return { ...readJson(json, node), duplicates };
}

class YamlReader {
  readonly #text: string;
  readonly #events: readonly Event[];
  readonly #duplicates: string[] = [];
  /** Index of the event that an anchor stands at, or of one that is being read. */
  readonly #anchors = new Map<string, number>();
  readonly #open = new Set<string>();
  #at = 0;
  #aliased = 0;
  #insideAlias = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    this.#events = parseFirst(text);
  }

  read(): YamlReadResult {
    const first = this.#events[0];
    if (first?.type !== EVENT_ID.DOCUMENT) return { value: null, duplicates: [] };
    this.#at = 1;
    const value = this.#events[1]?.type === EVENT_ID.POP ? null : this.#node();
    return { value, duplicates: this.#duplicates };
  }

  #count(size: number): void {
    if (this.#insideAlias === 0) return;
    this.#aliased += size;
    if (this.#aliased > maxAliased) throw new InputError('yaml', 'yaml: document contains excessive aliasing');
  }

  /** Reads the node at `#at` and moves behind it. */
  #node(): unknown {
    const event = this.#events[this.#at]!;
    if (event.type === EVENT_ID.ALIAS) return this.#alias(this.#text.slice(event.anchorStart, event.anchorEnd));
    if (event.type !== EVENT_ID.SCALAR && event.type !== EVENT_ID.MAPPING && event.type !== EVENT_ID.SEQUENCE) {
      throw new InputError('yaml', 'yaml: unexpected end of document');
    }
    const anchor = event.anchorStart < 0 ? undefined : this.#text.slice(event.anchorStart, event.anchorEnd);
    if (anchor !== undefined) {
      this.#anchors.set(anchor, this.#at);
      this.#open.add(anchor);
    }
    if (++this.#depth > maxJsonDepth) throw new InputError('yaml', 'yaml: exceeded max depth of 10000');
    const value =
      event.type === EVENT_ID.SCALAR
        ? this.#scalar()
        : event.type === EVENT_ID.MAPPING
          ? this.#mapping()
          : this.#list();
    this.#depth--;
    if (anchor !== undefined) this.#open.delete(anchor);
    return value;
  }

  #alias(name: string): unknown {
    const target = this.#anchors.get(name);
    if (target === undefined) throw new InputError('yaml', `yaml: unknown anchor '${name}' referenced`);
    if (this.#open.has(name)) throw new InputError('yaml', `yaml: anchor '${name}' value contains itself`);
    const back = this.#at + 1;
    this.#at = target;
    this.#insideAlias++;
    const value = this.#node();
    this.#insideAlias--;
    this.#at = back;
    return value;
  }

  #scalar(): YamlScalar {
    const event = this.#events[this.#at++]!;
    if (event.type !== EVENT_ID.SCALAR) throw new InputError('yaml', 'yaml: not a scalar');
    const value = getScalarValue(this.#text, event);
    this.#count(1 + value.length);
    const tag = event.tagStart < 0 ? '' : this.#text.slice(event.tagStart, event.tagEnd);
    if (event.style === SCALAR_STYLE.DOUBLE_QUOTED) this.#checkEscapes(event.valueStart, event.valueEnd);
    const resolved =
      tag !== '' ? resolveTagged(tag, value) : event.style === SCALAR_STYLE.PLAIN ? resolvePlain(value) : value;
    if (typeof resolved === 'number' && !Number.isFinite(resolved)) {
      const shown = Number.isNaN(resolved) ? 'NaN' : resolved > 0 ? '+Inf' : '-Inf';
      throw new InputError('yaml', `json: unsupported value: ${shown}`);
    }
    return resolved;
  }

  /** Halves of surrogate pairs are no characters to Go's scanner, and a slash needs no escape. */
  #checkEscapes(from: number, to: number): void {
    const source = this.#text.slice(from, to);
    if (!source.includes('\\')) return;
    for (const { 0: found, index } of source.matchAll(/\\(?:u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[\s\S])/g)) {
      const code = /^\\[uU]./.test(found) ? Number.parseInt(found.slice(2), 16) : 0;
      const wrong = (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff;
      if (!wrong && found !== '\\/') continue;
      const line = this.#text.slice(0, from + index).split('\n').length;
      const what = wrong ? 'found invalid Unicode character escape code' : 'found unknown escape character';
      throw new InputError('yaml', `yaml: ${line > 1 ? `line ${line}: ` : ''}${what}`);
    }
  }

  #list(): unknown[] {
    const out: unknown[] = [];
    this.#at++;
    this.#count(1);
    while (this.#events[this.#at]!.type !== EVENT_ID.POP) out.push(this.#node());
    this.#at++;
    return out;
  }

  #mapping(): Record<string, unknown> {
    const out: Record<string, unknown> = {};
    this.#at++;
    this.#count(1);
    const seen = new Set<string>();
    while (this.#events[this.#at]!.type !== EVENT_ID.POP) {
      if (this.#isMerge()) {
        this.#at++;
        this.#merge(out);
        continue;
      }
      const key = this.#node();
      if (key !== null && typeof key === 'object') {
        throw new InputError('yaml', `yaml: invalid map key: ${goSyntax(key)}`);
      }
      if (key === null || (typeof key === 'bigint' && key >= 2n ** 63n)) {
        const type = key === null ? '%!s(<nil>)' : 'uint64';
        const shown = `unsupported map key of type: ${type}, key: ${goSyntax(key)}, value: ${goSyntax(this.#node())}`;
        throw new InputError('yaml', shown);
      }
      const name = String(key);
      const valueAt = this.#at;
      if (seen.has(name)) this.#duplicates.push(`line ${this.#line(valueAt)}: key ${goSyntax(key)} already set in map`);
      seen.add(name);
      setOwn(out, name, this.#node());
    }
    this.#at++;
    return out;
  }

  #isMerge(): boolean {
    const event = this.#events[this.#at]!;
    if (event.type !== EVENT_ID.SCALAR || event.style !== SCALAR_STYLE.PLAIN || event.tagStart >= 0) return false;
    return getScalarValue(this.#text, event) === '<<';
  }

  /** What `<<` names is set where it stands, over what came before it, as Go's parser does. */
  #merge(out: Record<string, unknown>): void {
    const value = this.#node();
    const sources = Array.isArray(value) ? value.toReversed() : [value];
    for (const source of sources) {
      if (source === null || typeof source !== 'object' || Array.isArray(source)) {
        throw new InputError('yaml', 'yaml: map merge requires map or sequence of maps as the value');
      }
      for (const [key, item] of Object.entries(source)) setOwn(out, key, item);
    }
  }

  /** One-based line of the event at an index. */
  #line(index: number): number {
    const event = this.#events[index]!;
    const marks = event as { start?: number; valueStart?: number; anchorStart?: number };
    const offset = marks.valueStart ?? marks.start ?? marks.anchorStart ?? 0;
    let line = 1;
    for (let i = this.#text.indexOf('\n'); i >= 0 && i < offset; i = this.#text.indexOf('\n', i + 1)) line++;
    return line;
  }
}

/** Go's %#v of a key. */
function goSyntax(key: unknown): string {
  if (key === null) return '<nil>';
  if (typeof key === 'string') return goQuote(key);
  if (typeof key === 'bigint' && key >= 2n ** 63n) return `0x${key.toString(16)}`;
  if (typeof key !== 'object') return String(key);
  if (Array.isArray(key)) return `[]interface {}{${key.map(goSyntax).join(', ')}}`;
  const members = Object.entries(key).map(([name, value]) => `${goQuote(name)}:${goSyntax(value)}`);
  return `map[interface {}]interface {}{${members.join(', ')}}`;
}

/** Where the first document ends, when another or an end mark follows it. */
const nextDocument = /^[\s\S]*?\n(?=(?:---|\.\.\.)(?:\s|$))/;

/** The events of the first document, of which alone anything is read: what comes behind it may be anything. */
function parseFirst(text: string): Event[] {
  try {
    return parse(text);
  } catch (error) {
    const begin = /^(?:(?:#[^\n]*|%[^\n]*)?\n)*---(?=\s)/.exec(text)?.[0].length ?? 0;
    const first = nextDocument.exec(text.slice(begin))?.[0];
    if (first === undefined) throw error;
    return parse(text.slice(0, begin) + first);
  }
}

function parse(text: string): Event[] {
  try {
    return parseEvents(text, { maxDepth: maxJsonDepth });
  } catch (error) {
    if (error instanceof RangeError) throw new InputError('yaml', 'yaml: exceeded max depth of 10000');
    if (!(error instanceof YAMLException)) throw error;
    throw new InputError('yaml', `yaml: ${goText(text, error)}`, { cause: error });
  }
}

/** Go's text of a syntax error, where js-yaml's reason says enough to know it. */
function goText(text: string, { reason, mark }: YAMLException): string {
  const line = mark?.line ?? 0;
  const rest = text.split('\n')[line]?.slice(mark?.column ?? 0) ?? '';
  const at = line > 0 ? `line ${line + 1}: ` : '';
  if (reason.includes('within a flow collection')) {
    const open = text.slice(0, text.length).match(/[[{](?=[^[{]*$)/)?.[0];
    return `line ${Math.max(line, 1)}: did not find expected ',' or '${open === '{' ? '}' : ']'}'`;
  }
  if (reason.startsWith('bad indentation of a mapping entry')) {
    if (/^[@`]/.test(rest)) return `${at}found character that cannot start any token`;
    return /^\s*[:]/.test(rest) || text.split('\n')[line]?.includes(':')
      ? `${at}mapping values are not allowed in this context`
      : `${at}did not find expected key`;
  }
  if (/^\t/.test(text.split('\n')[line] ?? '')) return `${at}found character that cannot start any token`;
  if (reason.startsWith('directive name must not be')) return `${at}could not find expected directive name`;
  if (reason.includes('within a double quoted') || reason.includes('within a single quoted')) {
    return `${at}found unexpected end of stream`;
  }
  if (reason === 'unknown escape sequence') return `${at}found unknown escape character`;
  if (reason.includes('non-printable')) return 'control characters are not allowed';
  if (reason.includes('document separator is expected')) return `${at}did not find expected <document start>`;
  if (reason.includes('nesting') || reason.includes('depth')) return 'exceeded max depth of 10000';
  return at + reason;
}
