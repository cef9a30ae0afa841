/**
 * HorizontalPodAutoscalers as autoscaling/v1 has them: one CPU target, all else in annotations.
 * Upstream: pkg/apis/autoscaling/v1/{defaults,conversion}.go.
 */
import type { KubeObject } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { AutoscalingV1HorizontalPodAutoscaler, HorizontalPodAutoscaler, MetricSpec } from '../../../types.ts';

const keys = {
  metrics: 'autoscaling.alpha.kubernetes.io/metrics',
  statuses: 'autoscaling.alpha.kubernetes.io/current-metrics',
  conditions: 'autoscaling.alpha.kubernetes.io/conditions',
  behavior: 'autoscaling.alpha.kubernetes.io/behavior',
} as const;

type Plain = Record<string, unknown>;

function isCpu(metric: MetricSpec): boolean {
  return (
    metric.type === 'Resource' &&
    metric.resource?.name === 'cpu' &&
    metric.resource.target?.averageUtilization !== undefined
  );
}

function withoutKeys(annotations: Readonly<Record<string, string>> | undefined): Record<string, string> | undefined {
  const known: readonly string[] = Object.values(keys);
  const rest = Object.entries(annotations ?? {}).filter(([key]) => !known.includes(key));
  return rest.length > 0 ? Object.fromEntries(rest) : undefined;
}

function parsed(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function withMeta(object: KubeObject, annotations: Record<string, string> | undefined): Plain {
  const { annotations: _, ...metadata } = object.metadata;
  return { ...object, metadata: { ...metadata, ...(annotations && { annotations }) } };
}

function toHub(object: AutoscalingV1HorizontalPodAutoscaler): KubeObject {
  const { targetCPUUtilizationPercentage: cpu, ...spec } = object.spec;
  const annotations = object.metadata.annotations ?? {};
  const others = parsed(annotations[keys.metrics]);
  const metrics = Array.isArray(others) ? [...(others as MetricSpec[])] : [];
  if (cpu !== undefined) {
    const target = { type: 'Utilization', averageUtilization: cpu };
    metrics.unshift({ type: 'Resource', resource: { name: 'cpu', target } });
  }
  const behavior = parsed(annotations[keys.behavior]);
  const { currentCPUUtilizationPercentage: current, ...status } = (object.status ?? {}) as Plain;
  const use = { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: current } } };
  const measured = current === undefined ? {} : { currentMetrics: [use] };
  return {
    ...withMeta(object as unknown as KubeObject, withoutKeys(annotations)),
    apiVersion: 'autoscaling/v2',
    spec: { ...spec, ...(metrics.length > 0 && { metrics }), ...(behavior ? { behavior } : {}) },
    ...(object.status && { status: { ...status, ...measured } }),
  } as unknown as KubeObject;
}

function fromHub(hub: KubeObject): AutoscalingV1HorizontalPodAutoscaler {
  const scaler = hub as unknown as HorizontalPodAutoscaler;
  const { metrics: stored, behavior, ...spec } = scaler.spec;
  const { conditions, currentMetrics: seen, ...status } = scaler.status ?? {};
  const [metrics, currentMetrics] = [stored ?? [], seen ?? []];
  const cpu = metrics.find(isCpu);
  const others = metrics.filter(metric => metric !== cpu);
  const annotations: Record<string, string> = { ...withoutKeys(scaler.metadata.annotations) };
  if (others.length > 0) annotations[keys.metrics] = JSON.stringify(others);
  if (behavior) annotations[keys.behavior] = JSON.stringify(behavior);
  if (conditions?.length) annotations[keys.conditions] = JSON.stringify(conditions);
  const current = currentMetrics.find(each => each.resource?.name === 'cpu')?.resource?.current?.averageUtilization;
  const target = cpu?.resource?.target?.averageUtilization;
  return {
    ...withMeta(hub, Object.keys(annotations).length > 0 ? annotations : undefined),
    apiVersion: 'autoscaling/v1',
    spec: { ...spec, ...(target !== undefined && { targetCPUUtilizationPercentage: target }) },
    ...(scaler.status && {
      status: { ...status, ...(current !== undefined && { currentCPUUtilizationPercentage: current }) },
    }),
  } as unknown as AutoscalingV1HorizontalPodAutoscaler;
}

export const autoscalingV1Rules: KindRules<AutoscalingV1HorizontalPodAutoscaler> = {
  defaults({ spec }) {
    spec.minReplicas ??= 1;
  },
  toHub,
  fromHub,
  allowUnconditionalUpdate: true,
};
