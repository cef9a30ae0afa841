/**
 * The proxy subresources of nodes, pods and Services: requests below `…/proxy/` go to what they name, and the links of
 * its answers lead back through here. Upstream: pkg/registry/core/{node,pod,service}.
 *
 * Deviation: an upgrade keeps its query; upstream loses it. Connections are not throttled.
 */
import { lookup as resolveName } from 'node:dns/promises';
import { isIP, isIPv4 } from 'node:net';
import { posix } from 'node:path';
import type { Endpoints, Pod, Service } from '#api/types';
import { badRequest, goQuote, notFound, serviceUnavailable } from '#apimachinery';
import type { ServerResponse } from '../http/message.ts';
import { type Backend, ForwardError, forward } from '../proxy/forward.ts';
import { admittedOptions } from './connect-options.ts';
import { type ConnectDeps, failed, kubeletOf } from './kubelet-tunnel.ts';
import type { Handler, Scope } from './scope.ts';

interface Target {
  readonly scheme: string;
  readonly name: string;
  /** A number or a name. */
  readonly port: string;
}

/** `name`, `name:port` or `scheme:name:port`. Throws 400. */
function splitTarget(text: string, what: string): Target {
  const parts = text.split(':');
  const [scheme = '', name = '', port = ''] = parts.length === 3 ? parts : ['', ...parts];
  const valid = parts.length <= 3 && name !== '' && ['http', 'https', ''].includes(scheme);
  if (!valid) throw badRequest(`invalid ${what} request ${goQuote(text)}`);
  return { scheme, name, port };
}

/** Go's IsGlobalUnicast: what a proxy may lead to without opening the server's own host and its link. */
function isReachable(address: string): boolean {
  if (isIP(address) === 0) return false;
  if (isIPv4(address)) {
    const [a = 0, b = 0] = address.split('.').map(Number);
    return address !== '0.0.0.0' && address !== '255.255.255.255' && a !== 127 && a < 224 && !(a === 169 && b === 254);
  }
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped) return isReachable(mapped);
  return address !== '::' && address !== '::1' && !/^(ff|fe[89ab])/i.test(address);
}

async function checkHost(host: string): Promise<void> {
  let addresses: string[];
  try {
    addresses = isIP(host) ? [host] : (await resolveName(host, { all: true })).map(each => each.address);
  } catch {
    throw badRequest(`lookup ${host}: no such host`);
  }
  if (!addresses.every(isReachable)) throw badRequest('address not allowed');
}

const anyCertificate = { verified: false };

