/**
 * What the nodes of a document mean, as JSON: merge keys are followed, keys made strings, keys that came twice reported
 * by line, aliases bounded. Upstream: go.yaml.in/yaml/v2 decode.go (decoder), sigs.k8s.io/yaml yaml.go.
 * Deviation: the aliases of a YAML text may add 16 million characters and values to it; upstream bounds the values only.
 */
import { InputError } from '../input-error.ts';
import { maxJsonDepth, setOwn } from '../json/index.ts';
import { formatFloat32, goSyntax } from './go-syntax.ts';
import type { YamlNode } from './node.ts';
import { isFloatNode, isMerge, scalarValue, type YamlScalar } from './scalar.ts';

export interface YamlReadResult {
  /** JSON: keys are strings, an empty text is null. Integers beyond 2^53 are bigint. */
  readonly value: unknown;
  /** `line 7: key "a" already set in map` …; the last of several values counts. */
  readonly duplicates: readonly string[];
}

/** Throws InputError `yaml` with Go's text. */
export function decode(root: YamlNode): YamlReadResult {
  return new Decoder().decode(root);
}

/** Aliases may add so many characters and values to what the text itself holds. */
const maxAliased = 16_000_000;

/** The share of values that may come from aliases: small texts are free to use them, large ones are not. */
function allowedAliasShare(count: number): number {
  const [low, high] = [400_000, 4_000_000];
  if (count <= low) return 0.99;
  return count >= high ? 0.1 : 0.99 - 0.89 * ((count - low) / (high - low));
}

const wrong = (problem: string): InputError => new InputError('yaml', problem);

/** What a key is called in JSON, and whether it is held as a double. */
interface Naming {
  readonly name: string;
  readonly isFloat: boolean;
}

/** A mapping that is being filled, by its own keys and by those merged into it. */
class Mapping {
  readonly value: Record<string, unknown> = {};
  /** Each key with its type, once one came that is no string: 1 and "1" are two keys to Go. */
  #typed: Set<string> | undefined;

  /** Sets a key that is a string, as most are. False when it was set before. */
  setText(key: string, value: unknown): boolean {
    const { value: into } = this;
    // No value is undefined, but what every object has is not.
    const fresh =
      this.#typed === undefined ? into[key] === undefined || !Object.hasOwn(into, key) : this.#isFresh(key, key, false);
    setOwn(into, key, value);
    return fresh;
  }

  /** The same with any key. */
  set(key: YamlScalar, { name, isFloat }: Naming, value: unknown): boolean {
    const fresh = this.#isFresh(key, name, isFloat);
    setOwn(this.value, name, value);
    return fresh;
  }

  #isFresh(key: YamlScalar, name: string, isFloat: boolean): boolean {
    if (this.#typed === undefined) {
      if (typeof key === 'string') return !Object.hasOwn(this.value, name);
      this.#typed = new Set(Object.keys(this.value).map(each => `string ${each}`));
    }
    const id = `${isFloat ? 'float' : typeof key} ${key}`;
    const fresh = !this.#typed.has(id);
    this.#typed.add(id);
    return fresh || Number.isNaN(key);
  }
}

class Decoder {
  readonly #duplicates: string[] = [];
  /** Aliases that are being read. */
  readonly #open = new Set<YamlNode>();
  #depth = 0;
  #count = 1;
  #aliasCount = 0;
  #aliasDepth = 0;
  #aliased = 0;
  /** Objects with a key that JSON does not have; told of once everything is decoded, if they are still part of it. */
  readonly #keyFaults = new Map<unknown, string>();
  #hasInfinite = false;

