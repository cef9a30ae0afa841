/**
 * Every namespace has a ServiceAccount `default`.
 * Upstream: pkg/controller/serviceaccount/serviceaccounts_controller.go.
 */
import { isStatusError } from '#apimachinery';
import { createController, namespaces, serviceAccounts } from '#client';
import type { ControllerDefinition } from '../context.ts';

const accountName = 'default';

export const serviceAccountController: ControllerDefinition = {
  name: 'serviceaccount-controller',
  serviceAccount: 'service-account-controller',
  setUp(context) {
    const namespaceInformer = context.informers.informer(namespaces);
    const accountInformer = context.informers.informer(serviceAccounts);
    const controller = createController(context, {
      name: 'serviceaccount',
      async reconcile(namespace) {
        if (namespaceInformer.get(namespace)?.status?.phase !== 'Active') return;
        if (accountInformer.get(`${namespace}/${accountName}`)) return;
        try {
          await context.client
            .resource(serviceAccounts)
            .namespace(namespace)
            .create({ metadata: { name: accountName, namespace } });
        } catch (error) {
          // It is there already, or its namespace is going away.
          if (!isStatusError(error, 'AlreadyExists') && !isTerminating(error)) throw error;
        }
      },
    });
    const check = (namespace: string): void => controller.queue.add(namespace);
    namespaceInformer.addHandler({
      added: object => check(object.metadata.name!),
      updated: object => check(object.metadata.name!),
    });
    accountInformer.addHandler({ deleted: object => check(object.metadata.namespace!) });
    return controller;
  },
};

/** The API server refuses to create in a namespace that is being deleted. */
export function isTerminating(error: unknown): boolean {
  return (
    isStatusError(error, 'NotFound') ||
    (isStatusError(error, 'Forbidden') &&
      (error.status.details?.causes?.some(cause => cause.reason === 'NamespaceTerminating') ?? false))
  );
}
