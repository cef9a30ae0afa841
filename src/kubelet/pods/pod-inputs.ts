/**
 * What a pod's containers need from the API besides the pod: runtime handler, pull secrets, trust bundles.
 * Upstream: pkg/kubelet/kubelet_pods.go, pkg/kubelet/runtimeclass, pkg/kubelet/clustertrustbundle.
 */
import { isStatusError } from '#apimachinery';
import type { Client, EventRecorder } from '#client';
import type { Pod, RuntimeClass, Secret } from '../api-objects.ts';
import { podRef } from '../events.ts';
import { resources } from '../resources.ts';

export interface PodInputDeps {
  readonly client: Client;
  readonly recorder: EventRecorder;
  runtimeClass(name: string): RuntimeClass | undefined;
}

/** The handler that the pod's RuntimeClass names; the empty string is the default one. Rejects for an unknown class. */
export async function runtimeHandler(deps: PodInputDeps, pod: Pod): Promise<string> {
  const name = pod.spec.runtimeClassName;
  if (!name) return '';
  const known = deps.runtimeClass(name) ?? (await deps.client.resource(resources.runtimeClasses).get(name));
  return known.handler;
}

/** The pod's imagePullSecrets that there are; the others are told in one event. */
export async function pullSecrets(
  deps: PodInputDeps,
  secret: (namespace: string, name: string) => Promise<Secret>,
  pod: Pod,
): Promise<readonly Secret[]> {
  const found: Secret[] = [];
  const missing: string[] = [];
  for (const { name } of pod.spec.imagePullSecrets ?? []) {
    if (!name) continue;
    try {
      found.push(await secret(pod.metadata.namespace ?? '', name));
    } catch {
      missing.push(name);
    }
  }
  if (missing.length > 0) {
    const message = `Unable to retrieve some image pull secrets (${missing.join(', ')}); attempting to pull the image may not succeed.`;
    deps.recorder.eventAbout(podRef(pod), 'Warning', 'FailedToRetrieveImagePullSecret', message);
  }
  return found;
}

/** Certificates of a bundle by name, or of all of a signer, each once; undefined when there are none. */
export async function trustBundle(
  client: Client,
  source: { readonly name?: string; readonly signerName?: string; readonly labelSelector?: object },
): Promise<string | undefined> {
  const bundles = client.resource(resources.trustBundles);
  type Bundle = { readonly spec?: { readonly trustBundle?: string; readonly signerName?: string } };
  if (source.name) {
    const found = (await bundles.get(source.name).catch(error => {
      if (isStatusError(error, 'NotFound')) return undefined;
      throw error;
    })) as Bundle | undefined;
    return found?.spec?.trustBundle;
  }
  const { items } = await bundles.list({ fieldSelector: `spec.signerName=${source.signerName ?? ''}` });
  const pems = items.map(item => (item as unknown as Bundle).spec?.trustBundle ?? '');
  return pems.length > 0 ? [...new Set(pems)].join('') : undefined;
}
