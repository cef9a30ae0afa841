/**
 * Every namespace has a ConfigMap `kube-root-ca.crt` with the cluster's CA, which pods mount to trust the API.
 * Upstream: pkg/controller/certificates/rootcacertpublisher/publisher.go.
 */
import { isStatusError } from '#apimachinery';
import { configMaps, createController, namespaces } from '#client';
import type { ControllerDefinition } from '../context.ts';
import { isTerminating } from '../service-account/service-account.ts';

const mapName = 'kube-root-ca.crt';
const annotations = {
  'kubernetes.io/description':
    'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.',
};

export const rootCaPublisher: ControllerDefinition = {
  name: 'root-ca-certificate-publisher-controller',
  serviceAccount: 'root-ca-cert-publisher',
  setUp(context) {
    const namespaceInformer = context.informers.informer(namespaces);
    const mapInformer = context.informers.informer(configMaps);
    const controller = createController(context, {
      name: 'root-ca-cert-publisher',
      async reconcile(namespace) {
        const data = { 'ca.crt': context.rootCa.pem };
        if (namespaceInformer.get(namespace)?.status?.phase !== 'Active') return;
        const known = mapInformer.get(`${namespace}/${mapName}`);
        const maps = context.client.resource(configMaps).namespace(namespace);
        if (!known) {
          try {
            await maps.create({ metadata: { name: mapName, namespace, annotations }, data });
          } catch (error) {
            if (!isStatusError(error, 'AlreadyExists') && !isTerminating(error)) throw error;
          }
          return;
        }
        const keys = Object.keys(known.data ?? {});
        if (keys.length === 1 && known.data?.['ca.crt'] === data['ca.crt'] && known.metadata.annotations) return;
        await maps.update({
          ...known,
          metadata: { ...known.metadata, annotations: { ...known.metadata.annotations, ...annotations } },
          data,
        });
      },
    });
    const check = (namespace: string): void => controller.queue.add(namespace);
    namespaceInformer.addHandler({
      added: object => check(object.metadata.name!),
      updated: object => check(object.metadata.name!),
    });
    const checkMap = (object: { metadata: { name?: string; namespace?: string } }): void => {
      if (object.metadata.name === mapName) check(object.metadata.namespace!);
    };
    mapInformer.addHandler({ updated: checkMap, deleted: checkMap });
    context.rootCa.onChange(() => {
      for (const { metadata } of namespaceInformer.list()) check(metadata.name!);
    });
    return controller;
  },
};
