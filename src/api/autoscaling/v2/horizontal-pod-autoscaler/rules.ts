/** HorizontalPodAutoscalers. Upstream: pkg/apis/autoscaling/{v2/defaults.go,validation}, pkg/registry/autoscaling. */
import {
  type Draft,
  type FieldError,
  FieldPath,
  forbiddenField,
  goQuote,
  invalidValue,
  isPathSegmentName,
  notSupported,
  parseQuantity,
  required,
} from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import { keepSpec } from '../../../strategies.ts';
import type {
  CrossVersionObjectReference,
  HorizontalPodAutoscaler,
  HPAScalingRules,
  MetricIdentifier,
  MetricSpec,
  MetricTarget,
} from '../../../types.ts';
import { checkDNSLabel, checkNonnegative, type Errors, refuseEach, requireText } from '../../../validation/common.ts';
import { checkContainerResourceName } from '../../../validation/resources.ts';

const path = FieldPath.of('spec');

interface ReferenceOptions {
  readonly allowEmptyGroup: boolean;
  readonly allowInvalid: boolean;
}

function versionRefusal(version: string, allowEmptyGroup: boolean): string | undefined {
  const slashes = version.split('/').length - 1;
  if (slashes > 1) return `unexpected GroupVersion string: ${version}`;
  const group = slashes === 1 ? version.slice(0, version.indexOf('/')) : '';
  return allowEmptyGroup || group ? undefined : 'apiVersion must specify API group';
}

function checkReference(
  errors: Errors,
  at: FieldPath,
  reference: Partial<CrossVersionObjectReference>,
  options: ReferenceOptions,
): void {
  for (const name of ['kind', 'name'] as const) {
    const value = reference[name];
    if (requireText(errors, at.child(name), value)) refuseEach(errors, at.child(name), value, isPathSegmentName(value));
  }
  const version = reference.apiVersion ?? '';
  const refusal = options.allowInvalid ? undefined : versionRefusal(version, options.allowEmptyGroup);
  if (refusal) errors.push(invalidValue(at.child('apiVersion'), version, refusal));
}

function checkTarget(errors: Errors, at: FieldPath, target: MetricTarget): void {
  const { type = '', value, averageValue, averageUtilization } = target;
  if (!type) errors.push(required(at.child('type'), 'must specify a metric target type'));
  if (!['Utilization', 'Value', 'AverageValue'].includes(type)) {
    errors.push(invalidValue(at.child('type'), type, 'must be either Utilization, Value, or AverageValue'));
  }
  const positive = (name: string, text: string | undefined): void => {
    if (text !== undefined && parseQuantity(text).sign !== 1) {
      errors.push(invalidValue(at.child(name), text, 'must be positive'));
    }
  };
  positive('value', value);
  positive('averageValue', averageValue);
  if (averageUtilization !== undefined && averageUtilization < 1) {
    errors.push(invalidValue(at.child('averageUtilization'), averageUtilization, 'must be greater than 0'));
  }
}

function checkIdentifier(errors: Errors, at: FieldPath, metric: Partial<MetricIdentifier> = {}): void {
  if (requireText(errors, at.child('name'), metric.name, 'must specify a metric name')) {
    refuseEach(errors, at.child('name'), metric.name, isPathSegmentName(metric.name));
  }
}

const noTarget = {} as MetricTarget;

function checkUtilization(errors: Errors, at: FieldPath, target: MetricTarget): void {
  checkTarget(errors, at, target);
  const { averageUtilization, averageValue } = target;
  if (averageUtilization === undefined && averageValue === undefined) {
    const text = 'must set either a target raw value or a target utilization';
    errors.push(required(at.child('averageUtilization'), text));
  }
  if (averageUtilization !== undefined && averageValue !== undefined) {
    const text = 'may not set both a target raw value and a target utilization';
    errors.push(forbiddenField(at.child('averageValue'), text));
  }
}

type Source = 'object' | 'external' | 'pods' | 'resource' | 'containerResource';

