/**
 * Requests that may last: watches, tunnels, proxies, logs, profiles. They have no deadline and are counted apart.
 * Upstream: apiserver pkg/server/filters/longrunning.go with kube-apiserver's lists.
 */
import type { RequestInfo } from './request-info.ts';

const verbs = new Set(['watch', 'proxy']);
const subresources = new Set(['attach', 'exec', 'proxy', 'log', 'portforward']);

export function isLongRunning(info: RequestInfo): boolean {
  if (!info.isResourceRequest) return info.path.startsWith('/debug/pprof/');
  return verbs.has(info.verb) || subresources.has(info.subresource);
}
