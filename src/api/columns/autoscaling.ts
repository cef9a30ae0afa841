/** Rows of the kinds of autoscaling (v2) and of Scale. Upstream: pkg/printers/internalversion/printers.go. */
import type { HorizontalPodAutoscaler, MetricSpec, MetricStatus, Scale } from '../types.ts';
import { age, type Row, type RowOf, row } from './cells.ts';

interface Target {
  readonly value?: string;
  readonly averageValue?: string;
  readonly averageUtilization?: number;
}

const unknown = '<unknown>';
/** A quantity that is a nil pointer in Go. */
const nil = '<nil>';

function resourceText(name: string, target: Target, current: Target | undefined): string {
  if (target.averageValue !== undefined) {
    return `${name}: ${current ? (current.averageValue ?? nil) : unknown}/${target.averageValue}`;
  }
  const now = current?.averageUtilization === undefined ? unknown : `${current.averageUtilization}%`;
  return `${name}: ${now}/${target.averageUtilization === undefined ? '<auto>' : `${target.averageUtilization}%`}`;
}

function valueText(target: Target, current: Target | undefined): string {
  if (target.averageValue !== undefined) return `${current?.averageValue ?? unknown}/${target.averageValue} (avg)`;
  return `${current ? (current.value ?? nil) : unknown}/${target.value ?? nil}`;
}

function metricText(spec: MetricSpec, status: MetricStatus | undefined): string {
  switch (spec.type) {
    case 'External':
      return valueText(spec.external?.target ?? {}, status?.external?.current);
    case 'Pods':
      return `${status?.pods ? (status.pods.current?.averageValue ?? nil) : unknown}/${spec.pods?.target?.averageValue ?? nil}`;
    case 'Object':
      return valueText(spec.object?.target ?? {}, status?.object?.current);
    case 'Resource':
      return resourceText(spec.resource?.name ?? '', spec.resource?.target ?? {}, status?.resource?.current);
    case 'ContainerResource': {
      const { name = '', target = {} } = spec.containerResource ?? {};
      return resourceText(name, target, status?.containerResource?.current);
    }
    default:
      return '<unknown type>';
  }
}

function metricsText(specs: readonly MetricSpec[], statuses: readonly MetricStatus[]): string {
  if (specs.length === 0) return '<none>';
  const all = specs.map((spec, at) => metricText(spec, statuses[at]));
  const text = all.slice(0, 2).join(', ');
  return all.length > 2 ? `${text} + ${all.length - 2} more...` : text;
}

function autoscalerRow({ metadata, spec, status }: HorizontalPodAutoscaler, nowMs: number): Row {
  return row(
    metadata.name ?? '',
    `${spec.scaleTargetRef.kind}/${spec.scaleTargetRef.name}`,
    metricsText(spec.metrics ?? [], status?.currentMetrics ?? []),
    spec.minReplicas === undefined ? '<unset>' : String(spec.minReplicas),
    spec.maxReplicas,
    status?.currentReplicas ?? 0,
    age(metadata.creationTimestamp, nowMs),
  );
}

function scaleRow({ metadata, spec, status }: Scale, nowMs: number): Row {
  return row(metadata.name ?? '', spec?.replicas ?? 0, status?.replicas ?? 0, age(metadata.creationTimestamp, nowMs));
}

/** By kind. */
export const rows: Readonly<Record<string, RowOf>> = { HorizontalPodAutoscaler: autoscalerRow, Scale: scaleRow };
