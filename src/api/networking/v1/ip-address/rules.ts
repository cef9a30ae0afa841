/** IPAddresses. Upstream: pkg/apis/networking/validation, pkg/registry/networking/ipaddress/strategy.go. */
import { type FieldError, FieldPath, isDNS1123Subdomain, isPathSegmentName, isValidIP, required } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { IPAddress } from '../../../types.ts';
import { checkImmutable, type Errors, refuseEach, requireText } from '../../../validation/common.ts';
import { internalValue } from '../../../validation/internal-value.ts';

const path = FieldPath.of('spec', 'parentRef');

function validate(address: IPAddress, old: IPAddress | null): FieldError[] {
  const errors: Errors = [];
  const parent = address.spec?.parentRef;
  if (!parent) errors.push(required(path));
  else {
    if (parent.group) refuseEach(errors, path.child('group'), parent.group, isDNS1123Subdomain(parent.group));
    for (const name of ['resource', 'name'] as const) {
      const value = parent[name];
      if (requireText(errors, path.child(name), value)) {
        refuseEach(errors, path.child(name), value, isPathSegmentName(value));
      }
    }
    const { namespace } = parent;
    if (namespace) refuseEach(errors, path.child('namespace'), namespace, isPathSegmentName(namespace));
  }
  if (!old) return errors;
  const type = 'networking.ParentReference';
  const changed: Errors = [];
  checkImmutable(changed, path, internalValue(type, parent), internalValue(type, old.spec?.parentRef));
  return [...errors, ...changed];
}

export const ipAddressRules: KindRules<IPAddress> = {
  validate,
  // The text of one refusal without the value in front.
  validateName: name =>
    isValidIP(FieldPath.root, name).map(error => error.body.slice(`Invalid value: ${JSON.stringify(name)}: `.length)),
  allowUnconditionalUpdate: true,
};
