/**
 * Descriptions of definitions and fields, for OpenAPI and for the columns of tables. They come from the artefact that
 * the build makes (`descriptions.json` beside the bundle), else from the packages that carry them where these are
 * installed, one definition when it is first asked for; where there is neither they are empty.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { shortDefinitionName } from '../tables.ts';
import { readRequest, requestsFolder } from './client-node.ts';
import { lineBreaks } from './descriptions.gen.ts';
import { type Descriptions, type ModelFolders, modelFolders, readModel } from './models.ts';

const artefact = 'descriptions.json';

type Built = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Where the descriptions come from; immutable once it is read. */
class DescriptionSource {
  readonly #known = new Map<string, Descriptions>();
  #breaks: ReadonlyMap<string, string> | undefined;
  #built: Built | undefined;
  #models: ModelFolders | undefined;
  #requests: string | undefined;
  #opened = false;

  of(definition: string): Descriptions {
    let found = this.#known.get(definition);
    if (!found) {
      found = this.#read(definition);
      this.#known.set(definition, found);
    }
    return found;
  }

  #read(definition: string): Descriptions {
    if (!this.#opened) this.#open();
    if (this.#built) return new Map(Object.entries(this.#built[definition] ?? {}));
    const model = this.#models && readModel(this.#models, definition);
    if (model) return model;
    const short = shortDefinitionName(definition) ?? '';
    const found = new Map<string, string>();
    const request = this.#requests ? readRequest(this.#requests, short) : undefined;
    for (const [field, text] of request ?? []) found.set(field, this.#broken(`${short}.${field}`, text));
    return found;
  }

  #open(): void {
    this.#opened = true;
    const path = join(import.meta.dirname, artefact);
    if (existsSync(path)) this.#built = JSON.parse(readFileSync(path, 'utf8')) as Built;
    else {
      this.#models = modelFolders();
      this.#requests = requestsFolder();
    }
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

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
/** No package has the options of reads; what upstream says of their one field it says of lists in the same words. */
const alike: Readonly<Record<string, string>> = { [`${meta}GetOptions`]: `${meta}ListOptions` };

/** The description of a definition, or of one of its fields; empty when it is not known. */
export function describe(definition: string, field = ''): string {
  return source.of((field !== '' && alike[definition]) || definition).get(field) ?? '';
}

/** All descriptions of the definitions named, as the build keeps them: by definition, then by field. */
export function collectDescriptions(definitions: readonly string[]): Record<string, Record<string, string>> {
  const all: Record<string, Record<string, string>> = {};
  for (const definition of definitions) {
    const found = source.of(definition);
    if (found.size > 0) all[definition] = Object.fromEntries(found);
  }
  return all;
}
