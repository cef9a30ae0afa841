/**
 * The parser of YAML 1.1 in the design of libyaml: tokens become nodes, step by step, by a table of states; nesting is a
 * stack of states and no recursion. Only the first document of a text is parsed.
 * Upstream: go.yaml.in/yaml/v2 parserc.go, which gives the grammar that each state stands for.
 */
import { InputError } from '../input-error.ts';
import type { YamlNode } from './node.ts';
import { Scanner } from './scan/scanner.ts';
import type { Token, TokenKind } from './scan/token.ts';
import type { YamlSource } from './source.ts';

/** Takes the nodes in the order in which they begin. */
export interface NodeHandler {
  /** A node, whose name for aliases is empty if it has none. What a sequence or mapping holds follows, then its end. */
  add(node: YamlNode, anchor: string): void;
  /** Of the innermost sequence or mapping that is open. */
  end(): void;
}

/** What stands before the content of a node; each empty for none. */
interface Properties {
  readonly anchor: string;
  readonly tag: string;
}
const noProperties: Properties = { anchor: '', tag: '' };

/** What scalars and aliases hold. */
const none: never[] = [];

type State =
  | 'document content'
  | 'document end'
  | 'block node'
  | 'block sequence entry'
  | 'indentless sequence entry'
  | 'block mapping key'
  | 'block mapping value'
  | 'first flow sequence entry'
  | 'flow sequence entry'
  | 'flow pair key'
  | 'flow pair value'
  | 'flow pair end'
  | 'first flow mapping key'
  | 'flow mapping key'
  | 'flow mapping value'
  | 'flow mapping empty value';

const documentEdges: ReadonlySet<TokenKind> = new Set<TokenKind>([
  'version directive',
  'tag directive',
  'document start',
  'document end',
  'stream end',
]);

/** The tokens that begin sequences and mappings, and what is read behind them. */
interface Collection {
  readonly kind: 'sequence' | 'mapping';
  readonly state: State;
  /** Not within brackets. */
  readonly inBlock: boolean;
}
const collections: ReadonlyMap<TokenKind, Collection> = new Map<TokenKind, Collection>([
  ['flow sequence start', { kind: 'sequence', state: 'first flow sequence entry', inBlock: false }],
  ['flow mapping start', { kind: 'mapping', state: 'first flow mapping key', inBlock: false }],
  ['block sequence start', { kind: 'sequence', state: 'block sequence entry', inBlock: true }],
  ['block mapping start', { kind: 'mapping', state: 'block mapping key', inBlock: true }],
]);

/** Which nodes may stand at a place. */
interface NodePlace {
  readonly block: boolean;
  readonly indentless?: boolean;
}
const inFlow: NodePlace = { block: false };
const inBlock: NodePlace = { block: true };
const inBlockMapping: NodePlace = { block: true, indentless: true };

/** A parser's faults name lines counted from 0, and not the first. */
function fail(problem: string, { line }: Token): never {
  throw new InputError('yaml', `yaml: ${line > 0 ? `line ${line}: ` : ''}${problem}`);
}

/** Parses the first document of the source. Throws InputError `yaml` with Go's text. */
export function parse(source: YamlSource, handler: NodeHandler): void {
  new Parser(source, handler).run();
}

class Parser {
  readonly #scanner: Scanner;
  readonly #handler: NodeHandler;
  #state: State = 'block node';
  /** Where to go on behind the nodes that are open. */
  readonly #states: State[] = [];
  /** What the handles of tags stand for. */
  readonly #handles = new Map<string, string>();

  constructor(source: YamlSource, handler: NodeHandler) {
    this.#scanner = new Scanner(source);
    this.#handler = handler;
  }

  run(): void {
    this.#scanner.peek();
    this.#scanner.drop();
    if (!this.#startDocument()) return;
    while (this.#state !== 'document end') Parser.#steps[this.#state](this);
    // The token behind the document is looked at, and may not be one.
    this.#scanner.peek();
  }

  /** What each state reads. */
  static readonly #steps: Readonly<Record<Exclude<State, 'document end'>, (parser: Parser) => void>> = {
    'document content': parser => parser.#documentContent(),
    'block node': parser => parser.#node(inBlock),
    'block sequence entry': parser => parser.#blockSequenceEntry(),
    'indentless sequence entry': parser => parser.#indentlessSequenceEntry(),
    'block mapping key': parser => parser.#blockMappingKey(),
    'block mapping value': parser => parser.#blockMappingValue(),
    'first flow sequence entry': parser => parser.#flowSequenceEntry(true),
    'flow sequence entry': parser => parser.#flowSequenceEntry(false),
    'flow pair key': parser => parser.#flowPairKey(),
    'flow pair value': parser => parser.#flowValue('flow sequence end', 'flow pair end'),
    'flow pair end': parser => parser.#flowPairEnd(),
    'first flow mapping key': parser => parser.#flowMappingKey(true),
    'flow mapping key': parser => parser.#flowMappingKey(false),
    'flow mapping value': parser => parser.#flowValue('flow mapping end', 'flow mapping key'),
    'flow mapping empty value': parser => parser.#flowMappingEmptyValue(),
  };

  /** Removes a token and answers the one behind it. */
  #after(): Token {
    this.#scanner.drop();
    return this.#scanner.peek();
  }

