/**
 * The nodes of a document put together: each into the one that it stands in, aliases to what they name.
 * Upstream: go.yaml.in/yaml/v2 decode.go (parser).
 */
import { InputError } from '../input-error.ts';
import type { YamlNode } from './node.ts';
import { type NodeHandler, parse } from './parser.ts';
import type { YamlSource } from './source.ts';

/** The first document's node; undefined when there is none. Throws InputError `yaml` with Go's text. */
export function compose(source: YamlSource): YamlNode | undefined {
  const composer = new Composer();
  parse(source, composer);
  return composer.root;
}

class Composer implements NodeHandler {
  root: YamlNode | undefined;
  /** The sequences and mappings that are open, but for the innermost one. */
  readonly #outer: (YamlNode | undefined)[] = [];
  #innermost: YamlNode | undefined;
  readonly #anchors = new Map<string, YamlNode>();

  add(node: YamlNode, anchor: string): void {
    if (anchor !== '') this.#anchors.set(anchor, node);
    if (this.#innermost === undefined) this.root ??= node;
    else this.#innermost.children.push(node);
    if (node.kind === 'alias') this.#resolve(node);
    else if (node.kind !== 'scalar') {
      this.#outer.push(this.#innermost);
      this.#innermost = node;
    }
  }

  end(): void {
    this.#innermost = this.#outer.pop();
  }

  #resolve(alias: YamlNode): void {
    alias.target = this.#anchors.get(alias.value);
    if (alias.target === undefined) throw new InputError('yaml', `yaml: unknown anchor '${alias.value}' referenced`);
  }
}
