/**
 * Descriptions of definitions and fields, for OpenAPI and for the columns of tables. They come from the artefact that
 * the build makes (`descriptions.json` beside the bundle), else from @kubernetes/client-node where it is installed, one
 * definition when it is first asked for; where there is neither they are empty.
 *
 * Deviation: client-node has no description of a field whose type is another definition; that definition's own is
 * shown in its place.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { builtinTypes, shortDefinitionName } from '../tables.ts';
import { type Descriptions, modelsFolder, readModel, readRequest, usualModel } from './client-node.ts';
import { lineBreaks, modelNames } from './descriptions.gen.ts';

const artefact = 'descriptions.json';

type Built = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Where the descriptions come from; immutable once it is read. */
class DescriptionSource {
  readonly #known = new Map<string, Descriptions>();
  #breaks: ReadonlyMap<string, string> | undefined;
  #built: Built | undefined;
  #folder: string | null | undefined;

  of(definition: string): Descriptions {
    let found = this.#known.get(definition);
    if (!found) {
      found = this.#read(definition);
      this.#known.set(definition, found);
    }
    return found;
  }

  #read(definition: string): Descriptions {
    const short = shortDefinitionName(definition) ?? '';
    if (this.#folder === undefined) this.#open();
    if (this.#built) return new Map(Object.entries(this.#built[short] ?? {}));
    const folder = this.#folder;
    if (!folder) return new Map();
    const model = readModel(folder, modelNames[short] ?? usualModel(short)) ?? readRequest(folder, short);
    if (!model) return new Map();
    return new Map([...model].map(([field, text]) => [field, this.#broken(field ? `${short}.${field}` : short, text)]));
  }

  #open(): void {
    const path = join(import.meta.dirname, artefact);
    if (existsSync(path)) this.#built = JSON.parse(readFileSync(path, 'utf8')) as Built;
    this.#folder = this.#built ? null : (modelsFolder() ?? null);
  }

  /** Puts the line breaks back. */
  #broken(key: string, text: string): string {
    this.#breaks ??= new Map(
      lineBreaks
        .trim()
        .split('\n')
        .map(line => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]),
    );
    const offsets = this.#breaks.get(key);
    if (offsets === undefined) return text;
    const chars = [...Array(text.length).keys()].map(at => text[at]!);
    let at = 0;
    for (const step of offsets.split(' ')) {
      at += Number.parseInt(step, 36);
      if (chars[at] === ' ') chars[at] = '\n';
    }
    return chars.join('');
  }
}

const source = new DescriptionSource();

const conventions = 'https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md';

/** How most kinds describe their metadata. */
const usualTexts: Readonly<Record<string, string>> = {
  'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta': `Standard object's metadata. More info: ${conventions}#metadata`,
  'io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta': `Standard list metadata. More info: ${conventions}#types-kinds`,
};

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';

/** Definitions that are no models there, in words of our own. */
const scalarTexts: Readonly<Record<string, string>> = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity':
    'Quantity is a number that may have a decimal (m, k, M, G …) or a binary (Ki, Mi, Gi …) suffix or an exponent.',
  'io.k8s.apimachinery.pkg.runtime.RawExtension': 'RawExtension is an object of any kind.',
  [`${meta}Duration`]: 'Duration is a length of time, as 1h30m.',
  [`${meta}FieldsV1`]: 'FieldsV1 is a set of fields: a tree whose keys name fields, items of lists and values.',
  [`${meta}MicroTime`]: 'MicroTime is an instant with microseconds, in RFC 3339.',
  [`${meta}Patch`]: 'Patch is the body of a PATCH request.',
  [`${meta}Time`]: 'Time is an instant with seconds, in RFC 3339.',
};
const intOrString = 'io.k8s.apimachinery.pkg.util.intstr.IntOrString';

/** The description of a definition, or of one of its fields; empty when it is not known. */
export function describe(definition: string, field = ''): string {
  if (field === '' && definition === intOrString) return describe('io.k8s.api.core.v1.ServicePort', 'targetPort');
  const text = source.of(definition).get(field);
  if (text || field === '' || !builtinTypes.has(definition)) return text ?? scalarTexts[definition] ?? '';
  const node = builtinTypes.struct(definition).fields.get(field)?.node;
  if (node?.kind !== 'struct') return '';
  return usualTexts[node.name] ?? describe(node.name);
}

/** All descriptions of the definitions named, as the build keeps them: by short name, then by field. */
export function collectDescriptions(definitions: readonly string[]): Record<string, Record<string, string>> {
  const all: Record<string, Record<string, string>> = {};
  for (const definition of definitions) {
    const found = source.of(definition);
    if (found.size > 0) all[shortDefinitionName(definition)!] = Object.fromEntries(found);
  }
  return all;
}
