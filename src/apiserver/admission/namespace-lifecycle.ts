/**
 * Nothing new in a namespace that does not exist or is being deleted; some namespaces are for ever.
 * Upstream: apiserver pkg/admission/plugin/namespace/lifecycle/admission.go.
 */
import { notFound, StatusError } from '#apimachinery';
import type { AdmissionPlugin } from './chain.ts';
import { admissionForbidden } from './errors.ts';
import type { Lookup } from './lookup.ts';

const immortal = new Set(['default', 'kube-system', 'kube-public']);
const reviews = new Set(['localsubjectaccessreviews']);

export function namespaceLifecycle(lookup: Lookup): AdmissionPlugin {
  return {
    name: 'NamespaceLifecycle',
    handles: ({ operation }) => operation !== 'CONNECT',
    async admit(attributes, draft) {
      const { operation, namespace, resource, name } = attributes;
      const isNamespace = resource.group === '' && resource.resource === 'namespaces';
      if (operation === 'DELETE' && isNamespace && immortal.has(name)) {
        throw admissionForbidden(attributes, null, 'this namespace may not be deleted');
      }
      if (namespace === '' || isNamespace || operation === 'DELETE') return;
      if (reviews.has(resource.resource)) return;
      const found = await lookup.get('', 'namespaces', '', namespace);
      if (!found) throw notFound({ group: '', resource: 'namespaces' }, namespace);
      const phase = (found['status'] as { phase?: string } | undefined)?.phase;
      if (operation !== 'CREATE' || phase !== 'Terminating') return;
      const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
      const error = admissionForbidden(attributes, draft, why);
      const cause = {
        reason: 'NamespaceTerminating',
        message: `namespace ${namespace} is being terminated`,
        field: 'metadata.namespace',
      };
      throw new StatusError({ ...error.status, details: { ...error.status.details, causes: [cause] } });
    },
  };
}
