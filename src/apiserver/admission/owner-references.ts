/**
 * Who names an owner must be allowed to delete the object, and, to block the owner's deletion, to finalize the owner.
 * Off by default. Upstream: plugin/pkg/admission/gc/gc_admission.go.
 */
import { type KubeObject, type OwnerReference, parseApiVersion, semanticEqual } from '#apimachinery';
import type { AuthorizationAttributes, Authorizer } from '../authorization/authorizer.ts';
import type { Scheme } from '../scheme/scheme.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './chain.ts';
import { admissionForbidden } from './errors.ts';

/** Subresources that do not write metadata. Upstream: pluginInitializer's white list. */
const exempt = new Set(['pods/status', 'pods/binding', 'pods/eviction']);

export function ownerReferencesPermissionEnforcement(authorizer: Authorizer, scheme: Scheme): AdmissionPlugin {
  return {
    name: 'OwnerReferencesPermissionEnforcement',
    handles: ({ operation, resource, subresource }) =>
      (operation === 'CREATE' || operation === 'UPDATE') &&
      !(resource.group === '' && exempt.has(`${resource.resource}/${subresource}`)),
    async validate(attributes, object) {
      const now = object?.metadata.ownerReferences ?? [];
      const before = attributes.old?.metadata.ownerReferences ?? [];
      if (semanticEqual(now, before)) return;
      const { requested, subresource, name } = attributes;
      if (attributes.operation === 'UPDATE') {
        const { group, version, resource } = requested;
        const deleting = { verb: 'delete', group, version, resource, subresource, name };
        const { decision, reason } = await authorizer.authorize(question(attributes, deleting));
        if (decision !== 'allow') {
          const why = `cannot set an ownerRef on a resource you can't delete: ${reason}, <nil>`;
          throw admissionForbidden(attributes, object, why);
        }
      }
      await mayBlock(attributes, object!, now, before);
      return undefined;
    },
  };

  async function mayBlock(
    attributes: AdmissionAttributes,
    object: KubeObject,
    now: readonly OwnerReference[],
    before: readonly OwnerReference[],
  ): Promise<void> {
    const blocked = new Set(before.filter(each => each.blockOwnerDeletion).map(each => each.uid));
    const fresh = now.filter(each => each.blockOwnerDeletion && !blocked.has(each.uid));
    if (fresh.length === 0) return;
    const anything = { verb: 'update', group: '*', version: '*', resource: '*', subresource: 'finalizers', name: '*' };
    const all = await authorizer.authorize({ ...question(attributes, anything), namespace: '' });
    if (all.decision === 'allow') return;
    for (const each of fresh) {
      const { group, version } = parseApiVersion(each.apiVersion);
      const owner = scheme.ofKind({ group, version, kind: each.kind });
      if (!owner) {
        const why = `no matches for kind ${JSON.stringify(each.kind)} in version ${JSON.stringify(each.apiVersion)}`;
        const text = `cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion ${each.apiVersion} Kind ${each.kind}: ${why}`;
        throw admissionForbidden(attributes, object, text);
      }
      const finalizing = { verb: 'update', group, version, resource: owner.resource, subresource: 'finalizers' };
      const asked = question(attributes, { ...finalizing, name: each.name });
      const namespace = owner.namespaced ? attributes.namespace : '';
      const { decision, reason } = await authorizer.authorize({ ...asked, namespace });
      if (decision === 'allow') continue;
      const text = `cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: ${reason}, <nil>`;
      throw admissionForbidden(attributes, object, text);
    }
  }
}

type Asked = Pick<AuthorizationAttributes, 'verb' | 'group' | 'version' | 'resource' | 'subresource' | 'name'>;

function question({ user, namespace }: AdmissionAttributes, asked: Asked): AuthorizationAttributes {
  return { user, namespace, isResourceRequest: true, path: '', fieldSelector: '', labelSelector: '', ...asked };
}
