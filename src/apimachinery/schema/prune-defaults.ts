/**
 * Defaults as they are filled in: without what the schema around them does not know, and with their object metas as the
 * built-in type reads them. A definition may have been stored with others.
 * Upstream: apiextensions-apiserver pkg/apiserver/schema/defaulting/{prune,surroundingobject}.go.
 */
import { setOwn } from '../json/set-own.ts';
import { equalValues } from '../managed-fields/typed.ts';
import { coerceMetadata } from './embedded-meta.ts';
import type { Structural } from './json-schema.ts';
import { pruneUnknown } from './prune.ts';
import type { StructNode } from './type-node.ts';

/** Where a default stands: the smallest object that holds it there, and how it is found in such a one. */
interface Place {
  wrap(value: unknown): unknown;
  find(object: unknown): unknown;
}

const root: Place = { wrap: value => value, find: object => object };

function member(place: Place, name: string): Place {
  return {
    wrap: value => {
      const holder: Record<string, unknown> = {};
      setOwn(holder, name, value);
      return place.wrap(holder);
    },
    find: object => (place.find(object) as Readonly<Record<string, unknown>> | undefined)?.[name],
  };
}

function item(place: Place): Place {
  return {
    wrap: value => place.wrap([value]),
    find: object => (place.find(object) as readonly unknown[] | undefined)?.[0],
  };
}

/** The schema of a whole resource; itself when there is nothing to prune. `objectMeta`: the built-in type. */
export function withPrunedDefaults(schema: Structural, objectMeta: StructNode): Structural {
  const pruned = (value: unknown, place: Place): unknown => {
    const coerced = coerceMetadata(place.wrap(value), schema, { objectMeta, root: true, dropInvalid: true }).value;
    const found = place.find(pruneUnknown(coerced, schema, true).value);
    return equalValues(found, value) ? value : found;
  };
  const walk = (part: Structural, place: Place): Structural => {
    let out = part;
    const set = (change: Partial<Structural>): void => {
      out = { ...out, ...change };
    };
    if (part.default !== undefined) {
      const value = pruned(part.default, place);
      if (value !== part.default) set({ default: value });
    }
    if (typeof part.additional === 'object') {
      const additional = walk(part.additional, member(place, '*'));
      if (additional !== part.additional) set({ additional });
    }
    if (part.items) {
      const items = walk(part.items, item(place));
      if (items !== part.items) set({ items });
    }
    for (const [name, property] of part.properties) {
      const next = walk(property, member(place, name));
      if (next !== property) set({ properties: new Map(out.properties).set(name, next) });
    }
    return out;
  };
  return walk(schema, root);
}
