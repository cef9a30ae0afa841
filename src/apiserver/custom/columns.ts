/**
 * Printer columns of custom kinds: the name, what the definition's paths lead to, or the age.
 * Upstream: apiextensions-apiserver pkg/registry/customresource/tableconvertor.
 */
import { genericTable, type KindTable } from '#api/columns';
import { humanAge } from './age.ts';

export interface PrinterColumn {
  readonly name: string;
  readonly type: string;
  readonly format?: string;
  readonly description?: string;
  readonly priority?: number;
  readonly jsonPath: string;
}

const age: PrinterColumn = {
  name: 'Age',
  type: 'date',
  description: 'Custom resource definition column (in JSONPath format): .metadata.creationTimestamp',
  jsonPath: '.metadata.creationTimestamp',
};

/** Names and indexes of a simple path: `.spec.items[0].name`, `.metadata.labels['a.b']`. */
function steps(path: string): string[] {
  const found = path.matchAll(/\.((?:\\.|[^.[\]\\])+)|\[(?:'([^']*)'|"([^"]*)"|(-?\d+))\]/g);
  return [...found].map(match => (match[1] ?? match[2] ?? match[3] ?? match[4] ?? '').replace(/\\(.)/g, '$1'));
}

function follow(value: unknown, path: readonly string[]): unknown {
  let at = value;
  for (const step of path) {
    if (at === null || typeof at !== 'object') return undefined;
    at = Array.isArray(at) ? at.at(Number(step)) : (at as Record<string, unknown>)[step];
  }
  return at;
}

/** Upstream's cellForJSONValue. */
function cell(type: string, value: unknown, nowMs: number): string | number | boolean | null {
  if (value === undefined || value === null) return null;
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null;
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      return typeof value === 'string' ? humanAge(value, nowMs) : '<invalid>';
    default:
      return typeof value === 'object' ? JSON.stringify(value) : String(value);
  }
}

export function columnsTable(columns: readonly PrinterColumn[]): KindTable {
  const shown = columns.length > 0 ? columns : [age];
  const paths = shown.map(column => steps(column.jsonPath));
  const [name] = genericTable().columns;
  return {
    columns: [
      name!,
      ...shown.map(({ name: title, type, format = '', description, priority = 0, jsonPath }) => ({
        name: title,
        type,
        format,
        description: description || `Custom resource definition column (in JSONPath format): ${jsonPath}`,
        priority,
      })),
    ],
    row(object, nowMs) {
      const { metadata } = object as { metadata?: { name?: string } };
      return {
        cells: [metadata?.name ?? '', ...shown.map(({ type }, at) => cell(type, follow(object, paths[at]!), nowMs))],
      };
    },
    emptyRows: [],
  };
}
