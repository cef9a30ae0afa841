/** Nodes as Go's %#v prints what it makes of them, and numbers as its strconv does. Upstream: Go's fmt and strconv. */
import { goGeneral, goQuote } from '../field.ts';
import type { YamlNode } from './node.ts';
import { isFloatNode, isMerge, scalarValue, type YamlScalar } from './scalar.ts';

/** For errors; of nodes that have been decoded, so that their aliases are known to be bounded. */
export function goSyntax(node: YamlNode): string {
  switch (node.kind) {
    case 'alias':
      return goSyntax(node.target!);
    case 'scalar':
      return scalarSyntax(node, '<nil>');
    case 'sequence':
      return `[]interface {}{${node.children.map(elementSyntax).join(', ')}}`;
    case 'mapping': {
      const members = new Map<string, Member>();
      addMembers(node, members);
      const shown = [...members.values()].sort(byKey).map(({ text, value }) => `${text}:${value}`);
      return `map[interface {}]interface {}{${shown.join(', ')}}`;
    }
  }
}

interface Member {
  readonly key: YamlScalar;
  readonly text: string;
  readonly value: string;
}

function elementSyntax(node: YamlNode): string {
  const { kind, target } = node;
  if (kind === 'alias') return elementSyntax(target!);
  return kind === 'scalar' ? scalarSyntax(node, 'interface {}(nil)') : goSyntax(node);
}

function scalarSyntax(node: YamlNode, nil: string): string {
  const value = scalarValue(node);
  if (value === null) return nil;
  if (typeof value === 'string') return goQuote(value);
  if (typeof value === 'bigint' && value >= 2n ** 63n) return `0x${value.toString(16)}`;
  if (typeof value !== 'number' || !isFloatNode(node)) return String(value);
  if (Number.isNaN(value)) return 'NaN';
  return Number.isFinite(value) ? goGeneral(value) : value > 0 ? '+Inf' : '-Inf';
}

function addMembers({ children }: YamlNode, members: Map<string, Member>): void {
  for (let i = 0; i < children.length; i += 2) {
    const [keyNode, valueNode] = [children[i]!, children[i + 1]!];
    if (isMerge(keyNode)) {
      const sources = valueNode.kind === 'sequence' ? valueNode.children.toReversed() : [valueNode];
      for (const source of sources) addMembers(source.target ?? source, members);
    } else {
      const text = elementSyntax(keyNode);
      const key = scalarValue(keyNode.target ?? keyNode);
      members.set(text, { key, text, value: elementSyntax(valueNode) });
    }
  }
}

/** Keys of one type by their values, no value before all others. */
function byKey({ key: a }: Member, { key: b }: Member): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? -1 : 1;
  const [left, right] = [typeof a, typeof b].map(type => (type === 'bigint' ? 'number' : type)) as [string, string];
  if (left !== right) return left < right ? -1 : 1;
  if (a === b) return 0;
  if (Number.isNaN(a)) return -1;
  return a < b ? -1 : 1;
}

/** A number with the fewest digits that tell it from other float32, as sigs.k8s.io/yaml makes strings of keys. */
export function formatFloat32(value: number): string {
  const single = Math.fround(value);
  if (Number.isNaN(single)) return '.nan';
  if (!Number.isFinite(single)) return single > 0 ? '.inf' : '-.inf';
  if (Object.is(single, -0)) return '-0';
  let digits = 1;
  while (digits < 9 && Math.fround(Number(single.toPrecision(digits))) !== single) digits++;
  return goGeneral(Number(single.toPrecision(digits)));
}
