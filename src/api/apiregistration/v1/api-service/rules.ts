/** APIServices. Upstream: kube-aggregator pkg/apis/apiregistration/{v1,validation}, pkg/registry/apiservice. */
import {
  type FieldError,
  FieldPath,
  formatTime,
  goQuote,
  invalidValue,
  isDNS1035Label,
  isDNS1123Subdomain,
  isPathSegmentName,
  isValidPortNum,
  notSupported,
  required,
} from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import { keepAllButStatus } from '../../../strategies.ts';
import type { APIService } from '../../../types.ts';
import { type Errors, refuseEach, requireText } from '../../../validation/common.ts';

const path = FieldPath.of('spec');

function checkName(errors: Errors, service: APIService): void {
  const { group = '', version = '' } = service.spec ?? {};
  const wanted = `${version}.${group}`;
  for (const field of ['generateName', 'name'] as const) {
    const name = service.metadata[field];
    if (!name || isPathSegmentName(name).length > 0 || name === wanted) continue;
    const text = `must be \`spec.version+"."+spec.group\`: ${goQuote(wanted)}`;
    errors.push(invalidValue(FieldPath.of('metadata', field), name, text));
  }
}

function checkLocal(errors: Errors, spec: NonNullable<APIService['spec']>): void {
  if (spec.caBundle) {
    const size = `${Buffer.from(spec.caBundle, 'base64').length} bytes`;
    errors.push(invalidValue(path.child('caBundle'), size, 'local APIServices may not have a caBundle'));
  }
  if (spec.insecureSkipTLSVerify) {
    const text = 'local APIServices may not have insecureSkipTLSVerify';
    errors.push(invalidValue(path.child('insecureSkipTLSVerify'), true, text));
  }
}

function validate(service: APIService): FieldError[] {
  const errors: Errors = [];
  const spec = service.spec ?? ({} as NonNullable<APIService['spec']>);
  const { group = '', version = '', groupPriorityMinimum: minimum = 0, versionPriority: priority = 0 } = spec;
  checkName(errors, service);
  if (!group && version !== 'v1') {
    errors.push(required(path.child('group'), 'only v1 may have an empty group and it better be legacy kube'));
  }
  if (group) refuseEach(errors, path.child('group'), group, isDNS1123Subdomain(group));
  refuseEach(errors, path.child('version'), version, isDNS1035Label(version));
  if (minimum <= 0 || minimum > 20000) {
    const text = 'must be positive and less than 20000';
    errors.push(invalidValue(path.child('groupPriorityMinimum'), minimum, text));
  }
  if (priority <= 0 || priority > 1000) {
    errors.push(invalidValue(path.child('versionPriority'), priority, 'must be positive and less than 1000'));
  }
  if (!spec.service) {
    checkLocal(errors, spec);
    return errors;
  }
  requireText(errors, path.child('service', 'namespace'), spec.service.namespace);
  requireText(errors, path.child('service', 'name'), spec.service.name);
  const { port = 0 } = spec.service;
  const texts = isValidPortNum(port);
  if (texts.length > 0) {
    errors.push(invalidValue(path.child('service', 'port'), port, `port is not valid: ${texts.join(', ')}`));
  }
  if (spec.insecureSkipTLSVerify && spec.caBundle) {
    const text = 'may not be true if caBundle is present';
    errors.push(invalidValue(path.child('insecureSkipTLSVerify'), true, text));
  }
  return errors;
}

export const apiServiceRules: KindRules<APIService> = {
  defaults({ spec }) {
    if (spec?.service) spec.service.port ??= 443;
  },
  prepareCreate(draft, { nowMs }) {
    draft.status = {};
    if (draft.spec?.service) return;
    const condition = {
      type: 'Available',
      status: 'True',
      lastTransitionTime: formatTime(nowMs),
      reason: 'Local',
      message: 'Local APIServices are always available',
    };
    draft.status.conditions = [condition];
  },
  prepareStatus: keepAllButStatus,
  validate,
  validateStatus({ status }) {
    const errors: Errors = [];
    status?.conditions?.forEach((condition, i) => {
      const supported = ['True', 'False', 'Unknown'];
      if (supported.includes(condition.status)) return;
      const at = FieldPath.of('status', 'conditions').index(i).child('status');
      errors.push(notSupported(at, condition.status ?? '', supported));
    });
    return errors;
  },
  validateName: isPathSegmentName,
  allowUnconditionalUpdate: false,
};
