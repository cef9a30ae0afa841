/** Refusals of admission plugins. Upstream: apiserver pkg/admission/errors.go. */
import { forbidden, goQuote, type KubeObject, type StatusError, validatePathSegmentName } from '#apimachinery';
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

/** What upstream's client says of a name that no path can hold; undefined of others. Upstream: client-go rest/request.go. */
export function pathSegmentRefusal(name: string): string | undefined {
  const wrong = validatePathSegmentName(name, false);
  return wrong.length === 0 ? undefined : `invalid resource name ${goQuote(name)}: [${wrong.join(' ')}]`;
}

/** Whether the attributes are about this resource itself, or the subresource named. */
export function isFor(attributes: AdmissionAttributes, group: string, resource: string, subresource = ''): boolean {
  const { resource: served } = attributes;
  return served.group === group && served.resource === resource && attributes.subresource === subresource;
}
