/**
 * Validation of metadata around a kind's own rules. Every update is checked once for all kinds; most kinds check again
 * by themselves, some of them twice or thrice, and a refusal tells every finding of each: `details.causes` has them all.
 * Upstream: apiserver pkg/registry/rest/{create,update}.go; pkg/apis/core/validation ValidateObjectMeta(Update), which
 * asks more of finalizers than apimachinery's; the Validate…Update functions of pkg/apis/<group>/validation.
 */
import {
  type FieldError,
  FieldPath,
  invalidValue,
  type NameValidator,
  type ObjectMeta,
  validateObjectMeta,
  validateObjectMetaUpdate,
} from '#apimachinery';
import type { ServedResource } from '../scheme/resource.ts';

const metadataPath = FieldPath.of('metadata');

/** What a kind's own validation of an update checks: `m` as of a new object, `u` against the old one; in order. */
const ownChecks: Readonly<Record<string, string>> = {
  '/configmaps': 'um',
  '/secrets': 'um',
  '/serviceaccounts': 'um',
  '/pods': 'um',
  '/nodes': 'mu',
  '/namespaces': 'mu',
  '/limitranges': 'm',
  '/persistentvolumes': 'mm',
  '/persistentvolumeclaims': 'um',
  '/events': '',
  'apps/controllerrevisions': 'um',
  'batch/jobs': 'mu',
  'certificates.k8s.io/certificatesigningrequests': 'mu',
  'discovery.k8s.io/endpointslices': 'm',
  'networking.k8s.io/ingressclasses': 'um',
  'networking.k8s.io/ipaddresses': 'mu',
  'node.k8s.io/runtimeclasses': 'mu',
  'policy/poddisruptionbudgets': '',
  'resource.k8s.io/resourceclaims': 'mu',
  'resource.k8s.io/resourceclaimtemplates': 'mu',
  'resource.k8s.io/deviceclasses': 'mu',
  'storage.k8s.io/csinodes': 'm',
  'storage.k8s.io/csistoragecapacities': 'mu',
  'storage.k8s.io/storageclasses': 'mu',
  'storage.k8s.io/volumeattachments': 'm',
  'storage.k8s.io/volumeattributesclasses': 'um',
  'apiregistration.k8s.io/apiservices': 'um',
};
const ownChecksOfGroups: Readonly<Record<string, string>> = {
  'admissionregistration.k8s.io': 'm',
  'flowcontrol.apiserver.k8s.io': 'm',
  'rbac.authorization.k8s.io': 'mu',
};

/** Groups whose kinds are validated by apimachinery's functions, which take any qualified name as a finalizer. */
const plainFinalizers = new Set([
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'apiregistration.k8s.io',
  'coordination.k8s.io',
]);

const standardFinalizers = new Set(['kubernetes', 'orphan', 'foregroundDeletion']);

function kubeFinalizers(resource: ServedResource, { finalizers = [] }: ObjectMeta): FieldError[] {
  if (resource.custom || plainFinalizers.has(resource.group)) return [];
  return (finalizers ?? []).flatMap((name, at) => {
    if (name.includes('/') || standardFinalizers.has(name)) return [];
    const text = 'name is neither a standard finalizer name nor is it fully qualified';
    return [invalidValue(metadataPath.child('finalizers').index(at), name, text)];
  });
}

function checksOf({ group, resource }: ServedResource, subresource: string, requestGroup: string): string {
  if (resource === 'events' && requestGroup === 'events.k8s.io') return 'u';
  if (subresource === 'status' && resource !== 'certificatesigningrequests') return 'u';
  return ownChecks[`${group}/${resource}`] ?? ownChecksOfGroups[group] ?? 'u';
}

/** Metadata of a new object. */
export function validateNewMetadata(resource: ServedResource, meta: ObjectMeta, name: NameValidator): FieldError[] {
  return [...validateObjectMeta(meta, resource.namespaced, name, metadataPath), ...kubeFinalizers(resource, meta)];
}

/** Metadata of an object that replaces one with `old`. `requestGroup`: the group by which it was asked for. */
export function validateChangedMetadata(
  resource: ServedResource,
  meta: ObjectMeta,
  old: ObjectMeta,
  request: { readonly subresource: string; readonly group: string },
): FieldError[] {
  const common = [
    ...validateObjectMeta(meta, resource.namespaced, () => [], metadataPath),
    ...validateObjectMetaUpdate(meta, old, metadataPath),
  ];
  const own = [...checksOf(resource, request.subresource, request.group)].flatMap(check => [
    ...(check === 'u'
      ? validateObjectMetaUpdate(meta, old, metadataPath)
      : validateObjectMeta(meta, resource.namespaced, () => [], metadataPath)),
    ...kubeFinalizers(resource, meta),
  ]);
  return [...common, ...own];
}
