/** One HTTP GET of a probe or hook. Upstream: pkg/probe/http/{http,request}.go. */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Clock } from '#base';
import type { Container, HTTPGetAction } from '../api-objects.ts';

export interface HttpTarget {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly headers: ReadonlyArray<readonly [string, string]>;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** At most 10 KiB. */
  readonly body: string;
}

const maxBodyBytes = 10 * 1024;

/** A port number, or the number of the container's port of that name. Throws with upstream's text. */
export function resolvePort(port: number | string, container: Container): number {
  if (typeof port === 'number') return inRange(port);
  const named = container.ports?.find(each => each.name === port);
  if (named) return inRange(named.containerPort);
  const parsed = Number.parseInt(port, 10);
  if (String(parsed) === port) return inRange(parsed);
  throw new Error(`couldn't find port: ${JSON.stringify(port)} in container ${container.name}`);
}

function inRange(port: number): number {
  if (port > 0 && port < 65_536) return port;
  throw new Error(`invalid port number: ${port}`);
}

export function httpTarget(action: HTTPGetAction, container: Container, podIp: string, agent: string): HttpTarget {
  const headers: Array<readonly [string, string]> = (action.httpHeaders ?? []).map(({ name, value }) => [name, value]);
  const has = (name: string): boolean => headers.some(([key]) => key.toLowerCase() === name);
  if (!has('user-agent')) headers.push(['User-Agent', `kube-${agent}/1.36`]);
  if (!has('accept')) headers.push(['Accept', '*/*']);
  const path = action.path ?? '';
  return {
    scheme: (action.scheme ?? 'HTTP').toLowerCase(),
    host: action.host || podIp,
    port: resolvePort(action.port as number | string, container),
    path: path.startsWith('/') ? path : `/${path}`,
    headers: headers.filter(([name, value]) => !(name.toLowerCase() === 'accept' && value === '')),
  };
}

export function urlOf({ scheme, host, port, path }: HttpTarget): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}${path}`;
}

/** Rejects with an Error in the words of Go's client. Certificates are not verified. */
export function httpGet(target: HttpTarget, timeoutMs: number, clock: Clock): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const options = {
    host: target.host,
    port: target.port,
    path: target.path,
    method: 'GET',
    agent: false as const,
    rejectUnauthorized: false,
    headers: headerMap(target.headers),
  };
  const request = (target.scheme === 'https' ? httpsRequest : httpRequest)(options, response => {
    const chunks: Buffer[] = [];
    let size = 0;
    response.on('data', (chunk: Buffer) => {
      if (size < maxBodyBytes) chunks.push(chunk);
      size += chunk.length;
    });
    response.on('end', () => {
      const body = Buffer.concat(chunks).subarray(0, maxBodyBytes).toString('utf8');
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
    });
    response.on('error', reject);
  });
  const timer = clock.setTimer(() => {
    request.destroy();
    const why = 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)';
    reject(new Error(`Get "${urlOf(target)}": ${why}`));
  }, timeoutMs);
  request.on('error', cause => reject(new Error(`Get "${urlOf(target)}": ${dialText(cause, target)}`, { cause })));
  request.end();
  return promise.finally(() => timer.cancel());
}

function headerMap(headers: ReadonlyArray<readonly [string, string]>): Record<string, string | string[]> {
  const map: Record<string, string | string[]> = {};
  for (const [name, value] of headers) {
    const before = map[name];
    map[name] = before === undefined ? value : [before, value].flat();
  }
  return map;
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ECONNRESET: 'read: connection reset by peer',
  ETIMEDOUT: 'i/o timeout',
};

/** `dial tcp 10.0.0.1:80: connect: connection refused`. */
export function dialText(cause: Error, { host, port }: Pick<HttpTarget, 'host' | 'port'>): string {
  const code = (cause as NodeJS.ErrnoException).code ?? '';
  const reason = reasons[code];
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  if (code === 'ENOTFOUND') return `dial tcp: lookup ${host}: no such host`;
  if (code === 'ECONNRESET' && cause.message === 'socket hang up') return 'EOF';
  return reason ? `dial tcp ${address}: ${reason}` : cause.message;
}