function checkSource(errors: Errors, at: FieldPath, name: Source, metric: MetricSpec, options: ReferenceOptions): void {
  const target = at.child('target');
  if (name === 'object') {
    const source = metric.object!;
    checkReference(errors, at.child('describedObject'), source.describedObject ?? {}, options);
    checkIdentifier(errors, at.child('metric'), source.metric);
    checkTarget(errors, target, source.target ?? noTarget);
    if (source.target?.value === undefined && source.target?.averageValue === undefined) {
      errors.push(required(target.child('averageValue'), 'must set either a target value or averageValue'));
    }
  } else if (name === 'external') {
    const source = metric.external!;
    const { value, averageValue } = source.target ?? noTarget;
    checkIdentifier(errors, at.child('metric'), source.metric);
    checkTarget(errors, target, source.target ?? noTarget);
    if (value === undefined && averageValue === undefined) {
      const text = 'must set either a target value for metric or a per-pod target';
      errors.push(required(target.child('averageValue'), text));
    }
    if (value !== undefined && averageValue !== undefined) {
      const text = 'may not set both a target value for metric and a per-pod target';
      errors.push(forbiddenField(target.child('value'), text));
    }
  } else if (name === 'pods') {
    const source = metric.pods!;
    checkIdentifier(errors, at.child('metric'), source.metric);
    checkTarget(errors, target, source.target ?? noTarget);
    if (source.target?.averageValue === undefined) {
      errors.push(required(target.child('averageValue'), 'must specify a positive target averageValue'));
    }
  } else if (name === 'resource') {
    requireText(errors, at.child('name'), metric.resource!.name, 'must specify a resource name');
    checkUtilization(errors, target, metric.resource!.target ?? noTarget);
  } else {
    const source = metric.containerResource!;
    if (requireText(errors, at.child('name'), source.name, 'must specify a resource name')) {
      checkContainerResourceName(errors, at.child('name'), source.name);
    }
    if (requireText(errors, at.child('container'), source.container, 'must specify a container')) {
      checkDNSLabel(errors, at.child('container'), source.container);
    }
    checkUtilization(errors, target, source.target ?? noTarget);
  }
}

const sources: readonly Source[] = ['object', 'external', 'pods', 'resource', 'containerResource'];
const types: Readonly<Record<string, Source>> = {
  ContainerResource: 'containerResource',
  External: 'external',
  Object: 'object',
  Pods: 'pods',
  Resource: 'resource',
};

function checkMetric(errors: Errors, at: FieldPath, metric: MetricSpec, options: ReferenceOptions): void {
  const { type = '' } = metric;
  const unknown = notSupported(at.child('type'), type, Object.keys(types));
  if (!type) errors.push(required(at.child('type'), 'must specify a metric source type'));
  const expected = types[type];
  if (!expected) errors.push(unknown);
  const present = sources.filter(name => metric[name] !== undefined);
  const [first] = present;
  if (first) checkSource(errors, at.child(first), first, metric, options);
  if (!expected) errors.push(unknown);
  else if (metric[expected] === undefined) {
    errors.push(required(at.child(expected), 'must populate information for the given metric source'));
  }
  if (present.length === 1) return;
  for (const name of present) {
    if (name !== expected) errors.push(forbiddenField(at.child(name), 'must populate the given metric source only'));
  }
}

function checkRules(errors: Errors, at: FieldPath, rules: HPAScalingRules | undefined): void {
  if (!rules) return;
  const { stabilizationWindowSeconds: window, selectPolicy, policies = [], tolerance } = rules;
  const windowPath = at.child('stabilizationWindowSeconds');
  if (window !== undefined && window < 0) {
    errors.push(invalidValue(windowPath, window, 'must be greater than or equal to zero'));
  }
  if (window !== undefined && window > 3600) {
    errors.push(invalidValue(windowPath, window, 'must be less than or equal to 3600'));
  }
  const selects = ['Disabled', 'Max', 'Min'];
  if (selectPolicy !== undefined && !selects.includes(selectPolicy)) {
    errors.push(notSupported(at.child('selectPolicy'), selectPolicy, selects));
  }
  if (policies.length === 0) errors.push(required(at.child('policies'), 'must specify at least one Policy'));
  policies.forEach(({ type = '', value = 0, periodSeconds = 0 }, i) => {
    const own = at.child('policies').index(i);
    if (type !== 'Pods' && type !== 'Percent') errors.push(notSupported(own.child('type'), type, ['Percent', 'Pods']));
    const positive = 'must be greater than zero';
    if (value <= 0) errors.push(invalidValue(own.child('value'), value, positive));
    if (periodSeconds <= 0) errors.push(invalidValue(own.child('periodSeconds'), periodSeconds, positive));
    if (periodSeconds > 1800) {
      errors.push(invalidValue(own.child('periodSeconds'), periodSeconds, 'must be less than or equal to 1800'));
    }
  });
  if (tolerance !== undefined && parseQuantity(tolerance).sign < 0) {
    errors.push(invalidValue(at.child('tolerance'), tolerance, 'must be greater than or equal to 0'));
  }
}

