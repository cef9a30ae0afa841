/** ServiceCIDRs. Upstream: pkg/apis/networking/validation, pkg/registry/networking/servicecidr/strategy.go. */
import { append, type FieldError, FieldPath, invalidValue, isValidCIDR, parseCidr, required } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import { keepAllButStatus } from '../../../strategies.ts';
import type { ServiceCIDR } from '../../../types.ts';
import type { Errors } from '../../../validation/common.ts';
import { internalValue } from '../../../validation/internal-value.ts';

const path = FieldPath.of('spec', 'cidrs');

function checkRanges(errors: Errors, spec: ServiceCIDR['spec']): void {
  const ranges = spec?.cidrs ?? [];
  if (ranges.length === 0) {
    errors.push(required(path, 'at least one CIDR required'));
    return;
  }
  if (ranges.length > 2) {
    errors.push(invalidValue(path, internalValue('networking.ServiceCIDRSpec', spec), 'may only hold up to 2 values'));
    return;
  }
  ranges.forEach((range, i) => {
    append(errors, isValidCIDR(path.index(i), range));
  });
  const families = ranges.map(range => parseCidr(range)?.address.colons);
  if (ranges.length === 2 && families[0] !== undefined && families[0] === families[1]) {
    const text = 'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64';
    errors.push(invalidValue(path, ranges, text));
  }
}

const fixed = 'field is immutable';

function validate(service: ServiceCIDR, old: ServiceCIDR | null): FieldError[] {
  const errors: Errors = [];
  if (!old) {
    checkRanges(errors, service.spec);
    return errors;
  }
  const now = service.spec?.cidrs ?? [];
  const before = old.spec?.cidrs ?? [];
  if (now.length === before.length) {
    before.forEach((range, i) => {
      if (range !== now[i]) errors.push(invalidValue(path.index(i), now[i], fixed));
    });
  } else if (before.length === 1 && now.length === 2) {
    if (now[0] !== before[0]) errors.push(invalidValue(path.index(0), now[0], fixed));
    checkRanges(errors, service.spec);
  } else errors.push(invalidValue(path, service.spec?.cidrs ?? null, fixed));
  return errors;
}

export const serviceCIDRRules: KindRules<ServiceCIDR> = {
  validate,
  prepareStatus: keepAllButStatus,
  allowUnconditionalUpdate: true,
};
