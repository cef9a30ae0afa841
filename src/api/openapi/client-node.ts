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

/** Options are no models, but parameters of requests: where those of an options type stand in full. */
const requests: Readonly<Record<string, string>> = {
  'meta.v1.CreateOptions': 'CoreV1ApiCreateNamespacedPod',
  'meta.v1.DeleteOptions': 'CoreV1ApiDeleteNamespacedPod',
  'meta.v1.ListOptions': 'CoreV1ApiListNamespacedPod',
  'meta.v1.PatchOptions': 'CoreV1ApiPatchNamespacedPod',
  'meta.v1.UpdateOptions': 'CoreV1ApiReplaceNamespacedPod',
  'core.v1.NodeProxyOptions': 'CoreV1ApiConnectGetNodeProxy',
  'core.v1.PodAttachOptions': 'CoreV1ApiConnectGetNamespacedPodAttach',
  'core.v1.PodExecOptions': 'CoreV1ApiConnectGetNamespacedPodExec',
  'core.v1.PodLogOptions': 'CoreV1ApiReadNamespacedPodLog',
  'core.v1.PodPortForwardOptions': 'CoreV1ApiConnectGetNamespacedPodPortforward',
  'core.v1.PodProxyOptions': 'CoreV1ApiConnectGetNamespacedPodProxy',
  'core.v1.ServiceProxyOptions': 'CoreV1ApiConnectGetNamespacedServiceProxy',
};

const entities: Readonly<Record<string, string>> = {
  '&#39;': "'",
  '&#x60;': '`',
  '&#x3D;': '=',
  '&quot;': '"',
  '&lt;': '<',
  '&gt;': '>',
  '&amp;': '&',
};

/** Reads the descriptions of an options type from the parameters of a request; undefined for any other type. */
export function readRequest(folder: string, shortName: string): Descriptions | undefined {
  const request = requests[shortName];
  const path = join(folder, '..', 'types', 'ObjectParamAPI.d.ts');
  if (!request || !existsSync(path)) return undefined;
  const text = readFileSync(path, 'utf8');
  const begin = text.indexOf(`export interface ${request}Request {`);
  const body = text.slice(begin, text.indexOf('\n}', begin));
  const found = new Map<string, string>();
  for (const [, comment = '', name = ''] of body.matchAll(/ {4}\/\*\*\n {5}\* (.*)\n(?: {5}\*.*\n)+ {4}(\w+)\??: /g)) {
    const plain = comment.replace(/&(?:#39|#x60|#x3D|quot|lt|gt|amp);/g, entity => entities[entity]!);
    found.set(name.replace(/^_/, ''), unescaped(plain));
  }
  return found;
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
