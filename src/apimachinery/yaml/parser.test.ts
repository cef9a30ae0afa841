import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { YamlNode } from './node.ts';
import { parse } from './parser.ts';
import { readSource } from './source.ts';

/** The nodes as one line: `(` and `)` of mappings, `[` and `]` of sequences. */
function outline(text: string): string {
  const open: string[] = [];
  const out: string[] = [];
  parse(readSource(text), {
    add({ kind, value, tag, implicit }: YamlNode, anchor: string): void {
      const properties = `${anchor && `&${anchor} `}${tag && `<${tag}> `}`;
      if (kind === 'mapping' || kind === 'sequence') {
        out.push(`${properties}${kind === 'mapping' ? '(' : '['}`);
        open.push(kind === 'mapping' ? ')' : ']');
      } else out.push(`${properties}${kind === 'alias' ? `*${value}` : implicit ? value || '_' : `'${value}'`}`);
    },
    end(): void {
      out.push(open.pop()!);
    },
  });
  return out.join(' ');
}

test('nodes come in the order in which they begin', () => {
  const rows: readonly (readonly [string, string])[] = [
    ['', ''],
    ['---', '_'],
    ['a', 'a'],
    ['a: b\nc:\n- d\n-\ne: "f"', "( a b c [ d _ ] e 'f' )"],
    ['? a\n? b\n: c', '( a _ b c )'],
    ['[a, b: c, ? d, {e, f: }]', '[ a ( b c ) ( d _ ) ( e _ f _ ) ]'],
    ['&a !!str b: *a', "( &a <tag:yaml.org,2002:str> 'b' *a )"],
    ['- !<x> a\n- ! b\n- !!c\n- &d', "[ <x> 'a' <!> b <tag:yaml.org,2002:c> '' &d _ ]"],
    ['%TAG !e! y:\n--- !e!f [a]', '<y:f> [ a ]'],
    ['a\n---\nb', 'a'],
    ['[a] b', '[ a ]'],
  ];
  for (const [text, want] of rows) assert.equal(outline(text), want, JSON.stringify(text));
});

test('faults are told with the line before, the first two lines without or as the first', () => {
  const rows: readonly (readonly [string, string])[] = [
    ['a: [b', "line 1: did not find expected ',' or ']'"],
    ['[a', "line 1: did not find expected ',' or ']'"],
    ['{a', "line 1: did not find expected ',' or '}'"],
    ['[a }', "did not find expected ',' or ']'"],
    ['[,]', 'did not find expected node content'],
    ['- a\nb: c', "line 1: did not find expected '-' indicator"],
    ['a: b\n- c', 'line 1: did not find expected key'],
    ['!a!b c', 'found undefined tag handle'],
    ['...', 'did not find expected node content'],
    ['%YAML 1.2\n---', 'found incompatible YAML document'],
    ['%YAML 1.1\n%YAML 1.1\n---', 'line 1: found duplicate %YAML directive'],
    ['%TAG ! a\n%TAG ! b\n---', 'line 1: found duplicate %TAG directive'],
    ['%YAML 1.1\na', 'line 1: did not find expected <document start>'],
  ];
  for (const [text, problem] of rows) {
    assert.throws(() => outline(text), { code: 'yaml', message: `yaml: ${problem}` }, JSON.stringify(text));
  }
});

test('what nests deeply is parsed without recursion', () => {
  assert.equal(outline('['.repeat(10000) + ']'.repeat(10000)).length, 39999);
});
