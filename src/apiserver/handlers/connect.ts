/**
 * Subresources that lead to a kubelet: logs, exec, attach, port-forward, and the proxies. Upstream:
 * pkg/registry/core/pod/{strategy.go,rest}, pkg/registry/core/{node,service}/rest.
 */
import type { Container, Endpoints, Node, Pod, Service } from '#api/types';
import {
  badRequest,
  canonicalTime,
  type FieldError,
  FieldPath,
  forbiddenField,
  InputError,
  invalid,
  invalidValue,
  type KubeObject,
  notFound,
  serviceUnavailable,
} from '#apimachinery';
import { admissionAttributes } from '../admission/attributes.ts';
import type { Lookup } from '../admission/lookup.ts';
import { Query, type ServerResponse } from '../http/message.ts';
import { type KubeletClient, type TunnelTarget, tunnel } from './kubelet-tunnel.ts';
import { integerParameter } from './options.ts';
import type { Handler, Scope } from './scope.ts';

export interface ConnectDeps {
  readonly lookup: Lookup;
  readonly kubeletClient: KubeletClient | undefined;
}

/** Upstream's --kubelet-preferred-address-types. */
const preferredAddresses = ['Hostname', 'InternalDNS', 'InternalIP', 'ExternalDNS', 'ExternalIP'];
const defaultKubeletPort = 10250;

async function podOf(scope: Scope, { lookup }: ConnectDeps): Promise<Pod> {
  const pod = await lookup.get('', 'pods', scope.namespace, scope.name);
  if (!pod) throw notFound(scope.about, scope.name);
  return pod as unknown as Pod;
}

/** Where a node's kubelet listens. InternalIP comes before names that only some resolvers know. */
async function kubeletOf(nodeName: string, deps: ConnectDeps): Promise<Omit<TunnelTarget, 'path'>> {
  const node = (await deps.lookup.get('', 'nodes', '', nodeName)) as unknown as Node | undefined;
  if (!node) throw notFound({ group: '', resource: 'nodes' }, nodeName);
  const addresses = node.status?.addresses ?? [];
  const order = ['InternalIP', ...preferredAddresses];
  const found = order.map(type => addresses.find(each => each.type === type)).find(Boolean);
  if (!found) throw serviceUnavailable(`no preferred addresses found; known addresses: []`);
  const port = node.status?.daemonEndpoints?.kubeletEndpoint?.Port || defaultKubeletPort;
  return { protocol: 'https', host: found.address, port, client: deps.kubeletClient };
}

const names = (containers: readonly { readonly name: string }[] | undefined): string =>
  `[${(containers ?? []).map(each => each.name).join(' ')}]`;

/** The container that a request means: named, or the only one. Throws 400 with upstream's choice. */
function containerOf(pod: Pod, wanted: string): string {
  const { containers, initContainers, ephemeralContainers } = pod.spec;
  if (wanted === '') {
    if (containers.length === 1) return containers[0]!.name;
    let text = `a container name must be specified for pod ${pod.metadata.name}, choose one of: ${names(containers)}`;
    if (initContainers?.length) text += ` or one of the init containers: ${names(initContainers)}`;
    if (ephemeralContainers?.length) text += ` or one of the ephemeral containers: ${names(ephemeralContainers)}`;
    throw badRequest(text);
  }
  const all = [...containers, ...(initContainers ?? []), ...(ephemeralContainers ?? [])] as Container[];
  if (all.some(each => each.name === wanted)) return wanted;
  throw badRequest(`container ${wanted} is not valid for pod ${pod.metadata.name}`);
}

function nodeOf(pod: Pod): string {
  if (!pod.spec.nodeName) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
  return pod.spec.nodeName;
}

/** Admission is asked about a connection as about a write. */
async function admitConnect(scope: Scope): Promise<void> {
  const more = { operation: 'CONNECT' as const, name: scope.name, dryRun: false, options: {}, old: null };
  const attributes = admissionAttributes(scope, more);
  await scope.deps.admission.admit(attributes, null);
  await scope.deps.admission.validate(attributes, null);
}

