/**
 * Reads the descriptions of options out of the declarations of @kubernetes/client-node: options are no models, but
 * parameters of requests, and carry upstream's texts as doc comments there.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Descriptions } from './models.ts';

/** The folder of the requests' types; undefined where the package is not installed. */
export function requestsFolder(): string | undefined {
  try {
    const main = createRequire(import.meta.url).resolve('@kubernetes/client-node');
    const folder = join(dirname(main), 'gen', 'types');
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

/** Where those of an options type stand in full. */
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
  const path = join(folder, 'ObjectParamAPI.d.ts');
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
