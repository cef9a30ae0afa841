/**
 * A ClusterTrustBundle of the signer `kubernetes.io/kube-apiserver-serving` holds whom the cluster's servers are believed
 * by; those of before are deleted. Where the API serves the kind. Upstream:
 * pkg/controller/certificates/clustertrustbundlepublisher/publisher.go.
 */
import { createHash } from 'node:crypto';
import { isStatusError, type KubeObject } from '#apimachinery';
import { createController, type ResourceName } from '#client';
import type { ControllerDefinition } from '../context.ts';

const signerName = 'kubernetes.io/kube-apiserver-serving';

interface ClusterTrustBundle extends KubeObject {
  readonly spec?: { readonly signerName?: string; readonly trustBundle?: string };
}

/** Named after what it holds, so that a changed one is another object. */
export function bundleName(signer: string, pem: string): string {
  const digest = createHash('sha256').update(pem).digest('hex').slice(0, 24);
  return `${signer.replaceAll('/', ':')}:${digest}`;
}

/** `version` is the one that is served: v1beta1, or v1alpha1 where that alone is. */
export function clusterTrustBundlePublisher(version: string): ControllerDefinition {
  const bundles: ResourceName<ClusterTrustBundle> = {
    group: 'certificates.k8s.io',
    version,
    resource: 'clustertrustbundles',
    kind: 'ClusterTrustBundle',
    namespaced: false,
  };
  return {
    name: 'kube-apiserver-serving-clustertrustbundle-publisher-controller',
    serviceAccount: 'kube-apiserver-serving-clustertrustbundle-publisher',
    setUp(context) {
      const informer = context.informers.informer(bundles);
      const controller = createController(context, {
        name: 'ca_cert_publisher_cluster_trust_bundles',
        async reconcile() {
          const { pem } = context.rootCa;
          const name = bundleName(signerName, pem);
          const client = context.client.resource(bundles);
          const known = informer.get(name);
          const spec = { signerName, trustBundle: pem };
          if (!known) await client.create({ metadata: { name }, spec });
          else if (known.spec?.trustBundle !== pem) await client.update({ ...known, spec });
          for (const { metadata, spec } of informer.list()) {
            if (spec?.signerName !== signerName || metadata.name === name) continue;
            await client.delete(metadata.name!).catch(error => {
              if (!isStatusError(error, 'NotFound')) throw error;
            });
          }
        },
      });
      const check = (): void => controller.queue.add('');
      informer.addHandler({ added: check, updated: check, deleted: check });
      context.rootCa.onChange(check);
      check();
      return controller;
    },
  };
}