const logParameters = [
  'follow',
  'previous',
  'sinceSeconds',
  'sinceTime',
  'timestamps',
  'tailLines',
  'limitBytes',
  'stream',
];

function validateLogOptions(query: Query): FieldError[] {
  const errors: FieldError[] = [];
  const since = query.get('sinceTime');
  if (since) checkTime(since);
  const atLeast = (name: string, least: number): void => {
    const value = integerParameter(query, name);
    if (value !== undefined && value < least) {
      const text = least === 0 ? 'must be greater than or equal to 0' : 'must be greater than 0';
      errors.push(invalidValue(FieldPath.of(name), value, text));
    }
  };
  atLeast('tailLines', 0);
  atLeast('limitBytes', 1);
  if (query.get('sinceSeconds') && query.get('sinceTime')) {
    const text = 'at most one of `sinceTime` or `sinceSeconds` may be specified';
    // Upstream's path of one empty name.
    errors.push({ type: 'FieldValueForbidden', field: '[]', body: `Forbidden: ${text}` });
  } else atLeast('sinceSeconds', 1);
  if (query.get('stream')) errors.push(forbiddenField(FieldPath.of('stream'), 'may not be specified'));
  return errors;
}

/** Throws 400 with Go's text. */
function checkTime(text: string): void {
  try {
    canonicalTime(text);
  } catch (error) {
    throw error instanceof InputError ? badRequest(error.message) : error;
  }
}

export function podLog(deps: ConnectDeps): Handler {
  return async scope => {
    const { query } = scope.request;
    const errors = validateLogOptions(query);
    if (errors.length > 0) throw invalid({ group: '', kind: 'PodLogOptions' }, scope.name, errors);
    const pod = await podOf(scope, deps);
    const container = containerOf(pod, query.get('container') ?? '');
    // Nothing runs yet, so there is nothing to tell.
    if (!pod.spec.nodeName) return { status: 204, headers: {}, body: { kind: 'empty' } };
    const kubelet = await kubeletOf(pod.spec.nodeName, deps);
    const kept = new Query(query.pairs.filter(([name]) => logParameters.includes(name)));
    const path = `/containerLogs/${scope.namespace}/${scope.name}/${container}`;
    const answer = await tunnel(scope.request, { ...kubelet, path: withQuery(path, kept) });
    return { ...answer, headers: { ...answer.headers, 'content-type': 'text/plain' } };
  };
}

function withQuery(path: string, query: Query): string {
  const text = query.toString();
  return text === '' ? path : `${path}?${text}`;
}

/** Streams as the kubelet names them. */
function streamQuery(query: Query): Query {
  const pairs: Array<readonly [string, string]> = [];
  const given: Readonly<Record<string, string>> = { stdin: 'input', stdout: 'output', stderr: 'error', tty: 'tty' };
  for (const [name, value] of query.pairs) {
    const to = given[name];
    if (to && value !== 'false' && value !== '0') pairs.push([to, '1']);
    if (name === 'command') pairs.push(['command', value]);
  }
  return new Query(pairs);
}

/** `exec` or `attach`. */
export function podStreams(kind: 'exec' | 'attach', deps: ConnectDeps): Handler {
  return async scope => {
    const { query } = scope.request;
    const pod = await podOf(scope, deps);
    const streams = streamQuery(query);
    const container = containerOf(pod, query.get('container') ?? '');
    const node = nodeOf(pod);
    await admitConnect(scope);
    const kubelet = await kubeletOf(node, deps);
    const path = `/${kind}/${scope.namespace}/${scope.name}/${container}`;
    return upgraded(scope, { ...kubelet, path: withQuery(path, streams) });
  };
}

