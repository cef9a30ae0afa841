/** Which deprecated APIs were asked for. Upstream: apiserver pkg/endpoints/metrics/metrics.go. */
import type { MetricsRegistry } from '#base';
import type { RequestInfo } from '../filters/request-info.ts';

export function deprecatedApis(metrics: MetricsRegistry): (info: RequestInfo, removedIn: string) => void {
  const gauge = metrics.gauge(
    'apiserver_requested_deprecated_apis',
    '[STABLE] Gauge of deprecated APIs that have been requested, broken out by API group, version, resource, subresource, and removed_release.',
  );
  return ({ group, version, resource, subresource }, removedIn) =>
    gauge.set(1, { group, version, resource, subresource, removed_release: removedIn });
}