  #pop(): void {
    this.#state = this.#states.pop() ?? 'document end';
  }

  /** A node that goes on with the state once it is read. */
  #nodeThen(state: State, place: NodePlace): void {
    this.#states.push(state);
    this.#node(place);
  }

  /** The node that nothing stands for. */
  #empty(line: number): void {
    this.#scalar(line, noProperties, '', true);
  }

  #scalar(line: number, { anchor, tag }: Properties, value: string, implicit: boolean): void {
    this.#handler.add({ kind: 'scalar', line, tag, value, implicit, children: none, target: undefined }, anchor);
  }

  #collection(kind: 'sequence' | 'mapping', line: number, { anchor, tag }: Properties): void {
    this.#handler.add({ kind, line, tag, value: '', implicit: false, children: [], target: undefined }, anchor);
  }

  /** Closes the sequence or mapping, whose last token this is. */
  #close(): void {
    this.#pop();
    this.#handler.end();
    this.#scanner.drop();
  }

  // Documents.

  /** False when there is none. */
  #startDocument(): boolean {
    const token = this.#scanner.peek();
    if (token.kind === 'stream end') return false;
    const isExplicit = token.kind !== 'document end' && documentEdges.has(token.kind);
    const start = this.#readDirectives();
    if (!isExplicit) return true;
    if (start.kind !== 'document start') fail('did not find expected <document start>', start);
    this.#state = 'document content';
    this.#scanner.drop();
    return true;
  }

  #documentContent(): void {
    const { kind, line } = this.#scanner.peek();
    if (documentEdges.has(kind)) {
      this.#pop();
      this.#empty(line);
    } else this.#node(inBlock);
  }

  #readDirectives(): Token {
    let token = this.#scanner.peek();
    for (let versions = 0; ; token = this.#after()) {
      if (token.kind === 'version directive') {
        if (versions++ > 0) fail('found duplicate %YAML directive', token);
        if (token.value !== '1.1') fail('found incompatible YAML document', token);
      } else if (token.kind === 'tag directive') {
        if (this.#handles.has(token.value)) fail('found duplicate %TAG directive', token);
        this.#handles.set(token.value, token.suffix);
      } else break;
    }
    if (!this.#handles.has('!')) this.#handles.set('!', '!');
    if (!this.#handles.has('!!')) this.#handles.set('!!', 'tag:yaml.org,2002:');
    return token;
  }

  // Nodes.

  #node(place: NodePlace): void {
    const first = this.#scanner.peek();
    const { kind, line, value } = first;
    if (kind === 'alias') {
      this.#pop();
      const alias: YamlNode = { kind, line, tag: '', value, implicit: false, children: none, target: undefined };
      this.#handler.add(alias, '');
      this.#scanner.drop();
      return;
    }
    const properties = kind === 'anchor' || kind === 'tag' ? this.#properties(first) : noProperties;
    this.#content(line, properties, place);
  }

  #properties(first: Token): Properties {
    let anchor = '';
    let tag: Token | undefined;
    for (let token = first; ; token = this.#after()) {
      if (token.kind === 'anchor' && anchor === '') anchor = token.value;
      else if (token.kind === 'tag' && tag === undefined) tag = token;
      else break;
    }
    return { anchor, tag: tag === undefined ? '' : this.#resolveTag(tag) };
  }

  #resolveTag(token: Token): string {
    if (token.value === '') return token.suffix;
    const prefix = this.#handles.get(token.value);
    if (prefix === undefined) fail('found undefined tag handle', token);
    return prefix + token.suffix;
  }

  /** The node that begins in the line, of which the properties are read. */
  #content(line: number, properties: Properties, { block, indentless }: NodePlace): void {
    const token = this.#scanner.peek();
    const { tag, anchor } = properties;
    const collection = collections.get(token.kind);
    if (collection !== undefined && (block || !collection.inBlock)) {
      this.#state = collection.state;
      this.#collection(collection.kind, line, properties);
      this.#scanner.drop();
      return;
    }
    if (token.kind === 'block entry' && indentless) {
      this.#state = 'indentless sequence entry';
      this.#collection('sequence', line, properties);
      return;
    }
    if (token.kind === 'scalar') {
      this.#pop();
      this.#scalar(line, properties, token.value, tag === '' ? token.plain : tag === '!');
      this.#scanner.drop();
      return;
    }
    if (anchor === '' && tag === '') fail('did not find expected node content', token);
    this.#pop();
    this.#scalar(line, properties, '', tag === '');
  }

  // Blocks.

  #blockSequenceEntry(): void {
    const token = this.#scanner.peek();
    if (token.kind === 'block end') {
      this.#close();
      return;
    }
    if (token.kind !== 'block entry') fail("did not find expected '-' indicator", token);
    const { kind } = this.#after();
    if (kind !== 'block entry' && kind !== 'block end') {
      this.#nodeThen('block sequence entry', inBlock);
      return;
    }
    this.#empty(token.line);
  }

  /** A sequence that stands no deeper than the key that it belongs to. */
  #indentlessSequenceEntry(): void {
    const token = this.#scanner.peek();
    if (token.kind !== 'block entry') {
      this.#pop();
      this.#handler.end();
      return;
    }
    const { kind } = this.#after();
    if (kind !== 'block entry' && kind !== 'key' && kind !== 'value' && kind !== 'block end') {
      this.#nodeThen('indentless sequence entry', inBlock);
      return;
    }
    this.#empty(token.line);
  }

  #blockMappingKey(): void {
    const token = this.#scanner.peek();
    if (token.kind === 'block end') {
      this.#close();
      return;
    }
    if (token.kind !== 'key') fail('did not find expected key', token);
    this.#blockMappingNode(token, 'block mapping value');
  }

  #blockMappingValue(): void {
    const token = this.#scanner.peek();
    if (token.kind === 'value') {
      this.#blockMappingNode(token, 'block mapping key');
      return;
    }
    this.#state = 'block mapping key';
    this.#empty(token.line);
  }

  /** What stands behind a `?` or `:`, perhaps nothing. */
  #blockMappingNode(indicator: Token, then: State): void {
    const { kind } = this.#after();
    if (kind !== 'key' && kind !== 'value' && kind !== 'block end') {
      this.#nodeThen(then, inBlockMapping);
      return;
    }
    this.#state = then;
    this.#empty(indicator.line);
  }

  // Brackets.

  #flowSequenceEntry(first: boolean): void {
    let token = this.#scanner.peek();
    if (token.kind !== 'flow sequence end' && !first) {
      if (token.kind !== 'flow entry') fail("did not find expected ',' or ']'", token);
      token = this.#after();
    }
    if (token.kind === 'flow sequence end') {
      this.#close();
      return;
    }
    if (token.kind !== 'key') {
      this.#nodeThen('flow sequence entry', inFlow);
      return;
    }
    this.#state = 'flow pair key';
    this.#collection('mapping', token.line, noProperties);
    this.#scanner.drop();
  }

  /** The key of a pair that stands in a sequence. */
  #flowPairKey(): void {
    const { kind, line } = this.#scanner.peek();
    if (kind !== 'value' && kind !== 'flow entry' && kind !== 'flow sequence end') {
      this.#nodeThen('flow pair value', inFlow);
      return;
    }
    // Upstream takes the indicator for the key's own.
    this.#scanner.drop();
    this.#state = 'flow pair value';
    this.#empty(line);
  }

  #flowValue(close: TokenKind, then: State): void {
    let token = this.#scanner.peek();
    if (token.kind === 'value') {
      token = this.#after();
      if (token.kind !== 'flow entry' && token.kind !== close) {
        this.#nodeThen(then, inFlow);
        return;
      }
    }
    this.#state = then;
    this.#empty(token.line);
  }

  #flowPairEnd(): void {
    this.#scanner.peek();
    this.#state = 'flow sequence entry';
    this.#handler.end();
  }

  /** A key without a colon. */
  #flowMappingEmptyValue(): void {
    this.#state = 'flow mapping key';
    this.#empty(this.#scanner.peek().line);
  }

  #flowMappingKey(first: boolean): void {
    let token = this.#scanner.peek();
    if (token.kind !== 'flow mapping end' && !first) {
      if (token.kind !== 'flow entry') fail("did not find expected ',' or '}'", token);
      token = this.#after();
    }
    if (token.kind === 'flow mapping end') {
      this.#close();
      return;
    }
    if (token.kind !== 'key') {
      this.#nodeThen('flow mapping empty value', inFlow);
      return;
    }
    const { kind, line } = this.#after();
    if (kind !== 'value' && kind !== 'flow entry' && kind !== 'flow mapping end') {
      this.#nodeThen('flow mapping value', inFlow);
      return;
    }
    this.#state = 'flow mapping value';
    this.#empty(line);
  }
}