export function podPortForward(deps: ConnectDeps): Handler {
  return async scope => {
    const pod = await podOf(scope, deps);
    const kubelet = await kubeletOf(nodeOf(pod), deps);
    await admitConnect(scope);
    const ports = new Query(
      scope.request.query.pairs.filter(([name]) => name === 'ports').map(([, value]) => ['port', value]),
    );
    return upgraded(scope, { ...kubelet, path: withQuery(`/portForward/${scope.namespace}/${scope.name}`, ports) });
  };
}

async function upgraded(scope: Scope, target: TunnelTarget): Promise<ServerResponse> {
  if (!scope.request.upgrade) throw badRequest('Upgrade request required');
  return tunnel(scope.request, target);
}

/** `name`, `name:port` or `scheme:name:port`. */
function splitTarget(text: string): { scheme: string; name: string; port: string } {
  const parts = text.split(':');
  if (parts.length === 3) return { scheme: parts[0]!, name: parts[1]!, port: parts[2]! };
  return { scheme: '', name: parts[0]!, port: parts[1] ?? '' };
}

/** What follows `proxy` in the path, with the query. */
function rest(scope: Scope): string {
  const mark = '/proxy';
  const { url } = scope.request;
  const at = url.indexOf(mark, url.indexOf(`/${scope.resource.resource}/`));
  const tail = url.slice(at + mark.length);
  return tail.startsWith('/') ? tail : `/${tail}`;
}

export function podProxy(deps: ConnectDeps): Handler {
  return async scope => {
    const { scheme, name, port } = splitTarget(scope.name);
    const pod = await podOf({ ...scope, name }, deps);
    const host = pod.status?.podIP;
    if (!host) throw badRequest('address not allowed');
    const first = pod.spec.containers.flatMap(each => each.ports ?? [])[0]?.containerPort;
    await admitConnect(scope);
    const protocol = scheme === 'https' ? 'https' : 'http';
    return tunnel(scope.request, { protocol, host, port: Number(port) || first || 80, path: rest(scope) });
  };
}

export function nodeProxy(deps: ConnectDeps): Handler {
  return async scope => {
    const { name } = splitTarget(scope.name);
    const kubelet = await kubeletOf(name, deps);
    await admitConnect(scope);
    return tunnel(scope.request, { ...kubelet, path: rest(scope) });
  };
}

export function serviceProxy(deps: ConnectDeps): Handler {
  return async scope => {
    const { scheme, name, port } = splitTarget(scope.name);
    const found = (await deps.lookup.get('', 'services', scope.namespace, name)) as KubeObject | undefined;
    if (!found) throw notFound(scope.about, name);
    const target = await endpointOf(found as unknown as Service, port, scope, deps);
    if (target === 'none') throw notFound(scope.about, name);
    if (!target) throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(name)}`);
    await admitConnect(scope);
    return tunnel(scope.request, { protocol: scheme === 'https' ? 'https' : 'http', ...target, path: rest(scope) });
  };
}

/** One ready address of the Service, at random. */
async function endpointOf(
  service: Service,
  wanted: string,
  scope: Scope,
  deps: ConnectDeps,
): Promise<{ host: string; port: number } | 'none' | undefined> {
  const { name = '' } = service.metadata;
  const byPort = (service.spec.ports ?? []).find(each => String(each.port) === wanted || each.name === wanted);
  const portName = byPort ? (byPort.name ?? '') : wanted;
  const endpoints = (await deps.lookup.get('', 'endpoints', scope.namespace, name)) as unknown as Endpoints | undefined;
  if (!endpoints) return 'none';
  const choices = (endpoints.subsets ?? []).flatMap(({ addresses, ports }) => {
    const port = (ports ?? []).find(each => (each.name ?? '') === portName) ?? (wanted === '' ? ports?.[0] : undefined);
    return port ? (addresses ?? []).map(({ ip }) => ({ host: ip, port: port.port })) : [];
  });
  const at = Math.floor(scope.deps.registry.deps.random.float() * choices.length);
  return choices[at];
}
