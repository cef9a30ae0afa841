/**
 * Reads the reference facts (`--reference DIR`, the folder that holds `kubernetes-v1.36/`) and the facts kept beside
 * this script. Nothing here interprets them; see model.ts.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** One property or definition of the Swagger 2.0 document. */
export interface Swagger {
  readonly type?: string;
  readonly description?: string;
  readonly format?: string;
  readonly $ref?: string;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Swagger>>;
  readonly items?: Swagger;
  readonly additionalProperties?: Swagger;
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-patch-strategy'?: string;
  readonly 'x-kubernetes-patch-merge-key'?: string;
  readonly 'x-kubernetes-map-type'?: string;
  readonly 'x-kubernetes-group-version-kind'?: readonly { group: string; version: string; kind: string }[];
}

/** The Swagger 2.0 document, as far as the generator reads it. */
export interface SwaggerDocument {
  readonly parameters: Readonly<Record<string, { readonly name: string; readonly description?: string }>>;
  readonly paths: Readonly<
    Record<
      string,
      { readonly delete?: { readonly responses?: Readonly<Record<string, { readonly schema?: Swagger }>> } }
    >
  >;
  readonly definitions: Readonly<Record<string, Swagger>>;
}

/** One line of `protobuf-fields.tsv`. */
export interface ProtobufField {
  readonly message: string;
  readonly number: number;
  readonly field: string;
  readonly label: string;
  readonly type: string;
}

/** The folder with the reference: the argument, or `../shared/reference` of this or a parent folder. Throws when there is none. */
export function findReference(argument: string | undefined): string {
  if (argument) return resolve(argument);
  const shared = process.env['KOBUNE_SHARED'];
  if (shared) return join(resolve(shared), 'reference');
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    const candidate = join(folder, 'shared', 'reference');
    if (existsSync(join(candidate, 'kubernetes-v1.36'))) return candidate;
  }
  throw new Error('no reference: give --reference DIR, or set KOBUNE_SHARED');
}

/** Lines of a tab-separated file, without its heading. */
export function readTable(path: string): string[][] {
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines
    .slice(1)
    .filter(line => line !== '')
    .map(line => line.split('\t'));
}

/** Reads the Swagger document. */
export function readSwagger(reference: string): SwaggerDocument {
  return JSON.parse(readFileSync(join(reference, 'kubernetes-v1.36', 'openapi-v2.json'), 'utf8')) as SwaggerDocument;
}

/** Reads the protobuf field table. */
export function readProtobufFields(reference: string): ProtobufField[] {
  return readTable(join(reference, 'kubernetes-v1.36', 'protobuf-fields.tsv')).map(
    ([message = '', number = '', field = '', label = '', type = '']) => ({
      message,
      number: Number(number),
      field,
      label,
      type,
    }),
  );
}

/** Reads a fact file that stands beside this script. */
export function readFacts(name: string): string[][] {
  return readTable(join(import.meta.dirname, 'facts', name));
}
