/** /healthz, /livez and /readyz with their checks by name. Upstream: apiserver pkg/server/healthz/healthz.go. */
import { plainText, type ServerRequest, type ServerResponse, textResponse } from '../http/message.ts';

export type HealthRoot = 'healthz' | 'livez' | 'readyz';

export interface HealthCheck {
  readonly name: string;
  readonly on: readonly HealthRoot[];
  /** Undefined when well, else why not. */
  check(root: HealthRoot): Promise<string | undefined> | string | undefined;
}

const roots: readonly string[] = ['healthz', 'livez', 'readyz'];
const everywhere: readonly HealthRoot[] = ['healthz', 'livez', 'readyz'];

/** The steps of a start, in upstream's order. */
const startHooks = [
  'start-apiserver-admission-initializer',
  'generic-apiserver-start-informers',
  'priority-and-fairness-config-consumer',
  'priority-and-fairness-filter',
  'storage-object-count-tracker-hook',
  'start-apiextensions-informers',
  'start-apiextensions-controllers',
  'crd-informer-synced',
  'start-system-namespaces-controller',
  'peer-endpoint-reconciler-controller',
  'start-cluster-authentication-info-controller',
  'start-kube-apiserver-identity-lease-controller',
  'start-kube-apiserver-identity-lease-garbage-collector',
  'storage-readiness',
  'start-legacy-token-tracking-controller',
  'start-service-ip-repair-controllers',
  'rbac/bootstrap-roles',
  'scheduling/bootstrap-system-priority-classes',
  'priority-and-fairness-config-producer',
  'bootstrap-controller',
  'start-kubernetes-service-cidr-controller',
  'start-kube-aggregator-informers',
  'apiservice-status-local-available-controller',
  'apiservice-status-remote-available-controller',
  'apiservice-registration-controller',
  'apiservice-discovery-controller',
  'kube-apiserver-autoregistration',
];
const withoutFlowControl = startHooks.flatMap(name => {
  if (name === 'priority-and-fairness-config-consumer') return [];
  return name === 'priority-and-fairness-filter' ? ['max-in-flight-filter'] : [name];
});
const lateHooks = ['apiservice-openapi-controller', 'apiservice-openapiv3-controller'];

export interface HealthSources {
  /** Whether the store answers. */
  store(): Promise<string | undefined>;
  /** The same, perhaps with more patience. */
  storeReadiness(): Promise<string | undefined>;
  /** Of the plug-ins that encrypt what is stored. */
  readonly encryption: readonly HealthCheck[];
  /** Why a step of the start is not done. */
  startProblem(hook: string): string | undefined;
  stopping(): string | undefined;
  /** Without priority and fairness its steps are not there, but that of the plain limits is. */
  readonly flowControl: boolean;
  /** Whether liveness does not yet ask for the steps of the start. */
  isInGrace(): boolean;
}

/** Upstream's checks in upstream's order. */
export function healthChecks(sources: HealthSources): HealthCheck[] {
  const well = (): undefined => undefined;
  const step = (name: string, hook: string): HealthCheck => ({
    name,
    on: everywhere,
    check: root => (root === 'livez' && sources.isInGrace() ? undefined : sources.startProblem(hook)),
  });
  const hook = (name: string): HealthCheck => step(`poststarthook/${name}`, name);
  const hooks = sources.flowControl ? startHooks : withoutFlowControl;
  return [
    { name: 'ping', on: everywhere, check: well },
    { name: 'log', on: everywhere, check: well },
    { name: 'loopback-serving-certificate', on: ['healthz', 'livez'], check: well },
    { name: 'etcd', on: everywhere, check: () => sources.store() },
    { name: 'etcd-readiness', on: ['readyz'], check: () => sources.storeReadiness() },
    ...sources.encryption,
    { name: 'informer-sync', on: ['readyz'], check: () => sources.startProblem('generic-apiserver-start-informers') },
    ...hooks.map(hook),
    step('autoregister-completion', 'kube-apiserver-autoregistration'),
    ...lateHooks.map(hook),
    { name: 'shutdown', on: ['readyz'], check: () => sources.stopping() },
  ];
}

export function isHealthPath(path: string): boolean {
  const [, root = ''] = path.split('/');
  return roots.includes(root);
}

const nothing = (): ServerResponse => textResponse(404, '404 page not found\n');

/** Upstream's answers, with `verbose` and `exclude`, and a path for each check. */
export async function health(
  request: ServerRequest,
  checks: readonly HealthCheck[],
  observe: (name: string, root: HealthRoot, isWell: boolean) => void,
): Promise<ServerResponse> {
  const [, root = ''] = request.path.split('/');
  const single = request.path.slice(root.length + 2);
  const applicable = checks.filter(({ on }) => on.includes(root as HealthRoot));
  if (request.path !== `/${root}`) {
    const check = applicable.find(each => each.name === single);
    if (!check) return nothing();
    const problem = await check.check(root as HealthRoot);
    return problem === undefined ? plainText('ok') : textResponse(500, `internal server error: ${problem}\n`);
  }
  const excluded = new Set(request.query.all('exclude'));
  const unknown = [...excluded].filter(name => !applicable.some(check => check.name === name));
  const lines: string[] = [];
  let failed = false;
  for (const check of applicable) {
    if (excluded.has(check.name)) {
      lines.push(`[+]${check.name} excluded: ok`);
      continue;
    }
    const problem = await check.check(root as HealthRoot);
    failed ||= problem !== undefined;
    observe(check.name, root as HealthRoot, problem === undefined);
    lines.push(problem === undefined ? `[+]${check.name} ok` : `[-]${check.name} failed: reason withheld`);
  }
  if (unknown.length > 0) {
    const names = unknown.map(name => JSON.stringify(name)).join(', ');
    lines.push(`warn: some health checks cannot be excluded: no matches for ${names}`);
  }
  const text = `${lines.join('\n')}\n`;
  if (failed) return textResponse(500, `${text}${root} check failed\n`);
  return request.query.has('verbose') ? textResponse(200, `${text}${root} check passed\n`) : textResponse(200, 'ok');
}
