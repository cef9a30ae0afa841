/**
 * Reads descriptions out of the declarations of @kubernetes/client-node, which carries those of upstream's API as doc
 * comments. Used where the build has not yet made an artefact of them, and by the build itself.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Descriptions of one definition: its own under the empty name, those of its fields under theirs. */
export type Descriptions = ReadonlyMap<string, string>;

/** The folder of the models; undefined where the package is not installed. */
export function modelsFolder(): string | undefined {
  try {
    const main = createRequire(import.meta.url).resolve('@kubernetes/client-node');
    const folder = join(dirname(main), 'gen', 'models');
    return existsSync(folder) ? folder : undefined;
  } catch {
    return undefined;
  }
}

/** The generator of the package escapes quotes, and what would end a comment. */
function unescaped(text: string): string {
  return text
    .replace(/\\(['"\\])/g, '$1')
    .replaceAll('*_/', '*/')
    .replaceAll('/_*', '/*')
    .trim();
}

/** The model's name without the words that tell namesakes apart: `V1Pod` of `core.v1.Pod`. */
export function usualModel(shortName: string): string {
  const [version = '', kind = ''] = shortName.split('.').slice(-2);
  return version.slice(0, 1).toUpperCase() + version.slice(1) + kind;
}

/** Reads one model; undefined when there is none. */
export function readModel(folder: string, model: string): Descriptions | undefined {
  const path = join(folder, `${model}.d.ts`);
  if (!existsSync(path)) return undefined;
  const text = readFileSync(path, 'utf8');
  const found = new Map<string, string>();
  const own = text.match(/\/\*\*\n\* (.*)\n\*\/\nexport declare class /);
  if (own) found.set('', unescaped(own[1]!));
  for (const [, comment, name] of text.matchAll(/(?: {4}\/\*\*\n {4}\* (.*)\n {4}\*\/\n)? {4}'([^']+)'\??: /g)) {
    found.set(name!.replace(/^_/, ''), comment === undefined ? '' : unescaped(comment));
  }
  return found;
}
