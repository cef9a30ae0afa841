/**
 * Tables of custom resources, by the printer columns of their definition.
 * Upstream: apiextensions-apiserver pkg/registry/customresource/tableconvertor/tableconvertor.go.
 */
import { canonicalTime, formatTime, InputError, parseTimeMs, writeSorted } from '#apimachinery';
import type { CustomResourceColumnDefinition } from '../types.ts';
import { age, type Cell, type Row } from './cells.ts';
import { type JsonPath, JsonPathError, parseJsonPath } from './json-path.ts';

/** A column and the path of its cells. */
export interface CustomColumn {
  readonly definition: CustomResourceColumnDefinition;
  readonly path: JsonPath;
}

/** The columns up to the first whose path cannot be read, as upstream falls back. */
export function customColumns(definitions: readonly CustomResourceColumnDefinition[]): CustomColumn[] {
  const found: CustomColumn[] = [];
  for (const definition of definitions) {
    try {
      found.push({ definition, path: parseJsonPath(definition.jsonPath) });
    } catch (error) {
      if (error instanceof JsonPathError) return found;
      throw error;
    }
  }
  return found;
}

function dateCell(text: string, nowMs: number): string {
  try {
    const time = canonicalTime(text);
    return age(time && formatTime(parseTimeMs(time)), nowMs);
  } catch (error) {
    if (error instanceof InputError) return '<invalid>';
    throw error;
  }
}

/** A value as Go prints it: text as it is, anything else as JSON. */
function textCell(value: unknown): string {
  if (value === null || value === undefined) return '<no value>';
  return typeof value === 'string' ? value : writeSorted(value);
}

/** An integer that a double does not hold. */
const wideCell = (value: unknown): Cell => (typeof value === 'bigint' ? value : null);

function cell(type: string, value: unknown, nowMs: number): Cell {
  if (type === 'string') return textCell(value);
  if (type === 'integer') return typeof value === 'number' ? Math.trunc(value) : wideCell(value);
  if (type === 'number') return typeof value === 'number' ? value : wideCell(value);
  if (type === 'boolean') return typeof value === 'boolean' ? value : null;
  return type === 'date' && typeof value === 'string' ? dateCell(value, nowMs) : null;
}

function find(path: JsonPath, object: object): unknown[] {
  try {
    return path.find(object);
  } catch (error) {
    if (error instanceof JsonPathError) return [];
    throw error;
  }
}

/** Name, then a cell for each column; null where the path finds nothing or something of another type. */
export function customRow(columns: readonly CustomColumn[], object: object, nowMs: number): Row {
  const { metadata } = object as { metadata?: { name?: string } };
  const cells = columns.map(({ definition, path }) => {
    const found = find(path, object);
    return found.length === 0 ? null : cell(definition.type, found[0], nowMs);
  });
  return { cells: [metadata?.name ?? '', ...cells] };
}
