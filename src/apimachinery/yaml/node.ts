/** The nodes of a YAML document. Upstream: go.yaml.in/yaml/v2 decode.go (node). */

export type YamlNodeKind = 'scalar' | 'mapping' | 'sequence' | 'alias';

export interface YamlNode {
  readonly kind: YamlNodeKind;
  /** Where it begins, counted from 0. */
  readonly line: number;
  /** With its handle resolved; empty for none. */
  readonly tag: string;
  /** A scalar's text, or an alias's name. */
  readonly value: string;
  /** The scalar says by itself what it means: it has neither quotes nor a tag. */
  readonly implicit: boolean;
  /** The items of a sequence; keys and values in turn of a mapping. */
  readonly children: YamlNode[];
  /** What an alias names, which may hold the alias. */
  target: YamlNode | undefined;
}
