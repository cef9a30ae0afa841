/** IngressClasses. Upstream: pkg/apis/networking/{v1/defaults.go,validation}, pkg/registry/networking/ingressclass. */
import {
  append,
  byteLength,
  type FieldError,
  FieldPath,
  forbiddenField,
  isDNS1123Subdomain,
  isDomainPrefixedPath,
  isPathSegmentName,
  nameIsDNSLabel,
  notSupported,
  required,
  tooLong,
} from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { IngressClass, IngressClassParametersReference } from '../../../types.ts';
import { checkImmutable, type Errors, refuseEach, requireText } from '../../../validation/common.ts';

const path = FieldPath.of('spec');
const maxController = 250;

function checkParameters(errors: Errors, at: FieldPath, parameters: IngressClassParametersReference): void {
  const { apiGroup, scope, namespace } = parameters;
  if (apiGroup !== undefined) refuseEach(errors, at.child('apiGroup'), apiGroup, isDNS1123Subdomain(apiGroup));
  for (const name of ['kind', 'name'] as const) {
    const value = parameters[name];
    if (requireText(errors, at.child(name), value)) refuseEach(errors, at.child(name), value, isPathSegmentName(value));
  }
  if (scope === undefined) {
    errors.push(required(at.child('scope')));
    return;
  }
  const own = at.child('namespace');
  if (scope === 'Namespace') {
    if (namespace === undefined) errors.push(required(own, "`parameters.scope` is set to 'Namespace'"));
    else refuseEach(errors, own, namespace, nameIsDNSLabel(namespace, false));
  } else if (scope === 'Cluster') {
    if (namespace !== undefined) errors.push(forbiddenField(own, "`parameters.scope` is set to 'Cluster'"));
  } else errors.push(notSupported(at.child('scope'), scope, ['Cluster', 'Namespace']));
}

export const ingressClassRules: KindRules<IngressClass> = {
  defaults({ spec }) {
    if (spec?.parameters) spec.parameters.scope ??= 'Cluster';
  },
  validate({ spec }, old): FieldError[] {
    const errors: Errors = [];
    const controller = spec?.controller ?? '';
    const at = path.child('controller');
    if (old) checkImmutable(errors, at, controller, old.spec?.controller ?? '');
    if (byteLength(controller) > maxController) errors.push(tooLong(at, maxController));
    append(errors, isDomainPrefixedPath(at, controller));
    if (spec?.parameters) checkParameters(errors, path.child('parameters'), spec.parameters);
    return errors;
  },
  generation: true,
  allowUnconditionalUpdate: true,
};