/** Where the request goes: the path below `proxy`, decoded and written anew as upstream does. */
function writtenPath(path: string): string {
  return encodeURI(path).replace(/[?#]/g, encodeURIComponent);
}

async function proxied(scope: Scope, find: () => Promise<Backend>): Promise<ServerResponse> {
  const options = await admittedOptions(scope);
  const backend = await find();
  const { request, info } = scope;
  const own = options.path ?? '';
  const joined = own === '' ? '' : posix.join(own);
  const path = own.endsWith('/') && !joined.endsWith('/') ? `${joined}/` : joined;
  const at = request.url.indexOf('?');
  const query = at < 0 ? '' : request.url.slice(at);
  if (path === '' && !request.upgrade && (request.method === 'GET' || request.method === 'HEAD')) {
    const location = `${info.path}/${query}`;
    return { status: 301, headers: { location }, body: { kind: 'bytes', bytes: new Uint8Array() } };
  }
  const prefix = info.path.endsWith(path) ? info.path.slice(0, info.path.length - path.length) : info.path;
  try {
    return await forward(request, {
      backend,
      path: `${writtenPath(path) || '/'}${query}`,
      links: { scheme: '', host: '', prefix },
      nowMs: scope.deps.clock.now(),
    });
  } catch (error) {
    if (!(error instanceof ForwardError)) throw error;
    throw error.isUpgrade ? failed(error.message) : serviceUnavailable(error.message);
  }
}

export function podProxy({ lookup }: ConnectDeps): Handler {
  return scope =>
    proxied(scope, async () => {
      const { scheme, name, port } = splitTarget(scope.name, 'pod');
      const pod = (await lookup.get('', 'pods', scope.namespace, name)) as unknown as Pod | undefined;
      if (!pod) throw notFound(scope.about, name);
      const host = pod.status?.podIP ?? '';
      if (!isReachable(host)) throw badRequest('address not allowed');
      const first = pod.spec.containers.flatMap(each => each.ports ?? [])[0]?.containerPort;
      return backendOf(scheme, host, port || String(first ?? ''));
    });
}

/** Throws 503 for what is no port, where upstream fails to dial. */
function backendOf(scheme: string, host: string, port: string): Backend {
  const protocol = scheme === 'https' ? 'https' : 'http';
  const number = port === '' ? (protocol === 'https' ? 443 : 80) : Number(port);
  if (!Number.isInteger(number) || number < 0 || number > 65535) {
    const why = Number.isInteger(number) ? `address ${port}: invalid port` : `lookup tcp/${port}: unknown port`;
    throw serviceUnavailable(`error trying to reach service: dial tcp: ${why}`);
  }
  return { protocol, host, port: number, ...(protocol === 'https' && { tls: anyCertificate }) };
}

export function nodeProxy(deps: ConnectDeps): Handler {
  return scope =>
    proxied(scope, async () => {
      const { scheme, name, port } = splitTarget(scope.name, 'node');
      const kubelet = await kubeletOf(name, scope, deps);
      await checkHost(kubelet.host);
      if (port === '' || port === String(kubelet.port)) return kubelet;
      return backendOf(scheme, kubelet.host, port);
    });
}

export function serviceProxy(deps: ConnectDeps): Handler {
  return scope =>
    proxied(scope, async () => {
      const { scheme, name, port } = splitTarget(scope.name, 'service');
      const portName = /^[+-]?\d+$/.test(port) ? await namedPort(deps, scope, name, Number(port)) : port;
      const endpoints = (await deps.lookup.get('', 'endpoints', scope.namespace, name)) as Endpoints | undefined;
      if (!endpoints) throw notFound(scope.about, name);
      const { subsets = [] } = endpoints;
      if (subsets.length === 0) throw serviceUnavailable(`no endpoints available for service ${goQuote(name)}`);
      const found = await reachablePod(deps, scope, subsets, portName);
      if (!found) throw serviceUnavailable(`no endpoints available for service ${goQuote(scope.name)}`);
      return backendOf(scheme, found.host, String(found.port));
    });
}

async function namedPort({ lookup }: ConnectDeps, scope: Scope, name: string, port: number): Promise<string> {
  const service = (await lookup.get('', 'services', scope.namespace, name)) as unknown as Service | undefined;
  if (!service) throw notFound(scope.about, name);
  const found = service.spec.ports?.find(each => each.port === port);
  if (!found) throw serviceUnavailable(`no service port ${port} found for service ${goQuote(name)}`);
  return found.name ?? '';
}

/** An address of the named port, by chance, that is really its pod's. */
async function reachablePod(
  { lookup }: ConnectDeps,
  { namespace, deps }: Scope,
  subsets: NonNullable<Endpoints['subsets']>,
  portName: string,
): Promise<{ host: string; port: number } | undefined> {
  const { random } = deps.registry.deps;
  const choices = subsets.flatMap(({ addresses = [], ports = [] }) =>
    ports
      .filter(each => (each.name ?? '') === portName)
      .flatMap(({ port }) => addresses.map(({ ip, targetRef }) => ({ host: ip, port, targetRef }))),
  );
  while (choices.length > 0) {
    const [choice] = choices.splice(Math.floor(random.float() * choices.length), 1);
    const { host, port, targetRef } = choice!;
    if (!targetRef || targetRef.namespace !== namespace) continue;
    const pod = (await lookup.get('', 'pods', namespace, targetRef.name ?? '')) as unknown as Pod | undefined;
    if (pod?.status?.podIPs?.some(each => each.ip === host)) return { host, port };
  }
  return undefined;
}