function targetOptions(scaler: HorizontalPodAutoscaler, old: HorizontalPodAutoscaler | null): ReferenceOptions {
  const now = scaler.spec.scaleTargetRef ?? {};
  const before = old?.spec.scaleTargetRef;
  const same = before && before.apiVersion === now.apiVersion && before.kind === now.kind;
  return { allowInvalid: same === true, allowEmptyGroup: !same && now.kind === 'ReplicationController' };
}

function validate(scaler: HorizontalPodAutoscaler, old: HorizontalPodAutoscaler | null): FieldError[] {
  const errors: Errors = [];
  const { spec } = scaler;
  const { minReplicas: min, maxReplicas: max = 0, metrics = [] } = spec;
  const lowest = old?.spec.minReplicas === 0 ? 0 : 1;
  const maxPath = path.child('maxReplicas');
  if (min !== undefined && min < lowest) {
    errors.push(invalidValue(path.child('minReplicas'), min, `must be greater than or equal to ${lowest}`));
  }
  if (max === 0) errors.push(required(maxPath, 'must be set and greater than 0'));
  else if (max < 0) errors.push(invalidValue(maxPath, max, 'must be greater than or equal to 1'));
  if (min !== undefined && max < min) {
    errors.push(invalidValue(maxPath, max, 'must be greater than or equal to `minReplicas`'));
  }
  checkReference(errors, path.child('scaleTargetRef'), spec.scaleTargetRef ?? {}, targetOptions(scaler, old));
  const lenient = (old?.spec.metrics ?? []).some(
    each => each.object && versionRefusal(each.object.describedObject?.apiVersion ?? '', true) !== undefined,
  );
  metrics.forEach((metric, i) => {
    const options = { allowInvalid: lenient, allowEmptyGroup: true };
    checkMetric(errors, path.child('metrics').index(i), metric, options);
  });
  if (min === 0 && !metrics.some(metric => metric.type === 'Object' || metric.type === 'External')) {
    const text = 'must specify at least one Object or External metric to support scaling to zero replicas';
    errors.push(forbiddenField(path.child('metrics'), text));
  }
  checkRules(errors, path.child('behavior', 'scaleUp'), spec.behavior?.scaleUp);
  checkRules(errors, path.child('behavior', 'scaleDown'), spec.behavior?.scaleDown);
  return errors;
}

function rulesDefaults(rules: Draft<HPAScalingRules> | undefined, up: boolean): Draft<HPAScalingRules> {
  const percent = { type: 'Percent', value: 100, periodSeconds: 15 };
  const policies = up ? [{ type: 'Pods', value: 4, periodSeconds: 15 }, percent] : [percent];
  const defaults = { ...(up && { stabilizationWindowSeconds: 0 }), selectPolicy: 'Max', policies };
  return { ...defaults, ...rules };
}

export const horizontalPodAutoscalerRules: KindRules<HorizontalPodAutoscaler> = {
  defaults({ spec }) {
    spec.minReplicas ??= 1;
    if (!spec.metrics?.length) {
      const target = { type: 'Utilization', averageUtilization: 80 };
      spec.metrics = [{ type: 'Resource', resource: { name: 'cpu', target } }];
    }
    if (!spec.behavior) return;
    spec.behavior.scaleUp = rulesDefaults(spec.behavior.scaleUp, true);
    spec.behavior.scaleDown = rulesDefaults(spec.behavior.scaleDown, false);
  },
  prepareStatus: keepSpec,
  validate,
  validateStatus({ status }) {
    const errors: Errors = [];
    const at = FieldPath.of('status');
    checkNonnegative(errors, at.child('currentReplicas'), status?.currentReplicas);
    checkNonnegative(errors, at.child('desiredReplicas'), status?.desiredReplicas);
    return errors;
  },
  allowUnconditionalUpdate: true,
};

export { goQuote };
