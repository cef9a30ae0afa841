/** Names of kinds and of resources. Upstream: apimachinery pkg/runtime/schema/group_version.go. */
import { InputError } from './input-error.ts';

/** `group` is empty for the core group. */
export interface GroupVersion {
  readonly group: string;
  readonly version: string;
}
export interface GroupVersionKind extends GroupVersion {
  readonly kind: string;
}
/** `resource` is the lower-case plural that stands in paths. */
export interface GroupVersionResource extends GroupVersion {
  readonly resource: string;
}

/** `v1` for the core group, `group/version` otherwise. */
export function apiVersionOf(gv: GroupVersion): string {
  return gv.group === '' ? gv.version : `${gv.group}/${gv.version}`;
}

/** The inverse of {@link apiVersionOf}. Throws InputError `json` when there is more than one slash. */
export function parseApiVersion(apiVersion: string): GroupVersion {
  const parts = apiVersion.split('/');
  if (parts.length === 1) return { group: '', version: parts[0]! };
  if (parts.length === 2) return { group: parts[0]!, version: parts[1]! };
  throw new InputError('json', `unexpected GroupVersion string: ${apiVersion}`);
}

/** Path under which a group version is served: `/api/v1` or `/apis/<group>/<version>`. */
export function groupVersionPath(gv: GroupVersion): string {
  return gv.group === '' ? `/api/${gv.version}` : `/apis/${gv.group}/${gv.version}`;
}

/** `resource.group`, or `resource` in the core group: how upstream's messages name a resource. */
export function groupResourceText(gr: { readonly group: string; readonly resource: string }): string {
  return gr.group === '' ? gr.resource : `${gr.resource}.${gr.group}`;
}
