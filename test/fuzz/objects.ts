/**
 * Objects to begin from: upstream's golden data where it stands beside the repository, and objects made from the type
 * tables, of every kind that is served.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ResourceFacts } from '#api/kind';
import { builtinTypes, resources } from '#api/tables';
import type { TypeNode } from '#apimachinery';
import { referenceFolder } from '../reference.ts';
import type { Dice } from './dice.ts';
import { strangeText } from './strange-values.ts';

export interface Subject {
  readonly facts: ResourceFacts;
  readonly apiVersion: string;
  readonly golden: object | undefined;
}

export function subjects(): Subject[] {
  const reference = referenceFolder();
  return resources
    .filter(({ verbs }) => verbs.includes('create'))
    .map(facts => {
      const { group, version, kind } = facts;
      const file =
        reference && join(reference, 'kubernetes-v1.36', 'golden', `${group || 'core'}.${version}.${kind}.json`);
      const golden = file && existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as object) : undefined;
      return { facts, apiVersion: group === '' ? version : `${group}/${version}`, golden };
    });
}

/** An object of the kind: the golden one, or one of chance. */
export function objectOf(subject: Subject, dice: Dice): object {
  return subject.golden && dice.chance(0.5) ? subject.golden : madeObject(subject, dice);
}

/** One of chance that has the right types nearly everywhere. */
export function madeObject(subject: Subject, dice: Dice): object {
  const made = madeOf(builtinTypes.struct(subject.facts.typeName), dice, 0) as object;
  return { ...made, apiVersion: subject.apiVersion, kind: subject.facts.kind, metadata: { labels: { a: 'b' } } };
}

const words = ['a', 'web', 'x-1', 'example.com/a', 'Always', 'TCP', 'ClusterIP', '1', '80'];
const word = (dice: Dice): string => (dice.chance(0.95) ? dice.pick(words) : strangeText(dice));

function madeOf(node: TypeNode, dice: Dice, depth: number): unknown {
  switch (node.kind) {
    case 'scalar':
      return scalarOf(node.type, dice);
    case 'any':
      return dice.pick([{}, 'x', 1]);
    case 'list':
      return Array.from({ length: depth > 6 ? 0 : dice.below(3) }, () => madeOf(node.element, dice, depth + 1));
    case 'map': {
      const entries = Array.from({ length: depth > 6 ? 0 : dice.below(3) }, () => [
        word(dice),
        madeOf(node.element, dice, depth + 1),
      ]);
      return Object.fromEntries(entries);
    }
    case 'struct': {
      const out: Record<string, unknown> = {};
      for (const [name, field] of node.fields) {
        const share = field.required ? 0.95 : depth > 5 ? 0.02 : 0.25;
        if (name !== 'metadata' && dice.chance(share)) out[name] = madeOf(field.node, dice, depth + 1);
      }
      return out;
    }
  }
}

function scalarOf(type: string, dice: Dice): unknown {
  switch (type) {
    case 'boolean':
      return dice.chance(0.5);
    case 'int32':
    case 'int64':
      return dice.pick([0, 1, 2, 80, 8080, 100_000]);
    case 'double':
      return dice.pick([0, 0.5, 1e9]);
    case 'quantity':
      return dice.pick(['1', '100m', '1Gi', '0.5', '1e3']);
    case 'time':
      return '2026-01-01T00:00:00Z';
    case 'microtime':
      return '2026-01-01T00:00:00.000000Z';
    case 'duration':
      return '1m30s';
    case 'intOrString':
      return dice.pick([1, '50%', 'http']);
    case 'bytes':
      return 'aGVsbG8=';
    case 'fieldsV1':
    case 'rawExtension':
      return { a: 1 };
    default:
      return word(dice);
  }
}
