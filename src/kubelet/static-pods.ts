/**
 * Pods from files of this node, and their mirrors in the API. Upstream: pkg/kubelet/config/{file,common}.go,
 * pkg/kubelet/pod/mirror_client.go.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isStatusError, parseYaml } from '#apimachinery';
import type { Client } from '#client';
import type { Pod } from './api-objects.ts';
import { configHashAnnotation, configMirrorAnnotation, configSourceAnnotation } from './pod-helpers.ts';
import { resources } from './resources.ts';

/** Pods of all files in a directory; a file that cannot be read is told to `failed` and skipped. */
export async function readStaticPods(
  directory: string,
  nodeName: string,
  failed: (file: string, error: unknown) => void,
): Promise<Pod[]> {
  const pods: Pod[] = [];
  for (const name of (await readdir(directory).catch(() => [])).sort()) {
    if (name.startsWith('.') || !/\.(ya?ml|json|manifest)$/.test(name)) continue;
    try {
      const pod = parseYaml(await readFile(join(directory, name), 'utf8')).value as unknown as Pod;
      if (pod.kind !== 'Pod') throw new Error(`no Pod but ${pod.kind}`);
      pods.push(staticPod(pod, nodeName));
    } catch (error) {
      failed(name, error);
    }
  }
  return pods;
}

/** With the name, uid and annotations of a static pod. The uid follows from the content. */
function staticPod(pod: Pod, nodeName: string): Pod {
  const hash = createHash('md5').update(nodeName).update(JSON.stringify(pod)).digest('hex');
  const { name, namespace = 'default', annotations } = pod.metadata;
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      name: `${name}-${nodeName}`,
      namespace,
      uid: pod.metadata.uid ?? hash,
      annotations: { ...annotations, [configHashAnnotation]: hash, [configSourceAnnotation]: 'file' },
    },
    spec: {
      restartPolicy: 'Always',
      enableServiceLinks: true,
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      ...pod.spec,
      nodeName,
    },
    status: { phase: 'Pending' },
  };
}

/** Creates the mirror where there is none, and replaces one of another version of the file. */
export async function reconcileMirror(
  client: Client,
  pod: Pod,
  mirror: Pod | undefined,
  nodeUid: string | undefined,
): Promise<void> {
  const { name = '', namespace = '', annotations } = pod.metadata;
  const hash = annotations?.[configHashAnnotation] ?? '';
  const pods = client.resource(resources.pods).namespace(namespace);
  if (
    mirror?.metadata.deletionTimestamp ||
    (mirror && mirror.metadata.annotations?.[configMirrorAnnotation] !== hash)
  ) {
    const preconditions = { uid: mirror.metadata.uid ?? '' };
    await pods.delete(name, { gracePeriodSeconds: 0, preconditions });
  } else if (mirror) return;
  const { uid: _, ...metadata } = pod.metadata;
  const ownerReferences = nodeUid
    ? [{ apiVersion: 'v1', kind: 'Node', name: pod.spec.nodeName ?? '', uid: nodeUid, controller: true }]
    : [];
  try {
    await pods.create({
      metadata: { ...metadata, ownerReferences, annotations: { ...annotations, [configMirrorAnnotation]: hash } },
      spec: pod.spec,
    });
  } catch (error) {
    if (!isStatusError(error, 'AlreadyExists')) throw error;
  }
}