  decode(root: YamlNode): YamlReadResult {
    const value = this.#node(root);
    if (this.#keyFaults.size > 0) this.#checkKeys(value);
    if (this.#hasInfinite) checkFinite(value);
    return { value, duplicates: this.#duplicates };
  }

  #countNode(node: YamlNode): void {
    this.#count++;
    if (this.#aliasDepth > 0) this.#countAliased(node);
  }

  #countAliased({ value }: YamlNode): void {
    this.#aliasCount++;
    this.#aliased += 1 + value.length;
    const excessive =
      this.#aliasCount > 100 && this.#count > 1000 && this.#aliasCount / this.#count > allowedAliasShare(this.#count);
    if (excessive || this.#aliased > maxAliased) throw wrong('yaml: document contains excessive aliasing');
  }

  #node(node: YamlNode): unknown {
    this.#countNode(node);
    switch (node.kind) {
      case 'scalar': {
        const value = scalarValue(node);
        if (typeof value === 'number' && !Number.isFinite(value)) this.#hasInfinite = true;
        return value;
      }
      case 'alias':
        return this.#alias(node, target => this.#node(target));
      case 'mapping': {
        const mapping = new Mapping();
        this.#mapping(node, mapping);
        return mapping.value;
      }
      case 'sequence': {
        this.#enter();
        const items: unknown[] = [];
        for (const child of node.children) items.push(this.#node(child));
        this.#depth--;
        return items;
      }
    }
  }

  /** Throws the fault of the outermost object that has one. */
  #checkKeys(value: unknown): void {
    if (value === null || typeof value !== 'object') return;
    const fault = this.#keyFaults.get(value);
    if (fault !== undefined) throw wrong(fault);
    for (const item of Object.values(value)) this.#checkKeys(item);
  }

  #enter(): void {
    if (++this.#depth > maxJsonDepth) throw wrong('yaml: exceeded max depth of 10000');
  }

  #alias<T>(node: YamlNode, read: (target: YamlNode) => T): T {
    if (this.#open.has(node)) throw wrong(`yaml: anchor '${node.value}' value contains itself`);
    this.#open.add(node);
    this.#aliasDepth++;
    const value = read(node.target!);
    this.#aliasDepth--;
    this.#open.delete(node);
    return value;
  }

  #mapping({ children }: YamlNode, into: Mapping): void {
    this.#enter();
    for (let i = 0; i < children.length; i += 2) {
      const keyNode = children[i]!;
      const valueNode = children[i + 1]!;
      if (isMerge(keyNode)) this.#merge(valueNode, into);
      else if (!this.#textMember(keyNode, valueNode, into)) this.#member(keyNode, valueNode, into);
    }
    this.#depth--;
  }

  /** Reads a member whose key is a string. False, with nothing read, of others. */
  #textMember(keyNode: YamlNode, valueNode: YamlNode, into: Mapping): boolean {
    if (keyNode.kind !== 'scalar') return false;
    const key = scalarValue(keyNode);
    if (typeof key !== 'string') return false;
    this.#countNode(keyNode);
    if (!into.setText(key, this.#node(valueNode))) this.#addDuplicate(keyNode, valueNode);
    return true;
  }

  #addDuplicate(keyNode: YamlNode, { line }: YamlNode): void {
    this.#duplicates.push(`line ${line + 1}: key ${goSyntax(keyNode)} already set in map`);
  }

  #member(keyNode: YamlNode, valueNode: YamlNode, into: Mapping): void {
    const infinite = this.#hasInfinite;
    const key = this.#node(keyNode) as YamlScalar | object;
    this.#hasInfinite = infinite;
    if (key !== null && typeof key === 'object') throw wrong(`yaml: invalid map key: ${goSyntax(keyNode)}`);
    const value = this.#node(valueNode);
    if (key === null || (typeof key === 'bigint' && key >= 2n ** 63n)) {
      const type = key === null ? '%!s(<nil>)' : 'uint64';
      const shown = `key: ${goSyntax(keyNode)}, value: ${goSyntax(valueNode)}`;
      this.#keyFaults.set(into.value, `unsupported map key of type: ${type}, ${shown}`);
    }
    const isFloat = typeof key === 'number' && isFloatNode(keyNode);
    const name = isFloat ? formatFloat32(key) : String(key);
    if (!into.set(key, { name, isFloat }, value)) this.#addDuplicate(keyNode, valueNode);
  }

  /** What `<<` names is set where it stands, over what came before it. */
  #merge(node: YamlNode, into: Mapping): void {
    const sources = node.kind === 'sequence' ? node.children.toReversed() : [node];
    for (const source of sources) {
      const mapping = source.kind === 'alias' ? source.target! : source;
      if (mapping.kind !== 'mapping') throw wrong('yaml: map merge requires map or sequence of maps as the value');
      this.#countNode(source);
      if (source === mapping) this.#mapping(mapping, into);
      else {
        this.#alias(source, target => {
          this.#countNode(target);
          this.#mapping(target, into);
        });
      }
    }
  }
}

/** Throws Go's text for the first number that JSON cannot hold, in the order in which Go would write them. */
function checkFinite(value: unknown): void {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw wrong(`json: unsupported value: ${Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'}`);
  }
  if (Array.isArray(value)) for (const item of value) checkFinite(item);
  else if (value !== null && typeof value === 'object') {
    const members = value as Readonly<Record<string, unknown>>;
    for (const key of Object.keys(members).sort()) checkFinite(members[key]);
  }
}
