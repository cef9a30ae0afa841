/** Refusals of admission plugins. Upstream: apiserver pkg/admission/errors.go. */
import { forbidden, type KubeObject, type StatusError } from '#apimachinery';
import type { AdmissionAttributes } from './chain.ts';

/** 403 that names the object, or, before it has a name, its generateName. */
export function admissionForbidden(
  attributes: Pick<AdmissionAttributes, 'resource' | 'name'>,
  object: { readonly metadata: KubeObject['metadata'] } | null,
  why: string,
): StatusError {
  const { group, resource } = attributes.resource;
  const name = attributes.name || object?.metadata.name || object?.metadata.generateName || 'Unknown';
  return forbidden({ group, resource }, name, why);
}

/** Whether the attributes are about this resource itself, or the subresource named. */
export function isFor(attributes: AdmissionAttributes, group: string, resource: string, subresource = ''): boolean {
  const { resource: served } = attributes;
  return served.group === group && served.resource === resource && attributes.subresource === subresource;
}
