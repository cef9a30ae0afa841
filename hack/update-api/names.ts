/**
 * Three spellings of a definition's name: OpenAPI's (`io.k8s.api.core.v1.Pod`), protobuf's (`k8s.io.api.core.v1.Pod`)
 * and the short one of the fact files (`core.v1.Pod`).
 */
const prefixes: readonly (readonly [string, string])[] = [
  ['meta.', 'io.k8s.apimachinery.pkg.apis.meta.'],
  ['resource.Quantity', 'io.k8s.apimachinery.pkg.api.resource.Quantity'],
  ['runtime.', 'io.k8s.apimachinery.pkg.runtime.'],
  ['intstr.', 'io.k8s.apimachinery.pkg.util.intstr.'],
  ['version.', 'io.k8s.apimachinery.pkg.version.'],
  ['apiextensions.', 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.'],
  ['apiregistration.', 'io.k8s.kube-aggregator.pkg.apis.apiregistration.'],
  ['audit.', 'io.k8s.apiserver.pkg.apis.audit.'],
];

/** OpenAPI's name of a short one. */
export function longName(short: string): string {
  for (const [from, to] of prefixes) if (short.startsWith(from)) return to + short.slice(from.length);
  return `io.k8s.api.${short}`;
}

/** The inverse of {@link longName}. */
export function shortName(long: string): string {
  for (const [to, from] of prefixes) if (long.startsWith(from)) return to + long.slice(from.length);
  return long.replace(/^io\.k8s\.api\./, '');
}

/** The short name of a protobuf message. */
export function shortOfMessage(message: string): string {
  const long = message
    .replace(/^k8s\.io\./, 'io.k8s.')
    .replace('apiextensions_apiserver', 'apiextensions-apiserver')
    .replace('kube_aggregator', 'kube-aggregator');
  return shortName(long);
}

/** The part before the last dot: `core.v1` of `core.v1.Pod`. */
export function packageOf(short: string): string {
  return short.slice(0, short.lastIndexOf('.'));
}

/** The part after the last dot. */
export function baseOf(short: string): string {
  return short.slice(short.lastIndexOf('.') + 1);
}
