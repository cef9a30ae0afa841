/**
 * What the messages of gnostic's two OpenAPI schemas have in common: optional scalars, named entries, free values as
 * YAML. Messages are written from their end, so fields go by descending number. Upstream: google/gnostic-models.
 */
import type { WireWriter } from '#apimachinery';

export type Node = Readonly<Record<string, unknown>>;
export type Write = (writer: WireWriter) => void;

/** A nested message. */
export function message(writer: WireWriter, number: number, write: Write): void {
  const before = writer.length;
  write(writer);
  writer.varint(writer.length - before);
  writer.varint((number << 3) | 2);
}

export function text(writer: WireWriter, number: number, value: unknown): void {
  if (typeof value !== 'string' || value === '') return;
  writer.text(value);
  writer.varint((number << 3) | 2);
}

export function flag(writer: WireWriter, number: number, value: unknown): void {
  if (value !== true) return;
  writer.byte(1);
  writer.varint(number << 3);
}

export function number64(writer: WireWriter, number: number, value: unknown): void {
  if (typeof value !== 'number' || value === 0) return;
  writer.int64(value);
  writer.varint(number << 3);
}

export function double(writer: WireWriter, number: number, value: unknown): void {
  if (typeof value !== 'number' || value === 0) return;
  writer.double(value);
  writer.varint((number << 3) | 1);
}

export function texts(writer: WireWriter, number: number, values: unknown): void {
  for (const value of ((values as readonly string[] | undefined) ?? []).toReversed()) {
    writer.text(value);
    writer.varint((number << 3) | 2);
  }
}

/** Entries of an object, as messages of name and value. */
export function named(writer: WireWriter, number: number, entries: readonly (readonly [string, Write])[]): void {
  for (const [name, write] of entries.toReversed()) {
    message(writer, number, inner => {
      message(inner, 2, write);
      text(inner, 1, name);
    });
  }
}

export function entriesOf(node: unknown): [string, unknown][] {
  return Object.entries((node as Node | undefined) ?? {});
}

const plainText = /^[A-Za-z_/][A-Za-z0-9_./+,-]*( [A-Za-z0-9_./+,-]+)*$/;
const wordsOfYaml = /^(y|n|yes|no|on|off|true|false|null)$/i;

/** A scalar as YAML writes it. */
function scalarYaml(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  if (plainText.test(value) && !wordsOfYaml.test(value)) return value;
  return /^[ -~]+$/.test(value) ? `'${value.replaceAll("'", "''")}'` : JSON.stringify(value);
}

/** A value as YAML: objects and lists in blocks, as far as the extensions go; anything deeper as JSON, which YAML reads. */
function toYaml(value: unknown, indent = ''): string {
  if (value === null || typeof value !== 'object') return `${scalarYaml(value)}\n`;
  const lines = Array.isArray(value)
    ? value.map(each => `${indent}- ${toYaml(each, `${indent}  `).trimStart()}`)
    : entriesOf(value).map(([key, each]) => {
        const nested = each !== null && typeof each === 'object' && Object.keys(each).length > 0;
        const deeper = Array.isArray(each) ? indent : `${indent}  `;
        return `${indent}${scalarYaml(key)}:${nested ? `\n${toYaml(each, deeper)}` : ` ${toYaml(each)}`}`;
      });
  if (lines.length === 0) return Array.isArray(value) ? '[]\n' : '{}\n';
  return lines.join('');
}

export function any(value: unknown): Write {
  return writer => text(writer, 2, toYaml(value));
}

export function extensions(writer: WireWriter, number: number, node: Node): void {
  const found = Object.entries(node).filter(([key]) => key.startsWith('x-'));
  named(
    writer,
    number,
    found.map(([key, value]) => [key, any(value)]),
  );
}
